"""The shortest way to a hyperplane inside the box, against a linear program and a quadratic one."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from weakspot.maths.balls import distance
from weakspot.maths.hyperplane import to_hyperplane

pixel = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1))
weight = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 1e-8]), st.floats(-3, 3))
pairs = st.lists(st.tuples(pixel, weight), min_size=1, max_size=6)


def images(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def reachable(points, weights):
    """The smallest and largest change of the weighted sum that [0, 1] allows."""
    low = np.minimum(-weights * points, weights * (1 - points)).sum()
    return low, np.maximum(-weights * points, weights * (1 - points)).sum()


@given(pairs=pairs, share=st.floats(-1, 1))
def test_linf_against_a_linear_program(pairs, share):
    points, weights = np.array(pairs).T
    low, high = reachable(points, weights)
    gap = 0.98 * share * (high if share > 0 else -low)
    found = to_hyperplane(images(points), images(weights), torch.tensor([gap], dtype=torch.float64), "linf")
    size = len(points)  # unknowns: delta, and its largest size
    limit = np.block([[np.eye(size), -np.ones((size, 1))], [-np.eye(size), -np.ones((size, 1))]])
    best = linprog(
        np.r_[np.zeros(size), 1],
        A_ub=limit,
        b_ub=np.zeros(2 * size),
        A_eq=np.r_[weights, 0][None],
        b_eq=[gap],
        bounds=[*zip(-points, 1 - points, strict=True), (0, None)],
    )
    assert best.status == 0
    assert distance(found, "linf").item() == pytest.approx(best.fun, abs=1e-6)
    assert (images(weights) * found).sum().item() == pytest.approx(gap, abs=1e-9)


@given(pairs=pairs, share=st.floats(-1, 1))
def test_l2_against_a_quadratic_program(pairs, share):
    points, weights = np.array(pairs).T
    weights = np.where(np.abs(weights) < 1e-3, 0, weights)  # SLSQP needs a constraint that is not nearly flat
    assume(np.abs(weights).max() > 0)
    low, high = reachable(points, weights)
    gap = 0.98 * share * (high if share > 0 else -low)
    found = to_hyperplane(images(points), images(weights), torch.tensor([gap], dtype=torch.float64), "l2")
    best = minimize(
        lambda delta: delta @ delta,
        np.zeros(len(points)),
        jac=lambda delta: 2 * delta,
        bounds=list(zip(-points, 1 - points, strict=True)),
        constraints={"type": "eq", "fun": lambda delta: weights @ delta - gap, "jac": lambda delta: weights},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert (images(weights) * found).sum().item() == pytest.approx(gap, abs=1e-9)
    length = distance(found, "l2").item()
    if best.success and abs(weights @ best.x - gap) < 1e-9:
        assert length == pytest.approx(np.sqrt(best.fun), abs=2e-5)
    # Karush, Kuhn and Tucker: pixels that are not stopped share one multiplier, stopped ones need less.
    moved, free = found.flatten().numpy(), np.abs(weights) > 0
    end = np.where(weights * gap > 0, 1 - points, points)
    stopped = np.abs(moved) >= end - 1e-12
    ratios = np.abs(moved[free & ~stopped] / weights[free & ~stopped])
    if len(ratios):
        assert ratios == pytest.approx(ratios[0], rel=1e-6, abs=1e-9)
        assert (np.abs(moved[free & stopped]) <= ratios[0] * np.abs(weights[free & stopped]) + 1e-9).all()


@given(pairs=pairs, excess=st.floats(0.1, 10), sign=st.sampled_from([-1, 1]), norm=st.sampled_from(["linf", "l2"]))
def test_what_cannot_be_reached_ends_in_the_nearest_corner(pairs, excess, sign, norm):
    points, weights = np.array(pairs).T
    assume(np.all((weights == 0) | (np.abs(weights) > 1e-3)))
    low, high = reachable(points, weights)
    gap = high + excess if sign > 0 else low - excess
    found = to_hyperplane(images(points), images(weights), torch.tensor([gap], dtype=torch.float64), norm)
    direction = np.sign(weights) * sign
    corner = np.where(direction == 0, points, (direction > 0).astype(float))
    assert (images(points) + found).flatten().numpy() == pytest.approx(corner, abs=1e-12)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_images_do_not_depend_on_their_batch_and_float32_stays_close(norm):
    draw = torch.Generator().manual_seed(0)
    points = torch.rand(40, 3, 8, 8, generator=draw, dtype=torch.float64)
    points[:, :, ::2] = points[:, :, ::2].round()
    weights = torch.randn(40, 3, 8, 8, generator=draw, dtype=torch.float64) ** 5
    gap = 20 * torch.randn(40, generator=draw, dtype=torch.float64)
    gap[0], weights[1] = 0, 0
    found = to_hyperplane(points, weights, gap, norm)
    assert (found[:2] == 0).all()
    each = [to_hyperplane(points[i : i + 1], weights[i : i + 1], gap[i : i + 1], norm) for i in range(40)]
    assert torch.equal(torch.cat(each), found)
    assert (points + found).min() >= 0
    assert (points + found).max() <= 1
    single = to_hyperplane(points.float(), weights.float(), gap.float(), norm)
    torch.testing.assert_close(single.double(), found, rtol=0, atol=1e-5)


def test_l1_is_not_claimed():
    with pytest.raises(ValueError, match="linf and l2"):
        to_hyperplane(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2), torch.ones(1), "l1")
