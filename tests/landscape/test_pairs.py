"""Pairs of directions, the planes they span, the ball on them: closed forms of linear models."""

import pytest
import torch
from hypothesis import given
from hypothesis import settings as quick
from hypothesis import strategies as st
from torch import nn

import planted
from weakspot.addresses import Radius
from weakspot.data import Subset, load
from weakspot.errors import InputError
from weakspot.landscape.pairs import ANGLES, Direction, Pair, Planes, ball_outline
from weakspot.landscape.paths import STEPS, attack_path
from weakspot.landscape.surfaces import grid, surfaces
from weakspot.maths.balls import distance
from weakspot.maths.losses import margin
from weakspot.rng import normal, signs

LINF, L2 = Radius.of("linf:0.1"), Radius.of("l2:0.5")


def linear(classes: int = 2) -> nn.Sequential:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    with torch.no_grad():
        model[1].weight.copy_(normal((64,), torch.arange(classes), 0, "weight"))
        model[1].bias.zero_()
    return model.requires_grad_(False)


@pytest.mark.parametrize("address", ["gradient,random", "attack,towards:3", "mean:0,mean:1", "random,towards:a b"])
def test_addresses_read_back(address):
    assert str(Pair.of(address)) == address
    assert Pair.of(Pair.of(address)) == Pair.of(address)
    assert Pair.of(address.replace(",", " , ")) == Pair.of(address)


@pytest.mark.parametrize(
    "address, words",
    [
        ("gradient", "over two directions"),
        ("gradient,random,attack", "over two directions"),
        ("gradient,gradient", "two different directions, got gradient twice"),
        ("mean:1,mean:1", "two different directions"),
        ("gradiant,random", "did you mean 'gradient'"),
        ("gradient,mean", "mean:CLASS, got 'mean'"),
        ("gradient,random:3", "got 'random:3'"),
    ],
)
def test_bad_addresses(address, words):
    with pytest.raises(InputError, match=words):
        Pair.of(address)


def test_classes_are_named_or_numbered():
    data = planted.digits()
    planes = Planes.of(Pair.of("towards:7,mean:2"), data, LINF, 0)
    assert planes.targets == {"7": data.classes.index("7"), "2": data.classes.index("2")}
    twos = torch.stack([data.batch([i])[0] for i in (data.labels == 2).nonzero()[:, 0].tolist()]).mean(0)
    torch.testing.assert_close(planes.means[2], twos)
    with pytest.raises(InputError, match="unknown class 'seven'"):
        Planes.of(Pair.of("gradient,mean:seven"), data, LINF, 0)


def test_classes_are_checked_before_anything_is_computed():
    data = planted.digits()
    without = Subset(data, tuple((data.labels != 2).nonzero()[:, 0].tolist()))
    Pair.of("towards:7,mean:2").check(data)
    Pair.of("towards:2,random").check(without)  # a gradient needs no samples
    with pytest.raises(InputError, match="unknown class 'seven'"):
        Pair.of("gradient,towards:seven").check(data)
    with pytest.raises(InputError, match="unknown class 'seven'"):
        Pair.of("mean:seven,gradient").check(data)
    with pytest.raises(InputError, match="class '2' has no samples"):
        Pair.of("gradient,mean:2").check(without)


@pytest.mark.parametrize("radius", [LINF, L2], ids=str)
def test_the_decision_surface_of_two_linear_classes(radius):
    """S(i, j) = S(0, 0) - i radius |w| (dual norm) + j <w, b> exactly, w the difference of the weights."""
    model, images = linear(), 0.5 + 0.1 * normal((1, 8, 8), torch.arange(6), 0, "images")
    labels, sample = torch.tensor([0, 1, 0, 1, 0, 1]), torch.arange(6)
    planes = Planes.of(Pair.of("gradient,random"), planted.digits(), radius, 0)
    plane = planes(model, images, labels, sample)
    steps = grid(9, 2.0)
    found = surfaces(model, images, labels, sample, (plane.first, plane.second), (steps, steps))
    weight = model[1].weight[0] - model[1].weight[1]
    sign = torch.where(labels == 0, 1.0, -1.0)
    dual = weight.abs().sum() if radius.norm == "linf" else weight.norm()
    second = (plane.second.flatten(1) @ weight) * sign
    expected = (
        margin(model(images), labels)[:, None, None]
        - steps[None, :, None] * float(radius) * dual
        + steps[None, None, :] * second[:, None, None]
    )
    torch.testing.assert_close(found.decision, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.cross_entropy, nn.functional.softplus(-expected), rtol=1e-4, atol=1e-4)
    for direction in (plane.first, plane.second):
        torch.testing.assert_close(distance(direction, radius.norm), torch.full((6,), float(radius)))


