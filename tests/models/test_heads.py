"""The last layers."""

from typing import get_args

import pytest
import torch

from weakspot import rng
from weakspot.errors import InputError
from weakspot.models import build
from weakspot.models.heads import HEADS, CosineHead, Head, set_head
from weakspot.models.zoo import ZOO

FAMILIES = ("cnn", "lenet5", "small-cnn", "resnet18-w4", "preact-resnet18-w4", "wrn-10-1")


def draws(*shape, seed=0):
    return rng.normal(shape, torch.zeros(1, dtype=torch.int64), seed, "test-heads")[0]


@pytest.fixture
def cosine():
    head = CosineHead(6, 4)
    with torch.no_grad():
        head.weight.copy_(draws(4, 6) * 3)
        head.bias.copy_(draws(4, seed=1))
    return head


def test_cosine_against_a_plain_loop(cosine):
    features = draws(5, 6, seed=2)
    logits = cosine(features)
    for i, phi in enumerate(features.tolist()):
        for k, w in enumerate(cosine.weight.tolist()):
            dot = sum(a * b for a, b in zip(phi, w, strict=True))
            lengths = sum(a * a for a in phi) ** 0.5 * sum(b * b for b in w) ** 0.5
            assert logits[i, k].item() == pytest.approx(dot / lengths + cosine.bias[k].item(), abs=1e-5)


def test_cosine_ignores_lengths(cosine):
    features = draws(5, 6, seed=2)
    before, weight = cosine(features), cosine.weight.clone()
    torch.testing.assert_close(cosine(features * 7), before)
    assert torch.equal(cosine.weight, weight), "a forward pass changed the weights"
    with torch.no_grad():
        cosine.weight.mul_(torch.tensor([0.5, 2, 3, 4])[:, None])
    torch.testing.assert_close(cosine(features), before)


def test_cosine_of_nothing_is_the_bias_with_a_finite_gradient(cosine):
    features = torch.zeros(2, 6, requires_grad=True)
    logits = cosine(features)
    torch.testing.assert_close(logits, cosine.bias.expand(2, 4))
    logits.sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("head", HEADS)
def test_every_family_takes_every_head(name, head):
    model = build(name, channels=1, classes=10, size=28)
    names = model.state_dict().keys()
    set_head(model, head, seed=5)
    batch = rng.uniform((1, 28, 28), torch.arange(3), 0, "test-images")
    logits = model.eval()(batch)
    assert model.state_dict().keys() == names
    torch.testing.assert_close(logits, model.head(model.features(batch)))
    if head == "cosine":
        assert isinstance(model.head, CosineHead)
        assert ((logits - model.head.bias).abs() <= 1 + 1e-5).all()
        torch.testing.assert_close(model.head.weight.norm(dim=1), torch.ones(10))


def test_heads_cover_all_families():
    assert len(FAMILIES) == len(ZOO)


def test_a_head_is_drawn_by_its_seed_and_leaves_the_global_stream():
    models = [build("cnn", channels=1, classes=10, size=28) for _ in range(3)]
    outer = torch.random.get_rng_state()
    for model, seed in zip(models, (0, 0, 1), strict=True):
        set_head(model, "cosine", seed=seed)
    assert torch.equal(torch.random.get_rng_state(), outer)
    first, again, other = (model.head.weight for model in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_unknown_head_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'cosine'"):
        set_head(build("cnn", channels=1, classes=10, size=28), "cosin")


def test_the_catalogue_and_its_type_agree():
    assert set(get_args(Head)) == set(HEADS)
