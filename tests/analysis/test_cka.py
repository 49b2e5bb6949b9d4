"""Linear CKA against kernels and quadruple loops; what must leave it as it is; its interval by leaving images out."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import ortho_group

from weakspot.analysis.cka import linear_cka


def drawn(n: int, first: int, second: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, first)) * np.arange(1, first + 1) + 3
    return x, x @ random.standard_normal((first, second)) + 4 * random.standard_normal((n, second))


def hsic(x: np.ndarray, y: np.ndarray) -> float:
    """The published estimate with linear kernels, by loops over pairs of images."""
    n = len(x)
    k = [[float((a - x.mean(0)) @ (b - x.mean(0))) for b in x] for a in x]
    l = [[float((a - y.mean(0)) @ (b - y.mean(0))) for b in y] for a in y]  # noqa: E741
    return sum(k[i][j] * l[i][j] for i in range(n) for j in range(n))


def unbiased(x: np.ndarray, y: np.ndarray) -> float:
    """The mean over all quadruples of different images of k(i,j) (l(i,j) + l(q,r) - 2 l(i,q))."""
    k, l = x @ x.T, y @ y.T  # noqa: E741
    return float(
        np.mean([k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in permutations(range(len(x)), 4)])
    )


def share(estimate, x: np.ndarray, y: np.ndarray) -> float:
    return estimate(x, y) / np.sqrt(estimate(x, x) * estimate(y, y))


@pytest.mark.parametrize("n, first, second", [(23, 3, 5), (9, 12, 4)])
def test_the_published_form_against_loops(n, first, second):
    x, y = drawn(n, first, second)
    assert linear_cka(x, y).value == pytest.approx(share(hsic, x, y))


@pytest.mark.parametrize("second", [1, 3])
def test_the_unbiased_form_and_its_jackknife_against_quadruples(second):
    x, y = drawn(8, 2, second)
    found = linear_cka(x, y)
    assert found.unbiased == pytest.approx(share(unbiased, x, y))
    left = [share(unbiased, np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(8)]
    left = np.clip(left, -1, 1)
    half = 1.959964 * np.sqrt(7 / 8 * ((left - left.mean()) ** 2).sum())
    limits = np.clip([found.unbiased - half, found.unbiased + half], -1, 1)
    assert (found.low, found.high) == pytest.approx(tuple(limits), rel=1e-4)


def test_identity_rotation_scale_and_origin():
    x, y = drawn(50, 7, 4)
    turn = ortho_group.rvs(7, random_state=0)
    one = linear_cka(x, y)
    for other in (x @ turn, 1e-4 * x, 1e6 * x, x + 100):
        same, changed = linear_cka(x, other), linear_cka(other, y)
        assert (same.value, same.unbiased) == pytest.approx((1, 1))
        assert (changed.value, changed.unbiased, changed.low) == pytest.approx((one.value, one.unbiased, one.low))
    back = linear_cka(y, x)
    assert (back.value, back.unbiased, back.high) == pytest.approx((one.value, one.unbiased, one.high))
    assert linear_cka(x, x).low == pytest.approx(1)
    assert 0 < one.low < one.unbiased < one.high < 1
    stretched = x * np.array([100.0, 1, 1, 1, 1, 1, 1])  # no rotation: only isotropic scale is free
    assert linear_cka(x, stretched).value < 0.9


def test_unrelated_features():
    """With fewer images than features the published form says 'alike'; the unbiased one is 0 on average."""
    random = np.random.default_rng(0)
    found = [linear_cka(*random.standard_normal((2, 30, 100))) for _ in range(40)]
    assert min(each.value for each in found) > 0.7
    assert np.mean([each.unbiased for each in found]) == pytest.approx(0, abs=0.03)
    assert np.mean([each.low <= 0 <= each.high for each in found]) > 0.85


def test_degenerate_features():
    x, y = drawn(20, 3, 2)
    for other in (np.full((20, 4), 1 / 3), np.zeros((20, 1))):
        found = linear_cka(x, other)
        assert np.isnan([found.value, found.unbiased, found.low, found.high]).all()
    for n in (0, 1, 4):
        assert np.isnan(linear_cka(x[:n], y[:n]).value)
    assert linear_cka(x[:5], x[:5]).unbiased == pytest.approx(1)
    half = linear_cka(x.astype(np.float32), y.astype(np.float32))
    assert half.value == pytest.approx(linear_cka(x, y).value, rel=1e-5)
