"""Surfaces: closed form of a linear model, a plain loop, memory that does not suffice, bad directions."""

import pytest
import torch
from torch import Tensor, nn

import planted
from weakspot.errors import InputError, SetupError
from weakspot.landscape.surfaces import grid, profiles, surfaces
from weakspot.maths.losses import margin
from weakspot.rng import normal


def drawn(shape: tuple[int, ...], count: int, name: str) -> Tensor:
    return normal(shape, torch.arange(count), 0, name)


def two_classes() -> nn.Sequential:
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    with torch.no_grad():
        model[1].weight.copy_(drawn((6,), 2, "weight"))
        model[1].bias.copy_(torch.tensor([0.3, -0.2]))
    return model.requires_grad_(False)


@pytest.fixture
def plane() -> tuple[Tensor, Tensor, Tensor]:
    """Seven images of 1 x 2 x 3 and two directions."""
    return 0.5 + 0.1 * drawn((1, 2, 3), 7, "images"), *(0.2 * drawn((1, 2, 3), 7, name) for name in "ab")


def test_two_linear_classes_have_a_closed_form(plane):
    """S is a plane in i and j, V = log(1 + exp(-S)); both know nothing of [0, 1]."""
    images, a, b = plane
    model, labels = two_classes(), torch.tensor([0, 1, 0, 1, 1, 0, 0])
    found = surfaces(model, images, labels, torch.arange(7), (a, b), (grid(5), grid(9, 4.0)))
    weight = (model[1].weight[0] - model[1].weight[1]) * (1 - 2 * labels[:, None])
    constant = (model[1].bias[0] - model[1].bias[1]) * (1 - 2 * labels)
    start, along, across = ((each.flatten(1) * weight).sum(1)[:, None, None] for each in plane)
    expected = start + constant[:, None, None] + along * grid(5)[:, None] + across * grid(9, 4.0)
    torch.testing.assert_close(found.decision, expected)
    torch.testing.assert_close(found.cross_entropy, nn.functional.softplus(-expected))
    assert found.decision.shape == (7, 5, 9)
    assert (found.decision < 0).any()


def test_against_a_plain_loop():
    model, data = planted.HONEST["mlp"](), planted.digits()
    images, labels = data.batch(range(3)), data.labels[:3]
    a, b = (0.1 * drawn((1, 8, 8), 3, name) for name in "ab")
    found = surfaces(model, images, labels, torch.arange(3), (a, b), (grid(4), grid(3, 1.0)))
    for s in range(3):
        for i in range(4):
            for j in range(3):
                logits = model(images[s : s + 1] + grid(4)[i] * a[s] + grid(3, 1.0)[j] * b[s])[0].tolist()
                true = logits.pop(labels[s].item())
                assert found.decision[s, i, j].item() == pytest.approx(true - max(logits), rel=1e-4, abs=1e-4)
                entropy = torch.tensor([true, *logits]).logsumexp(0) - true
                assert found.cross_entropy[s, i, j].item() == pytest.approx(entropy.item(), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("planted"), RuntimeError("can't allocate memory: planted")])
def test_a_grid_too_large_for_memory_is_split(plane, error, monkeypatch):
    images, a, b = plane
    model, labels, sizes = two_classes(), torch.zeros(7, dtype=torch.int64), []
    whole = surfaces(model, images, labels, torch.arange(7), (a, b), (grid(6), grid(11)))

    def small(x: Tensor) -> Tensor:
        sizes.append(len(x))
        if len(x) > limit:
            raise error
        return model(x)

    limit = 10
    found = surfaces(small, images, labels, torch.arange(7), (a, b), (grid(6), grid(11)))
    torch.testing.assert_close(found.decision, whole.decision)
    torch.testing.assert_close(found.cross_entropy, whole.cross_entropy)
    assert sizes[3:10] == [462, 231, 115, 57, 28, 14, 7]  # after the images themselves, and two to choose the layout
    assert max(sizes[9:]) == 7
    limit = 7  # the images themselves still fit
    monkeypatch.setattr("weakspot.landscape.surfaces.NUMBERS", 0)
    found = surfaces(small, images, labels, torch.arange(7), (a, b), (grid(6), grid(11)))
    torch.testing.assert_close(found.decision, whole.decision)
    assert sizes[-462:] == [1] * 462
    limit = 0
    first = lambda x: model(x) if len(x) == 7 else small(x)  # noqa: E731
    with pytest.raises(SetupError, match=r"one image of shape \(1, 2, 3\) does not fit into memory"):
        surfaces(first, images, labels, torch.arange(7), (a, b), (grid(6), grid(11)))


