"""Projections and steps, by property and against a general-purpose optimiser."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakspot.maths.balls import distance, project, start_noise, steepest

NORMS = ["linf", "l2"]
vectors = st.lists(st.floats(-5, 5), min_size=1, max_size=8).map(
    lambda v: torch.tensor(v, dtype=torch.float64).view(1, 1, 1, -1)
)


@given(delta=vectors, norm=st.sampled_from(NORMS), size=st.floats(0.01, 10))
def test_projection(delta, norm, size):
    radius = delta.new_tensor([size])
    inside = project(delta, radius, norm)
    assert distance(inside, norm) <= radius * (1 + 1e-9)
    torch.testing.assert_close(project(inside, radius, norm), inside)
    if distance(delta, norm) <= radius:
        torch.testing.assert_close(inside, delta)


@given(delta=vectors, other=vectors, norm=st.sampled_from(NORMS), size=st.floats(0.01, 3))
def test_projection_is_the_nearest_point(delta, other, norm, size):
    """No other point of the ball is nearer in l2 (both projections are Euclidean)."""
    if delta.shape != other.shape:
        other = torch.zeros_like(delta)
    radius = delta.new_tensor([size])
    rival = project(other, radius, norm)
    assert (delta - project(delta, radius, norm)).norm() <= (delta - rival).norm() + 1e-9


@given(gradient=vectors, norm=st.sampled_from(NORMS), draws=st.integers(0, 100))
def test_steepest_beats_random_steps_of_norm_one(gradient, norm, draws):
    step = steepest(gradient, norm)
    if gradient.abs().max() < 1e-6:
        return
    assert distance(step, norm) <= 1 + 1e-9
    noise = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(draws), dtype=torch.float64)
    rival = noise / distance(noise, norm)
    assert (gradient * step).sum() >= (gradient * rival).sum() - 1e-9


@pytest.mark.parametrize("norm", NORMS)
def test_start_noise_fills_its_ball(norm):
    images = torch.zeros(3000, 1, 2, 2)
    radius = torch.linspace(0.1, 1, 3000)
    noise = start_noise(images, radius, norm, torch.arange(3000), 0)
    share = distance(noise, norm) / radius
    assert share.max() <= 1 + 1e-6
    # In four dimensions the radius of a uniform point has the distribution function r^4 in either norm.
    assert (share**4).mean() == pytest.approx(0.5, abs=4 * (1 / 12 / 3000) ** 0.5)


@pytest.mark.parametrize("function", [project, steepest])
def test_no_l1_geometry_is_claimed(function):
    images = torch.ones(1, 1, 2, 2)
    arguments = (images, torch.ones(1), "l1") if function is project else (images, "l1")
    with pytest.raises(ValueError, match="linf and l2"):
        function(*arguments)
