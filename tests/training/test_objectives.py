"""What every objective must do: a new one gets these tests by being listed, given a restatement in tests/oracles."""

from dataclasses import fields, replace

import pytest
import torch
from tests.oracles import longtail_objectives
from tests.oracles import objectives as plain_objectives
from tests.oracles.objectives import Net
from torch import Tensor, nn

from weakspot import rng
from weakspot.addresses import Radius
from weakspot.errors import InputError
from weakspot.maths.balls import distance
from weakspot.training import OBJECTIVES, Knobs
from weakspot.training.objectives import method_of, objective_of

ORACLES = plain_objectives.ORACLES | longtail_objectives.ORACLES
CLASSES, BATCH = 3, 6
RADII = ["linf:0.1", "l2:0.7"]
each = pytest.mark.parametrize("name", OBJECTIVES)
both_norms = pytest.mark.parametrize("radius", RADII)


def draw(*shape: int, name: str) -> Tensor:
    """Uniform in [-1, 1), float64."""
    return (rng.uniform(shape, torch.arange(1), 0, name)[0] * 2 - 1).double()


def planted() -> nn.Sequential:
    """A network whose batch norm has statistics far from any batch's, in training mode."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(8, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, CLASSES)).double()
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(draw(*parameter.shape, name=f"planted {i}") + (i == 2))
        model[2].running_mean.copy_(draw(7, name="mean"))
        model[2].running_var.copy_(draw(7, name="variance") + 1.5)
    return model.train()


def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Images that touch 0 and 1, labels of all classes, sample numbers that are no positions."""
    images = ((draw(BATCH, 2, 2, 2, name="images") + 1) / 2 * 1.2 - 0.1).clamp(0, 1)
    return images, torch.tensor([0, 1, 2, 2, 1, 0]), torch.tensor([40, 7, 300, 12, 5, 1])


def knobs_of(radius: str) -> Knobs:
    """Different for every class, around the radius."""
    base = replace(Knobs.uniform(CLASSES, Radius.of(radius)), progress=0.5)
    turn = {
        "radius": torch.tensor([0.6, 1.0, 1.3]).double() * float(Radius.of(radius)),
        "natural": torch.tensor([0.5, 1.0, 1.7]).double(),
        "robust": torch.tensor([1.4, 0.8, 1.1]).double(),
        "beta": torch.tensor([0.9, 1.2, 0.7]).double(),
        "counts": torch.tensor([50.0, 20.0, 3.0]),
    }
    return replace(base, **turn)


