"""Intervals against scipy and statsmodels, at their ends, and by their coverage."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import proportion_confint

from weakspot.analysis.intervals import Interval, clopper_pearson, simultaneous, wilson


@pytest.mark.parametrize("level", [0.8, 0.95, 0.995])
@pytest.mark.parametrize(
    "interval, scipys, statsmodels", [(wilson, "wilson", "wilson"), (clopper_pearson, "exact", "beta")]
)
@pytest.mark.parametrize("samples", [1, 2, 7, 53, 1000])
def test_against_scipy_and_statsmodels(interval, scipys, statsmodels, level, samples):
    correct = np.unique(np.linspace(0, samples, 12).astype(int))
    ours = interval(correct, np.full_like(correct, samples), level)
    theirs = [binomtest(int(k), samples).proportion_ci(level, scipys) for k in correct]
    np.testing.assert_allclose(ours.low, [each.low for each in theirs], atol=1e-12)
    np.testing.assert_allclose(ours.high, [each.high for each in theirs], atol=1e-12)
    low, high = proportion_confint(correct, samples, 1 - level, statsmodels)
    np.testing.assert_allclose(ours.low, low, atol=1e-12)
    np.testing.assert_allclose(ours.high, high, atol=1e-12)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson, simultaneous])
def test_ends_are_exact_and_nothing_is_known_without_samples(interval):
    found = interval(np.array([0, 9, 0]), np.array([9, 9, 0]))
    assert found.low[0] == 0
    assert found.high[1] == 1
    assert 0 < found.high[0] < 1
    assert 0 < found.low[1] < 1
    assert np.isnan([found.low[2], found.high[2]]).all()


def test_one_count_gives_one_interval():
    found = wilson(3, 10)
    assert (float(found.low), float(found.high)) == pytest.approx(
        tuple(binomtest(3, 10).proportion_ci(method="wilson"))
    )


def test_simultaneous_divides_the_level_among_classes_that_have_samples():
    correct, samples = np.array([3, 4, 0, 5]), np.array([7, 11, 0, 13])
    expected = clopper_pearson(correct, samples, 1 - 0.05 / 3)
    np.testing.assert_array_equal(simultaneous(correct, samples).low, expected.low)


def exact_coverage(interval: Interval, samples: int, p: np.ndarray) -> np.ndarray:
    """The probability, under each p, of the counts whose interval holds p."""
    holds = (interval.low <= p[:, None]) & (p[:, None] <= interval.high)
    return (binom.pmf(np.arange(samples + 1), samples, p[:, None]) * holds).sum(axis=1)


@pytest.mark.parametrize("samples", [50, 100, 1000])
def test_wilson_covers_as_the_binomial_says(samples):
    p = np.linspace(0.05, 0.95, 181)
    counts = np.arange(samples + 1)
    exact = exact_coverage(wilson(counts, np.full_like(counts, samples)), samples, p)
    assert exact.mean() >= 0.945
    random = np.random.default_rng(samples)
    runs = 4000
    drawn = random.binomial(samples, p, (runs, len(p)))
    found = wilson(drawn, np.full_like(drawn, samples))
    simulated = ((found.low <= p) & (p <= found.high)).mean(axis=0)
    assert simulated.mean() >= 0.945
    error = np.sqrt(exact * (1 - exact) / runs)
    assert (np.abs(simulated - exact) <= 4.5 * error).all()


@pytest.mark.parametrize("samples", [50, 100, 1000])
def test_clopper_pearson_never_falls_below_its_level(samples):
    counts = np.arange(samples + 1)
    limits = clopper_pearson(counts, np.full_like(counts, samples))
    assert exact_coverage(limits, samples, np.linspace(0.001, 0.999, 499)).min() >= 0.95


PROFILES = {
    "equal": np.full(10, 0.5),
    "near tie": np.array([0.28, 0.30, 0.30, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8]),
    "clear": np.array([0.27, 0.36, 0.4, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8]),
}


@pytest.mark.parametrize("samples", [50, 100, 300, 1000])
@pytest.mark.parametrize("profile", PROFILES)
def test_simultaneous_limits_hold_for_all_classes_at_once(profile, samples):
    p = PROFILES[profile]
    random = np.random.default_rng([samples, len(profile)])
    drawn = random.binomial(samples, p, (2000, 10))
    covered = 0
    for correct in drawn:
        found = simultaneous(correct, np.full(10, samples))
        covered += bool(((found.low <= p) & (p <= found.high)).all())
    assert covered / len(drawn) >= 0.94
