"""The last layers."""

import pytest
import torch

from weakspot import rng
from weakspot.errors import InputError
from weakspot.models import build
from weakspot.models.heads import HEADS, CosineHead, head_address, head_of, set_head
from weakspot.models.last_layers import ScaledHead, TdeHead
from weakspot.models.zoo import ZOO

FAMILIES = ("cnn", "lenet5", "small-cnn", "small-cnn-bn", "resnet18-w4", "preact-resnet18-w4", "wrn-10-1")


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
    names = set(model.state_dict())
    set_head(model, head, seed=5)
    batch = rng.uniform((1, 28, 28), torch.arange(3), 0, "test-images")
    logits = model.eval()(batch)
    # What one head has and others do not; all else has the same names.
    own = {f"{model.head_name}.{part}" for part in ("bias", "mean_direction", "scales")}
    assert set(model.state_dict()) - own == names - own
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


@pytest.mark.parametrize(
    "address, says",
    [
        ("cosine(gama=1)", "gama"),
        ("robal(gamma=-1)", "greater than or equal to 0"),
        ("cosine(scale=0)", "greater than 0"),
        ("tde(mu=1)", "less than 1"),
        ("linear@1", "no place"),
    ],
)
def test_wrong_options_are_one_line(address, says):
    with pytest.raises(InputError, match=says) as caught:
        head_of(address)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", [*HEADS, "cosine(scale=16.0,bias=False)", "robal(gamma=0.0625)"])
def test_an_address_reads_back(address):
    assert head_address(head_of(address)) == address


def filled(head):
    with torch.no_grad():
        head.weight.copy_(draws(*head.weight.shape) * 3)
    return head


def test_robals_cosine_against_a_plain_loop():
    head, features = filled(head_of("robal(gamma=0.3)").make(6, 4)), draws(5, 6, seed=2)
    assert head.bias is None
    for phi, logits in zip(features.tolist(), head(features).tolist(), strict=True):
        for w, logit in zip(head.weight.tolist(), logits, strict=True):
            norm_phi, norm_w = sum(a * a for a in phi) ** 0.5, sum(b * b for b in w) ** 0.5
            dot = sum(a * b for a, b in zip(phi, w, strict=True))
            assert logit == pytest.approx(dot / norm_phi / (norm_w + 0.3), abs=1e-5)


def test_the_scale_multiplies_the_cosines():
    one, sixteen = (filled(head_of(f"cosine(scale={s},bias=False)").make(6, 4)) for s in (1, 16))
    features = draws(5, 6, seed=2)
    torch.testing.assert_close(sixteen(features), 16 * one(features))


def test_tde_follows_the_mean_direction_in_training_alone():
    head = filled(head_of("tde").make(6, 4))
    assert isinstance(head, TdeHead)
    expected = [0.0] * 6
    for seed in (2, 3):
        features = draws(5, 6, seed=seed)
        logits = head.train()(features)
        units = [[a / sum(b * b for b in phi) ** 0.5 for a in phi] for phi in features.tolist()]
        expected = [0.9 * d + sum(u[j] for u in units) / 5 for j, d in enumerate(expected)]
        torch.testing.assert_close(head.mean_direction, torch.tensor(expected))
        torch.testing.assert_close(head.eval()(features), logits)
    torch.testing.assert_close(head.mean_direction, torch.tensor(expected))
    torch.testing.assert_close(logits, filled(head_of("robal").make(6, 4))(draws(5, 6, seed=3)) * 16)


def test_of_lws_the_scales_alone_learn():
    head = filled(head_of("lws").make(6, 4))
    assert isinstance(head, ScaledHead)
    features = draws(5, 6, seed=2)
    torch.testing.assert_close(head(features), features @ head.weight.T)
    assert [name for name, p in head.named_parameters() if p.requires_grad] == ["scales"]
    with torch.no_grad():
        head.scales.copy_(torch.tensor([1.0, 2.0, 0.5, 3.0]))
    torch.testing.assert_close(head(features)[:, 3], 3 * features @ head.weight[3])