def test_the_directions_towards_a_class():
    model, data = planted.HONEST["small-cnn"](), planted.digits()
    images, labels, sample = data.batch(range(20)), data.labels[:20], torch.arange(20)
    plane = Planes.of(Pair.of("towards:3,mean:3"), data, LINF, 0)(model, images, labels, sample)
    before = margin(model(images), torch.full((20,), 3))
    after = margin(model(images + 0.1 * plane.first), torch.full((20,), 3))
    assert (after > before).float().mean() > 0.9
    mean = Planes.of(Pair.of("towards:3,mean:3"), data, LINF, 0).means[3]
    way = (mean - images).flatten(1)
    cosine = nn.functional.cosine_similarity(plane.second.flatten(1), way)
    torch.testing.assert_close(cosine, torch.ones(20))


@pytest.mark.parametrize("radius", [LINF, L2], ids=str)
def test_the_attack_ends_where_its_direction_points(radius):
    model, data = planted.HONEST["small-cnn"](), planted.digits()
    images, labels, sample = data.batch(range(30)), data.labels[:30], torch.arange(30)
    path = attack_path(model, images, labels, sample, radius, 0)
    assert path.points.shape == (STEPS + 2, 30, 1, 8, 8)
    assert torch.equal(path.points[0], images)
    margins = torch.stack([margin(model(points), labels) for points in path.points[1:]])
    torch.testing.assert_close(margin(model(path.best), labels), margins.amin(0))
    assert (margin(model(path.best), labels) < margin(model(images), labels)).float().mean() > 0.95
    plane = Planes.of(Pair.of("attack,random"), data, radius, 0)(model, images, labels, sample)
    assert plane.path.shape == (30, STEPS + 2, 2)
    assert (plane.path[:, 0] == 0).all()
    length = distance(path.best - images, radius.norm) / float(radius)
    nearest = (plane.path - torch.stack([length, torch.zeros(30)], dim=1)[:, None]).norm(dim=2).amin(1)
    assert nearest.max() < 1e-3
    assert Planes.of(Pair.of("gradient,random"), data, radius, 0)(model, images, labels, sample).path.shape[1] == 0


def test_the_ball_between_two_sign_vectors_is_a_diamond():
    first = 0.1 * signs((1, 8, 8), torch.arange(3), 0, "first")
    outline = ball_outline(first, 0.1 * signs((1, 8, 8), torch.arange(3), 0, "second"), LINF)
    assert outline.shape == (3, ANGLES, 2)
    torch.testing.assert_close(outline.abs().sum(2), torch.ones(3, ANGLES))


def test_the_ball_between_two_orthogonal_directions_is_a_circle():
    first, second = torch.zeros(2, 2, 1, 2, 2)
    first[:, 0, 0, 0], second[:, 0, 0, 1] = 0.5, 0.5
    torch.testing.assert_close(ball_outline(first, second, L2).norm(dim=2), torch.ones(2, ANGLES))
    flat = ball_outline(first, torch.zeros_like(first), L2)
    assert (flat[:, ANGLES // 4, 1] > 1e6).all()  # nothing ends the ball along a direction of length 0


@quick(max_examples=30)
@given(seed=st.integers(0, 10_000), norm=st.sampled_from([LINF, L2]))
def test_the_outline_lies_on_the_border(seed, norm):
    first, second = (normal((1, 3, 3), torch.arange(2), seed, name) for name in ("a", "b"))
    outline = ball_outline(first, second, norm)
    for at in (0, 7, 55):
        i, j = (outline[:, at, axis].view(2, 1, 1, 1) for axis in (0, 1))
        torch.testing.assert_close(distance(i * first + j * second, norm.norm), torch.full((2,), float(norm)))


def test_directions_say_what_they_are():
    assert Direction.of("towards:cat").says() == "gradient towards cat"
    assert Direction.of("gradient").says() == "loss gradient"


def test_directions_that_are_one_are_refused_before_anything_is_computed():
    two = load((torch.rand(4, 1, 2, 2, generator=torch.Generator().manual_seed(0)), torch.arange(4) % 2))
    for pair in ("gradient,towards:0", "towards:0,towards:1", "towards:1,gradient"):
        with pytest.raises(InputError, match="with two classes .* spans no plane"):
            Pair.of(pair).check(two)
    for pair in ("gradient,random", "towards:0,mean:1", "mean:0,mean:1", "attack,random"):
        Pair.of(pair).check(two)
    data = planted.digits()
    Pair.of("gradient,towards:0").check(data)
    with pytest.raises(InputError, match="are one direction"):
        Pair.of("towards:2,towards:02").check(data)
