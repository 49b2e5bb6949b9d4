"""What every long-tailed loss must do: a new one gets these tests by being listed, given a restatement in oracles."""

from dataclasses import fields, replace

import pytest
import torch
from tests.oracles.longtail import ORACLES
from torch import Tensor, nn

from weakspot import rng
from weakspot.addresses import Radius
from weakspot.errors import InputError
from weakspot.models.heads import head_of
from weakspot.training import Knobs
from weakspot.training.longtail import LOSSES, address_of, loss_of
from weakspot.training.loss import check_counts, prepare_bias
from weakspot.training.objectives import objective_of
from weakspot.training.resolve import check_loss

each = pytest.mark.parametrize("name", LOSSES)
COUNTS = torch.tensor([90.0, 31.0, 7.0, 1.0])
LABELS = torch.tensor([0, 1, 2, 3, 3, 0, 2])
CHANGED = (
    "ldam(drw=True)", "ldam(drw=True,b=0.5,s=3,margin=0.2)", "logit-adjustment(tau=1.7)", "cdt(tau=1)",
    "focal(gamma=0)", "class-balanced(b=0.9,gamma=1)",
)  # fmt: skip


def logits(name: str = "logits") -> Tensor:
    """Seven samples of four classes, float64, within 4 of 0."""
    return (rng.uniform((4,), torch.arange(7), 0, name) * 8 - 4).double()


def numeric(loss, z: Tensor, counts: Tensor, progress: float) -> Tensor:
    """The gradient of the restatement's sum by central differences."""
    oracle, grad, h = ORACLES[loss.name], torch.zeros_like(z), 1e-5
    number = [int(n) for n in counts.tolist()]
    for i in range(len(z)):
        for k in range(z.shape[1]):
            up, down = z[i].tolist(), z[i].tolist()
            up[k], down[k] = up[k] + h, down[k] - h
            y = int(LABELS[i])
            grad[i, k] = (oracle(loss, up, y, number, progress) - oracle(loss, down, y, number, progress)) / (2 * h)
    return grad


def test_the_catalogue_and_the_restatements_name_the_same() -> None:
    assert LOSSES.keys() == ORACLES.keys()
    assert all(kind.name == name for name, kind in LOSSES.items())


@pytest.mark.parametrize("address", [*LOSSES, *CHANGED])
@pytest.mark.parametrize("progress", [0.0, 0.79, 0.8])
def test_values_and_gradients_are_the_papers(address: str, progress: float) -> None:
    loss, z = loss_of(address), logits().requires_grad_()
    got = loss(z, LABELS, COUNTS, progress)
    number = [int(n) for n in COUNTS.tolist()]
    expected = [
        ORACLES[loss.name](loss, row.tolist(), int(y), number, progress)
        for row, y in zip(z.detach(), LABELS, strict=True)
    ]
    torch.testing.assert_close(got.detach(), torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-9)
    (gradient,) = torch.autograd.grad(got.sum(), z)
    torch.testing.assert_close(gradient, numeric(loss, z.detach(), COUNTS, progress), rtol=1e-5, atol=1e-6)


@each
def test_it_is_per_sample_and_of_the_logits_type(name: str) -> None:
    loss, z = LOSSES[name](), logits().float()
    whole = loss(z, LABELS, COUNTS, 1.0)
    assert whole.shape == (7,)
    assert whole.dtype == torch.float32
    for i in range(7):
        torch.testing.assert_close(loss(z[i : i + 1], LABELS[i : i + 1], COUNTS, 1.0), whole[i : i + 1])


@each
def test_renaming_the_classes_changes_nothing(name: str) -> None:
    loss, new = LOSSES[name](), torch.tensor([2, 0, 3, 1])
    old = torch.argsort(new)
    one = loss(logits(), LABELS, COUNTS, 1.0)
    torch.testing.assert_close(loss(logits()[:, old], new[LABELS], COUNTS[old], 1.0), one)


@each
def test_a_step_lowers_it(name: str) -> None:
    loss, z = LOSSES[name](), logits().requires_grad_()
    before = loss(z, LABELS, COUNTS, 1.0).mean()
    (gradient,) = torch.autograd.grad(before, z)
    size = gradient.square().sum().item()
    after = loss(z.detach() - 1e-3 * gradient / size**0.5, LABELS, COUNTS, 1.0).mean()
    assert after.item() == pytest.approx(before.item() - 1e-3 * size**0.5, rel=1e-6, abs=2e-5 * size**0.5 + 1e-9)


