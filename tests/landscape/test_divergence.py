"""psi's search: closed forms of linear models, corners and grids searched exhaustively, and what must not change it."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import settings as quick
from hypothesis import strategies as st
from torch import Tensor, nn

import planted
from weakspot.addresses import Radius
from weakspot.errors import InputError
from weakspot.landscape.divergence import Divergence, fisher_direction
from weakspot.landscape.forms import GAP, UNIT, calibrate, calibration_list, raw, unit_length
from weakspot.maths.balls import distance, start_noise
from weakspot.maths.losses import kl
from weakspot.rng import normal
from weakspot.threats.pgd import Pgd
from weakspot.threats.search import Oracle


def drawn(shape: tuple[int, ...], count: int, name: str) -> Tensor:
    return normal(shape, torch.arange(count), 0, name)


def linear(classes: int, pixels: tuple[int, int], bias: float = 0.0) -> nn.Sequential:
    model = nn.Sequential(nn.Flatten(), nn.Linear(pixels[0] * pixels[1], classes))
    with torch.no_grad():
        model[1].weight.copy_(drawn((pixels[0] * pixels[1],), classes, "weight") * 2)
        model[1].bias.copy_(bias * torch.arange(classes))
    return model.requires_grad_(False)


def tanh_net(inputs: int, classes: int, seed: str = "net") -> nn.Sequential:
    model = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, classes))
    with torch.no_grad():
        for layer in (model[1], model[3]):
            layer.weight.copy_(drawn((layer.in_features,), layer.out_features, seed + str(layer.in_features)))
            layer.bias.zero_()
    return model.requires_grad_(False)


def bernoulli_kl(z: Tensor, moved: Tensor) -> Tensor:
    """Of the logistic functions of two logit differences."""
    p, q = z.sigmoid(), moved.sigmoid()
    return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()


@pytest.mark.parametrize("norm, dual", [("linf", 1.0), ("l2", 2.0)])
def test_two_linear_classes_have_a_closed_form(norm, dual):
    """The divergence is convex in the change of the gap, which the ball lets go as far as radius |w| (dual norm)."""
    model, images = linear(2, (3, 4), bias=0.7), 0.5 + 0.1 * drawn((1, 3, 4), 40, "images").clamp(-2, 2)
    found = Divergence(radius=f"{norm}:0.2")(model, images, torch.arange(40), 0, raw)
    logits = model(images).double()
    z = logits[:, 1] - logits[:, 0]
    weight = model[1].weight.double()
    reach = 0.2 * torch.linalg.vector_norm(weight[1] - weight[0], ord=dual)
    expected = torch.maximum(bernoulli_kl(z, z + reach), bernoulli_kl(z, z - reach))
    torch.testing.assert_close(found.divergence, expected, rtol=1e-4, atol=1e-6)


def test_corners_of_the_cube_searched_exhaustively():
    """More classes: the divergence of a linear model is convex in d, so its maximum over linf is at a corner."""
    model, images = linear(4, (2, 3)), 0.5 + 0.1 * drawn((1, 2, 3), 30, "images").clamp(-2, 2)
    corners = 0.2 * torch.tensor(list(product([-1.0, 1.0], repeat=6))).view(-1, 1, 2, 3)
    every = torch.stack([kl(model(images), model(images + corner)) for corner in corners])
    found = Divergence(radius="linf:0.2", restarts=4)(model, images, torch.arange(30), 0, raw).divergence.float()
    assert (found <= every.amax(0) * (1 + 1e-5)).all()
    assert (found / every.amax(0)).mean() > 0.98
    once = Divergence(radius="linf:0.2")(model, images, torch.arange(30), 0, raw).divergence.float()
    assert (once / every.amax(0)).mean() > 0.9


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("form", [raw, unit_length])
def test_a_tiny_network_searched_exhaustively(norm, form):
    model, images = tanh_net(2, 3), 0.5 + 0.15 * drawn((1, 1, 2), 25, "images").clamp(-2, 2)
    line = torch.linspace(-0.15, 0.15, 121)
    delta = torch.cartesian_prod(line, line).view(-1, 1, 1, 2)
    delta = delta[distance(delta, norm) <= 0.15]
    every = torch.stack([kl(form(model(x)).expand(len(delta), -1), form(model(x + delta))) for x in images[:, None]])
    # The grid misses the border of the round ball by up to its width.
    best = Divergence(radius=f"{norm}:0.15", restarts=3)(model, images, torch.arange(25), 0, form).divergence.float()
    assert (best / every.amax(1)).min() > 0.97
    assert (best / every.amax(1)).max() < 1.03
    once = Divergence(radius=f"{norm}:0.15")(model, images, torch.arange(25), 0, form).divergence.float()
    assert (once / every.amax(1)).mean() > 0.9


def test_the_second_order_start_leaves_the_minimum():
    """At d = 0 the gradient vanishes; power iteration finds the top eigenvector of the Fisher matrix, formed here."""
    model, images = tanh_net(12, 5), 0.5 + 0.1 * drawn((1, 3, 4), 8, "images").clamp(-2, 2)
    x = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(kl(model(images), model(x)).sum(), x)
    assert gradient.abs().max() < 1e-6
    radius = torch.full((8,), 0.05)
    found = fisher_direction(model, images, torch.arange(8), radius, 0, raw, 40).flatten(1)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(8))
    for i in range(8):
        jacobian = torch.autograd.functional.jacobian(lambda x: model(x)[0], images[i : i + 1]).view(5, 12).double()
        p = model(images[i : i + 1])[0].double().softmax(0)
        fisher = jacobian.T @ (p.diag() - p.outer(p)) @ jacobian
        top = torch.linalg.eigh(fisher).eigenvectors[:, -1]
        assert (top @ found[i].double()).abs() > 0.99
        few = fisher_direction(model, images, torch.arange(8), radius, 0, raw, 4).flatten(1)[i].double()
        assert few @ fisher @ few > 0.8 * (top @ fisher @ top)


def test_the_scale_of_the_logits():
    model, data = planted.HONEST["mlp"](), planted.digits()
    larger = nn.Sequential(model, Times(10.0))
    images, sample = data.batch(range(40)), torch.arange(40)
    search = Divergence(radius=planted.RADIUS)
    forms, other = (unit_length, calibrate(model, data)), (unit_length, calibrate(larger, data))
    assert other[1].gap == pytest.approx(10 * forms[1].gap, rel=1e-5)
    for one, ten in zip(forms, other, strict=True):
        first, last = search(model, images, sample, 0, one), search(larger, images, sample, 0, ten)
        torch.testing.assert_close(last.divergence, first.divergence, rtol=1e-3, atol=1e-9)
        assert first.divergence.min() > 0
    plain, changed = (search(each, images, sample, 0, raw).divergence for each in (model, larger))
    assert changed.max() > 3 * plain.max()


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, logits: Tensor) -> Tensor:
        return logits * self.factor


def test_forms():
    logits = drawn((7,), 20, "logits") * 4 + 3
    found = unit_length(logits)
    torch.testing.assert_close(found.norm(dim=1), torch.full((20,), UNIT))
    torch.testing.assert_close(
        found.softmax(1),
        (
            (logits - logits.mean(1, keepdim=True))
            / found.norm(dim=1)[0]
            * UNIT
            * UNIT
            / (logits - logits.mean(1, keepdim=True)).norm(dim=1, keepdim=True)
        ).softmax(1),
    )
    assert (unit_length(torch.ones(2, 3)) == 0).all()
    data, model = planted.digits(), planted.HONEST["linear"]()
    made = calibrate(model, data)
    top = model(data.batch(range(500))).topk(2, dim=1).values
    assert made.gap == pytest.approx((top[:, 0] - top[:, 1]).mean().item(), rel=1e-5)
    assert made.rows == tuple(range(500))
    scaled = made(model(data.batch(range(500)))).topk(2, dim=1).values
    assert (scaled[:, 0] - scaled[:, 1]).mean().item() == pytest.approx(GAP, rel=1e-5)
    flat = calibrate(lambda images: torch.zeros(len(images), 10), data)
    assert (flat(logits) == logits).all()
    with pytest.raises(InputError, match="NaN or infinite logits"):
        calibrate(lambda images: torch.full((len(images), 10), torch.nan), data)


def test_the_calibration_list_is_fixed():
    assert len(calibration_list(5000)) == 1000
    assert calibration_list(5000) == tuple(sorted(set(calibration_list(5000))))
    shared = set(calibration_list(5000)) & set(calibration_list(5050))
    assert len(shared) > 950  # whether an image is drawn depends on its position, hardly on the size of the split
    assert calibration_list(3) == (0, 1, 2)


@pytest.mark.parametrize("radius", ["linf:0.1", "l2:0.7"])
def test_the_search_keeps_what_it_promises(radius):
    model, data = planted.HONEST["small-cnn"](), planted.digits()
    images, sample = data.batch(range(60)), torch.arange(60)
    search = Divergence(radius=radius)
    found = search(model, images, sample, 0, raw)
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert distance(found.images - images, search.radius.norm).max() <= float(search.radius) * (1 + 1e-5)
    torch.testing.assert_close(kl(model(images).double(), model(found.images).double()), found.divergence)
    assert (found.trace.diff(dim=0) >= 0).all()
    torch.testing.assert_close(found.trace[-1], found.divergence, rtol=0, atol=0)
    assert torch.equal(search(model, images, sample, 0, raw).images, found.images)
    assert not torch.equal(search(model, images, sample, 1, raw).images, found.images)
    order = sample.flip(0)[:25]
    torch.testing.assert_close(
        search(model, images[order], order, 0, raw).divergence, found.divergence[order], rtol=1e-3, atol=1e-6
    )
    more = Divergence(radius=radius, restarts=3)(model, images, sample, 0, raw)
    assert (more.divergence >= found.divergence).all()
    longer = Divergence(radius=radius, steps=60, restarts=3)(model, images, sample, 0, raw)
    assert (found.divergence / longer.divergence).mean() > 0.9
    radii = torch.full((60,), float(search.radius))
    noise = (images + start_noise(images, radii, search.radius.norm, sample, 0)).clamp(0, 1)
    assert (found.divergence > 3 * kl(model(images), model(noise))).all()


@pytest.mark.parametrize("radius", ["linf:0.1", "l2:0.7"])
def test_it_costs_no_more_than_pgd_with_20_steps(radius):
    model, data = planted.HONEST["linear"](), planted.digits()
    images, sample = data.batch(range(5)), torch.arange(5)
    mine, theirs = Oracle(model, 5), Oracle(model, 5)
    Divergence(radius=radius)(mine, images, sample, 0, raw)
    Pgd(radius=radius)(theirs, images, data.labels[:5], sample, 0)
    assert (mine.forwards.tolist(), mine.backwards.tolist()) == ([22] * 5, [19] * 5)
    assert (mine.forwards <= theirs.forwards).all()
    assert (mine.backwards <= theirs.backwards).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_models_that_cannot_be_moved(norm):
    images, sample = torch.rand(4, 1, 3, 3, generator=torch.Generator().manual_seed(0)), torch.arange(4)
    model, search = tanh_net(9, 3), Divergence(radius=f"{norm}:0.1")
    constant = lambda images: images.flatten(1)[:, :1] * 0 + torch.tensor([1.0, 2.0, 5.0])  # noqa: E731
    for form in (raw, unit_length):
        assert (search(constant, images, sample, 0, form).divergence == 0).all()
    flat = search(lambda images: 0 * images.flatten(1)[:, :3], images, sample, 0, unit_length)
    assert (flat.divergence == 0).all()
    assert torch.equal(flat.images, images)
    still = Divergence(radius=f"{norm}:0")(model, images, sample, 0, raw)
    assert (still.divergence == 0).all()
    saturated = search(nn.Sequential(model, Times(1e4)), images, sample, 0, raw).divergence
    assert torch.isfinite(saturated).all()
    black = search(model, torch.zeros(4, 1, 3, 3), sample, 0, raw)
    assert (black.divergence > 0).all()


def test_what_is_refused():
    images, sample = torch.zeros(2, 1, 2, 2), torch.arange(2)
    with pytest.raises(InputError, match="linf or l2 balls, got l1:3"):
        Divergence(radius="l1:3")
    with pytest.raises(InputError, match="NaN or infinite logits for 2 of 2 clean images"):
        Divergence(radius="l2:1")(lambda x: x.flatten(1) * torch.nan, images, sample, 0, raw)
    partly = lambda x: torch.where(x.flatten(1) > 0.05, torch.nan, x.flatten(1) * torch.arange(4.0))  # noqa: E731
    found = Divergence(radius="linf:0.2")(partly, images, sample, 0, raw)
    assert torch.isfinite(found.divergence).all()
    assert torch.isfinite(found.images).all()


@quick(max_examples=15)
@given(size=st.floats(0.01, 0.5), seed=st.integers(0, 99), count=st.integers(1, 4))
def test_a_larger_ball_holds_what_a_smaller_one_holds(size, seed, count):
    """The point found in the smaller ball lies in the larger one, so a grid search there cannot find less."""
    model, images = linear(2, (2, 2)), torch.full((count, 1, 2, 2), 0.5)
    small, large = (
        Divergence(radius=Radius.of(f"l2:{r:.4f}"))(model, images, torch.arange(count), seed, raw).divergence
        for r in (size / 2, size)
    )
    assert (large >= small * (1 - 1e-4)).all()


@pytest.mark.parametrize("radius", ["linf:0.1", "l2:0.7"])
def test_adversarial_training_makes_predictions_harder_to_move(radius):
    data, sample = planted.digits(), torch.arange(100)
    mean = {}
    for name in ("small-cnn", "adversarially-trained-cnn"):
        model = planted.HONEST[name]()
        for what, form in (("raw", raw), ("A", unit_length), ("B", calibrate(model, data))):
            found = Divergence(radius=radius)(model, data.batch(range(100)), sample, 0, form)
            mean[what, name] = found.divergence.mean()
    for what in ("raw", "A", "B"):
        assert mean[what, "adversarially-trained-cnn"] < 0.8 * mean[what, "small-cnn"]


def test_a_model_that_lets_no_gradient_through_is_searched_without_an_error():
    images, sample, fixed = drawn((1, 3, 3), 4, "images").abs(), torch.arange(4), torch.tensor([[1.0, 0.0, -1.0]])
    found = Divergence(radius="linf:0.1")(lambda images: fixed.expand(len(images), 3), images, sample, 0, raw)
    assert (found.divergence == 0).all()
    assert (found.prediction == 0).all()


def test_rounding_is_no_divergence():
    """Form A of two linear classes is constant on each side of the boundary: what rounding leaves counts as 0."""
    model = linear(2, (3, 4), bias=0.7)
    images = 0.5 + 0.1 * drawn((1, 3, 4), 60, "images").clamp(-2, 2)
    found = Divergence(radius="linf:0.02")(model, images, torch.arange(60), 0, unit_length)
    stays = found.prediction == model(images).argmax(1)
    assert stays.sum() > 20
    assert (found.divergence[stays] == 0).all()
    every = Divergence(radius="linf:0.02")(model, images, torch.arange(60), 0, raw).divergence
    assert (every > 1e-6).all()
