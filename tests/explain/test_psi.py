"""Class figures of psi against plain loops; infinite and absent values."""

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as quick
from hypothesis import strategies as st

from weakspot.analysis.psi import psi_figures


def drawn(samples: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.lognormal(-3, 1.5, samples), random.integers(0, classes, samples)


def test_against_a_plain_loop():
    divergence, label = drawn(301, 4)
    overall, classes = psi_figures(divergence, label, 5, seed=0, draws=200)
    for c, found in enumerate(classes[:4]):
        mine = sorted(1 / d for d, y in zip(divergence, label, strict=True) if y == c)
        n = len(mine)
        assert found.samples == n
        assert found.inverse_mean.value == pytest.approx(1 / (sum(1 / p for p in mine) / n))
        assert found.mean.value == pytest.approx(sum(mine) / n)
        assert found.median.value == mine[(n - 1) // 2]
        assert found.low_quantile.value == mine[int(0.1 * (n - 1))]
        for each in (found.inverse_mean, found.median, found.low_quantile, found.mean):
            assert each.low < each.value < each.high
    assert classes[4].samples == 0
    assert isnan(classes[4].inverse_mean.value)
    assert isnan(classes[4].inverse_mean.low)
    assert overall.samples == 301
    assert overall.inverse_mean.value == pytest.approx(1 / divergence.mean())


def test_the_interval_is_that_of_the_mean():
    """Of many images the bootstrap of a mean is normal with the usual standard error."""
    divergence, label = np.random.default_rng(1).uniform(0.5, 1.5, 4000), np.zeros(4000, dtype=np.int64)
    overall, _ = psi_figures(divergence, label, 1, seed=0)
    half = 1.96 * divergence.std() / np.sqrt(4000)
    assert 1 / overall.inverse_mean.high == pytest.approx(divergence.mean() - half, rel=2e-3)
    assert 1 / overall.inverse_mean.low == pytest.approx(divergence.mean() + half, rel=2e-3)


def test_images_that_nothing_moves():
    overall, (some, none) = psi_figures(np.array([0, 0, 0.5, 0.25, 0, 0]), np.array([0, 0, 0, 0, 1, 1]), 2, seed=0)
    assert (some.still, none.still, overall.still) == (2, 2, 4)
    assert some.inverse_mean.value == pytest.approx(1 / 0.1875)
    assert some.mean.value == inf
    assert none.inverse_mean.value == none.median.value == inf
    assert isnan(none.inverse_mean.low)  # of two images
    assert some.low_quantile.value == 2.0
    assert overall.inverse_mean.value == pytest.approx(8)
    assert overall.inverse_mean.high == inf
    every, _ = psi_figures(np.zeros(9), np.zeros(9, dtype=np.int64), 1, seed=0)
    assert every.inverse_mean.low == every.low_quantile.high == inf


@quick(max_examples=25)
@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 5))
def test_psi_turns_with_its_unit(scale, seed):
    divergence, label = drawn(40, 3)
    one, _ = psi_figures(divergence, label, 3, seed, draws=50)
    other, _ = psi_figures(divergence * scale, label, 3, seed, draws=50)
    for first, last in ((one.inverse_mean, other.inverse_mean), (one.low_quantile, other.low_quantile)):
        assert last.value == pytest.approx(first.value / scale)
        assert (last.low, last.high) == pytest.approx((first.low / scale, first.high / scale))