class Spy(nn.Module):
    """Keeps every batch that passes through."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images.detach().clone())
        return self.inner(images)


def test_the_catalogue_and_the_restatements_name_the_same() -> None:
    assert OBJECTIVES.keys() == ORACLES.keys()
    assert all(kind.name == name for name, kind in OBJECTIVES.items())


@each
@both_norms
@pytest.mark.parametrize("progress, smoothing", [(0.0, 0.0), (0.45, 0.2), (0.8, 0.0)])
def test_losses_and_gradients_are_the_papers(name: str, radius: str, progress: float, smoothing: float) -> None:
    model, knobs = planted(), replace(knobs_of(radius), progress=progress, smoothing=smoothing)
    images, labels, sample = batch()
    net, objective = Net(model), OBJECTIVES[name]()
    got = objective(model, images, labels, sample, 3, 11, knobs)
    losses, logits, _ = ORACLES[name](objective, net, images, labels.tolist(), sample, 3, 11, knobs)
    torch.testing.assert_close(got.per_sample, torch.stack(losses).detach())
    minimised = longtail_objectives.TOTALS.get(name, lambda o, each, y, k: sum(each) / len(each))
    total = minimised(objective, losses, labels.tolist(), knobs)
    torch.testing.assert_close(got.total, total)
    torch.testing.assert_close(got.logits, logits.detach())
    got.total.backward()
    expected = torch.autograd.grad(total, net.weights)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert model[2].num_batches_tracked.item() == net.updates, "forward passes with batch statistics"


@each
@both_norms
def test_every_image_lies_in_its_own_ball_and_in_range(name: str, radius: str) -> None:
    spy, knobs = Spy(planted()), knobs_of(radius)
    images, labels, sample = batch()
    objective = OBJECTIVES[name]()
    objective(spy, images, labels, sample, 0, 0, knobs)
    reach = objective.reach * knobs.radius[labels]
    furthest = torch.zeros_like(reach)
    for seen in spy.seen:
        assert seen.min() >= 0
        assert seen.max() <= 1
        far = distance(seen - images, knobs.norm)
        assert (far <= reach * (1 + 1e-9) + 1e-12).all()
        furthest = torch.maximum(furthest, far)
    if objective.adversarial:
        assert (furthest > 0.2 * knobs.radius[labels]).all(), "every image was attacked"


@each
def test_a_step_lowers_the_loss_of_the_same_images(name: str) -> None:
    model, knobs = planted(), knobs_of("linf:0.05")
    images, labels, sample = batch()
    objective = OBJECTIVES[name]()
    for step in range(6):
        attacked = objective.attack(model, images, labels, sample, 0, step, knobs)
        before = objective.losses(model, images, labels, attacked, knobs).total
        gradients = torch.autograd.grad(before, [*model.parameters()])
        length = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
        with torch.no_grad():  # steps of one length, since the methods' losses differ a hundredfold
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter.sub_(0.01 * gradient / length)
        after = objective.losses(model, images, labels, attacked, knobs).total
        assert after.item() == pytest.approx(before.item() - 0.01 * length.item(), abs=0.005 * length.item())


@each
def test_the_order_of_the_batch_changes_nothing(name: str) -> None:
    images, labels, sample = batch()
    turn = torch.tensor([3, 0, 5, 1, 4, 2])
    objective, knobs = OBJECTIVES[name](), knobs_of("linf:0.1")
    one = objective(planted(), images, labels, sample, 1, 2, knobs)
    other = objective(planted(), images[turn], labels[turn], sample[turn], 1, 2, knobs)
    torch.testing.assert_close(other.per_sample, one.per_sample[turn])
    torch.testing.assert_close(other.total, one.total)


@each
def test_renaming_the_classes_changes_nothing(name: str) -> None:
    images, labels, sample = batch()
    new = torch.tensor([2, 0, 1])  # class c is called new[c] now
    knobs, renamed = knobs_of("linf:0.1"), planted()
    old = torch.argsort(new)
    with torch.no_grad():
        renamed[4].weight.copy_(renamed[4].weight[old].clone())
        renamed[4].bias.copy_(renamed[4].bias[old].clone())
    turned = replace(knobs, **{k: getattr(knobs, k)[old] for k in ("radius", "natural", "robust", "beta", "counts")})
    objective = OBJECTIVES[name]()
    one = objective(planted(), images, labels, sample, 1, 2, knobs)
    other = objective(renamed, images, new[labels], sample, 1, 2, turned)
    torch.testing.assert_close(other.per_sample, one.per_sample)
    torch.testing.assert_close(other.logits[:, new], one.logits)


@each
def test_the_model_is_given_back_as_it_was(name: str) -> None:
    model = planted()
    model[2].eval()  # a layer that its owner froze
    model[1].bias.requires_grad_(False)
    images, labels, sample = batch()
    losses = OBJECTIVES[name]()(model, images, labels, sample, 0, 0, knobs_of("linf:0.1"))
    assert [module.training for module in model] == [True, True, False, True, True]
    assert [p.requires_grad for p in model.parameters()] == [True, False, True, True, True, True]
    assert all(p.grad is None for p in model.parameters())
    assert model[2].num_batches_tracked.item() == 0
    assert not losses.per_sample.requires_grad
    assert not losses.logits.requires_grad
    losses.total.backward()
    assert model[1].bias.grad is None
    assert model[1].weight.grad is not None


@each
def test_weights_of_zero_leave_nothing_and_doubling_doubles(name: str) -> None:
    images, labels, sample = batch()
    knobs, objective = Knobs.uniform(CLASSES, Radius.of("linf:0.1")), OBJECTIVES[name]()
    losses = objective(planted(), images, labels, sample, 0, 0, knobs)
    for factor in (0, 2):
        weighted = replace(knobs, natural=factor * knobs.natural, robust=factor * knobs.robust)
        other = objective(planted(), images, labels, sample, 0, 0, weighted)
        torch.testing.assert_close(other.per_sample, factor * losses.per_sample)


@each
def test_draws_depend_on_seed_step_and_sample_alone(name: str) -> None:
    images, labels, sample = batch()
    knobs, objective = knobs_of("linf:0.1"), OBJECTIVES[name]()

    def images_seen(sample: Tensor, seed: int, step: int) -> Tensor:
        spy = Spy(planted())
        objective(spy, images, labels, sample, seed, step, knobs)
        return torch.cat(spy.seen)

    base = images_seen(sample, 0, 5)
    assert torch.equal(base, images_seen(sample, 0, 5))
    others = [images_seen(sample, 1, 5), images_seen(sample, 0, 6), images_seen(sample + 1, 0, 5)]
    same = {torch.equal(base, other) for other in others}
    assert len(same) == 1, "either all three are part of a draw's name or nothing is drawn"


@each
def test_an_address_reads_back_as_the_objective(name: str) -> None:
    objective = OBJECTIVES[name]()
    assert method_of(objective) == name
    assert objective_of(name) == objective
    for field, value in ((f.name, getattr(objective, f.name)) for f in fields(objective)):
        other = not value if isinstance(value, bool) else value - 1 if isinstance(value, int) else value / 2 or 0.5
        changed = replace(objective, **{field: other})
        assert objective_of(method_of(changed)) == changed
        assert method_of(changed) != name
    assert objective_of(objective) is objective


@pytest.mark.parametrize(
    "address, says",
    [
        ("trade", "did you mean 'trades'"),
        ("trades(betta=3)", "betta"),
        ("trades(beta=-1)", "greater than or equal to 0"),
        ("pgd-at(steps=0)", "greater than or equal to 1"),
        ("pgd-at(steps=many)", "valid integer"),
        ("pgd-at@linf:0.1", "write the radius apart"),
    ],
)
def test_a_wrong_method_is_one_clear_line(address: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        objective_of(address)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