def test_other_errors_of_a_model_are_its_own(plane):
    images, a, b = plane

    def broken(x: Tensor) -> Tensor:
        if len(x) > 7:
            raise RuntimeError("planted")
        return x.flatten(1)

    with pytest.raises(RuntimeError, match="planted"):
        surfaces(broken, images, torch.zeros(7, dtype=torch.int64), torch.arange(7), (a, b), (grid(3), grid(3)))


def test_directions_on_one_line_are_refused(plane):
    images, a, _ = plane
    labels, sample = torch.zeros(7, dtype=torch.int64), torch.arange(100, 107)
    second = a.clone()
    second[1] *= -3
    second[[0, 2, 3, 4]] = drawn((1, 2, 3), 4, "others")
    with pytest.raises(InputError, match=r"those of 3 images lie on one line \(samples 101, 105, 106\)"):
        surfaces(two_classes(), images, labels, sample, (a, second), (grid(3), grid(3)))


def test_profiles_and_zero_directions(plane):
    images, a, b = plane
    labels, sample = torch.ones(7, dtype=torch.int64), torch.arange(7)
    whole = surfaces(two_classes(), images, labels, sample, (a, b), (grid(5), grid(3)))
    line = profiles(two_classes(), images, labels, sample, a, grid(5))
    assert line.decision.shape == (7, 5, 1)
    torch.testing.assert_close(line.decision[:, :, 0], whole.decision[:, :, 1])
    flat = surfaces(two_classes(), images, labels, sample, (0 * a, b), (grid(5), grid(3)))
    torch.testing.assert_close(flat.cross_entropy, flat.cross_entropy[:, :1].expand(-1, 5, -1))


def test_logits_that_are_not_finite(plane):
    images, a, b = plane
    labels, sample = torch.zeros(7, dtype=torch.int64), torch.arange(7)
    with pytest.raises(InputError, match="NaN or infinite logits for 7 of 7"):
        surfaces(lambda x: x.flatten(1) * torch.nan, images, labels, sample, (a, b), (grid(3), grid(3)))
    partly = lambda x: torch.where((x - images[0]).abs().amax((1, 2, 3))[:, None] > 2, torch.inf, x.flatten(1))  # noqa: E731
    found = surfaces(partly, images, labels, sample, (a, b), (grid(3), grid(3, 30.0)))
    assert torch.isnan(found.decision[:, :, [0, 2]]).all()
    assert torch.isnan(found.cross_entropy[:, :, [0, 2]]).all()
    assert torch.isfinite(found.decision[:, 1, 1]).all()


def test_an_image_on_the_boundary(plane):
    images, a, b = plane
    labels = torch.zeros(7, dtype=torch.int64)
    constant = lambda x: torch.ones(len(x), 3)  # noqa: E731
    found = surfaces(constant, images, labels, torch.arange(7), (a, b), (grid(3), grid(3)))
    assert (found.decision == 0).all()
    torch.testing.assert_close(found.cross_entropy, torch.full((7, 3, 3), 3.0).log())


def test_the_grid():
    assert grid().tolist()[20] == 0
    assert (grid().min(), grid().max(), len(grid())) == (-2, 2, 41)
    none = torch.zeros(0, 1, 2, 3)
    empty = surfaces(
        two_classes(), none, torch.zeros(0, dtype=torch.int64), torch.arange(0), (none, none), (grid(3), grid(5))
    )
    assert empty.decision.shape == (0, 3, 5)


class Views(nn.Module):
    """Cannot take channels last: `view` needs its input in order."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.convolution(images).view(len(images), -1)[:, :5]


def test_a_model_that_needs_its_order_of_pixels_has_the_same_surfaces():
    model, count = Views().requires_grad_(False), 3
    images = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    first, second = (torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(at)) for at in (2, 3))
    labels, sample, steps = torch.tensor([0, 1, 4]), torch.arange(count), grid(5, 1.0)
    with pytest.raises(RuntimeError, match="view size"):
        model(images.contiguous(memory_format=torch.channels_last))
    found = surfaces(model, images, labels, sample, (first, second), (steps, steps))
    for i, at in enumerate(steps):
        for j, place in enumerate(steps):
            logits = model(images + at * first + place * second)
            torch.testing.assert_close(found.decision[:, i, j], margin(logits, labels), rtol=1e-4, atol=1e-5)