@each
def test_far_logits_stay_finite(name: str) -> None:
    z = (1e4 * logits().float()).requires_grad_()
    found = LOSSES[name]()(z, LABELS, COUNTS, 1.0)
    assert found.isfinite().all()
    assert torch.autograd.grad(found.sum(), z)[0].isfinite().all()


@each
def test_balanced_classes_leave_the_balanced_loss(name: str) -> None:
    """Where all classes have as many images, their number plays no part, but for LDAM's margin, which all then have."""
    loss = LOSSES[name]()
    one, other = (loss(logits(), LABELS, torch.full((4,), n), 1.0) for n in (5.0, 500.0))
    torch.testing.assert_close(one, other)


@each
def test_an_address_reads_back(name: str) -> None:
    loss = LOSSES[name]()
    assert address_of(loss) == name
    for field, value in ((f.name, getattr(loss, f.name)) for f in fields(loss)):
        changed = replace(loss, **{field: not value if isinstance(value, bool) else value / 2})
        assert loss_of(address_of(changed)) == changed
        assert address_of(changed) != name


@pytest.mark.parametrize("method", ["pgd-at", "trades"])
@each
def test_it_takes_the_place_of_the_cross_entropy_in_the_objectives(name: str, method: str) -> None:
    """The loss enters where the labels do; the attack and TRADES's divergence stay what they are."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4)).double()
    with torch.no_grad():
        model[1].weight.copy_(logits("weights")[:4])
        model[1].bias.copy_(logits("bias")[0])
    images = rng.uniform((1, 2, 2), torch.arange(7), 0, "images").double()
    plain = replace(Knobs.uniform(4, Radius.of("linf:0.1")), counts=COUNTS, progress=0.9)
    objective, loss = objective_of(method), LOSSES[name]()
    sample = torch.arange(7)
    attacked = objective.attack(model, images, LABELS, sample, 0, 0, plain)
    changed = replace(plain, loss=loss)
    assert torch.equal(objective.attack(model, images, LABELS, sample, 0, 0, changed).images, attacked.images)
    before = objective.losses(model, images, LABELS, attacked, plain).per_sample
    after = objective.losses(model, images, LABELS, attacked, changed).per_sample
    z = model(images if method == "trades" else attacked.images).detach()
    own = LOSSES["cross-entropy"]()(z, LABELS, COUNTS, 0.9)
    torch.testing.assert_close(after, before - own + loss(z, LABELS, COUNTS, 0.9))


@each
def test_it_is_defined_on_its_head(name: str) -> None:
    head = LOSSES[name]().head
    assert not head or head_of(head).make(3, 2).bias is None


def test_biases_start_as_the_loss_wants() -> None:
    for name, kind in LOSSES.items():
        head = nn.Linear(3, 4)
        first = head.bias.detach().clone()
        prepare_bias(kind(), head, COUNTS)
        if name == "focal":
            share = COUNTS.double() / COUNTS.double().sum()
            torch.testing.assert_close(torch.sigmoid(head.bias.detach()).double(), share, rtol=1e-4, atol=1e-6)
        else:
            assert torch.equal(head.bias, first)
        assert head.bias.requires_grad == (name != "logit-adjustment")
    prepare_bias(LOSSES["focal"](), nn.Linear(3, 4, bias=False), COUNTS)


def test_no_images_of_a_class_is_one_clear_line() -> None:
    with pytest.raises(InputError) as caught:
        check_counts("loss ldam", torch.tensor([3.0, 0.0, 2.0, 0.0]), ("cat", "dog", "frog", "ship"))
    assert "there are none of dog, ship" in str(caught.value)
    assert "\n" not in str(caught.value)
    check_counts("loss ldam", torch.tensor([3.0, 1.0]), ("cat", "dog"))


@pytest.mark.parametrize(
    "address, says",
    [
        ("ldm", "did you mean 'ldam'"),
        ("ldam(drv=True)", "drv"),
        ("class-balanced(b=1)", "less than 1"),
        ("focal@2", "no place"),
        ("cosine(scale=0)", "greater than 0"),
    ],
)
def test_a_wrong_loss_is_one_clear_line(address: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        loss_of(address)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(InputError, match="spat has a loss of its own, where ldam has no place"):
        check_loss(loss_of("ldam"), objective_of("spat"), 0.0)
    with pytest.raises(InputError, match=r"no smoothed labels, got smoothing=0\.1"):
        check_loss(loss_of("ldam"), objective_of("pgd-at"), 0.1)
    check_loss(loss_of("cross-entropy"), objective_of("spat"), 0.0)
    check_loss(loss_of("ldam"), objective_of("trades+awp"), 0.0)
