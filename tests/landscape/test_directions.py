"""Directions: closed forms, lengths, draws by name, and points placed on a plane."""

import pytest
import torch
from torch import Tensor, nn

import planted
from weakspot.addresses import Radius
from weakspot.data.arrays import ArrayData
from weakspot.errors import InputError
from weakspot.landscape.directions import (
    class_gradient,
    class_mean,
    coordinates,
    loss_gradient,
    parallel,
    rademacher,
    scaled,
    towards,
)
from weakspot.maths.balls import distance
from weakspot.maths.losses import cross_entropy, margin
from weakspot.rng import normal

LINF, L2 = Radius.of("linf:0.1"), Radius.of("l2:0.7")


def drawn(shape: tuple[int, ...], count: int, name: str) -> Tensor:
    return normal(shape, torch.arange(count), 0, name)


@pytest.mark.parametrize("radius", [LINF, L2])
def test_gradients_of_a_linear_model(radius):
    """Two classes: the loss rises along the other class's weights less its own, everywhere alike."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2)).requires_grad_(False)
    images, labels = drawn((1, 2, 3), 4, "images"), torch.tensor([0, 1, 1, 0])
    away = (model[1].weight[1] - model[1].weight[0]) * (1 - 2 * labels[:, None])
    expected = 0.1 * away.sign() if radius is LINF else 0.7 * away / away.norm(dim=1, keepdim=True)
    torch.testing.assert_close(loss_gradient(model, images, labels, radius).flatten(1), expected)
    to_one = class_gradient(model, images, 1, radius).flatten(1)
    torch.testing.assert_close(to_one, expected * (1 - 2 * labels[:, None]))


@pytest.mark.parametrize("radius", [LINF, L2])
def test_gradients_of_a_network_raise_what_they_should(radius):
    model, data = planted.HONEST["mlp"](), planted.digits()
    images, labels = data.batch(range(50)), data.labels[:50]
    step = 1e-2 * loss_gradient(model, images, labels, radius)
    assert (cross_entropy(model(images + step), labels) >= cross_entropy(model(images), labels)).float().mean() > 0.9
    three = torch.full((50,), 3)
    step = 1e-2 * class_gradient(model, images, 3, radius)
    assert (margin(model(images + step), three) > margin(model(images), three)).all()
    torch.testing.assert_close(distance(100 * step, radius.norm), torch.full((50,), float(radius)))


def test_a_model_that_is_sure_has_no_loss_gradient():
    images = drawn((1, 2, 3), 4, "images")
    sure = lambda x: torch.stack([x.flatten(1).sum(1) + 1e6, -x.flatten(1).sum(1)], dim=1)  # noqa: E731
    assert (loss_gradient(sure, images, torch.zeros(4, dtype=torch.int64), L2) == 0).all()
    assert (class_gradient(sure, images, 1, L2) != 0).all()
    faint = lambda x: 1e-25 * sure(x)  # noqa: E731
    torch.testing.assert_close(distance(class_gradient(faint, images, 1, L2), "l2"), torch.full((4,), 0.7))


@pytest.mark.parametrize("radius", [LINF, L2])
def test_random_signs(radius):
    images, sample = torch.zeros(6, 3, 4, 4), torch.arange(6)
    found = rademacher(images, sample, 0, radius)
    torch.testing.assert_close(distance(found, radius.norm), torch.full((6,), float(radius)))
    assert len(found.abs().unique()) == 1
    assert torch.equal(rademacher(images[2:4], sample[2:4], 0, radius), found[2:4])
    assert not torch.equal(rademacher(images, sample, 1, radius), found)
    assert found.sign().mean().abs() < 0.2


def test_towards_points_and_scale():
    images, points = drawn((1, 2, 3), 4, "images"), drawn((1, 2, 3), 4, "points")
    points[2] = images[2]
    found = towards(images, points, LINF)
    assert (found[2] == 0).all()
    assert distance(found, "linf")[[0, 1, 3]].tolist() == pytest.approx([0.1] * 3)
    assert parallel(found, points - images).tolist() == [True, True, False, True]
    assert parallel(found, -5 * found + 1e-9).tolist() == [True, True, False, True]
    assert not parallel(found, images).any()
    torch.testing.assert_close(scaled(scaled(points, L2), L2), scaled(points, L2))


def test_the_mean_image_of_a_class():
    data = planted.digits()
    torch.testing.assert_close(class_mean(data, 3), data.batch(range(500))[data.labels == 3].mean(0))
    some = ArrayData.of(torch.zeros(3, 1, 4, 4), [0, 2, 2], classes=("a", "<b>", "c"))
    with pytest.raises(InputError, match="class '<b>' has no samples"):
        class_mean(some, 1)


def test_points_on_a_plane():
    images, a, b = (drawn((1, 2, 3), 5, name) for name in ("images", "a", "b"))
    steps = drawn((2,), 5, "steps")
    points = images + steps[:, 0, None, None, None] * a + steps[:, 1, None, None, None] * b
    torch.testing.assert_close(coordinates(images, points, a, b), steps, rtol=1e-4, atol=1e-5)
    for i in range(5):  # what leaves the plane is dropped: least squares
        axes = torch.stack([a[i].flatten(), b[i].flatten()], dim=1)
        moved = points + drawn((1, 2, 3), 5, "away")
        expected = torch.linalg.lstsq(axes, (moved - images)[i].flatten()[:, None]).solution[:, 0]
        torch.testing.assert_close(coordinates(images, moved, a, b)[i], expected, rtol=1e-4, atol=1e-5)
    flat = coordinates(images, points, a, torch.zeros_like(b))
    assert (flat[:, 1] == 0).all()
    assert torch.isfinite(flat).all()
