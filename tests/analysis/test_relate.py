"""Rank correlations against scipy and by coverage; the regression against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import spearmanr, t

from weakspot.analysis.relate import (
    Correlation,
    image_correlation,
    over_models,
    rank_correlation,
    regress,
    shared_worst,
    spearman,
)


@pytest.mark.parametrize("classes", [5, 10, 101])
def test_spearman_against_scipy(classes):
    random = np.random.default_rng(classes)
    x, y = random.random((2, 7, classes))
    x = np.round(x, 1)  # ties
    found = spearman(x, y)
    for row in range(7):
        assert found[row] == pytest.approx(spearmanr(x[row], y[row]).statistic)
    x[:, 1] = np.nan
    assert spearman(x, y)[2] == pytest.approx(spearmanr(np.delete(x[2], 1), np.delete(y[2], 1)).statistic)


def test_undefined_correlations():
    flat, some = np.full(6, 0.5), np.arange(6.0)
    assert np.isnan(spearman(flat, some))
    assert np.isnan(rank_correlation(flat, some).value)
    assert np.isnan(spearman(np.full(6, np.nan), some))
    assert np.isnan(spearman(some[:1], some[:1]))
    few = rank_correlation(np.array([1.0, 2, 3, 4, np.nan]), np.array([1.0, 3, 2, 4, 5]))
    assert (few.value, few.low, few.high, few.count) == (pytest.approx(0.8), -1, 1, 4)
    whole = rank_correlation(some, some)
    assert (whole.value, whole.low, whole.high) == (1, -1, 1)
    one_draw_lost = np.stack([some, np.full(6, np.nan), some[::-1]])
    np.testing.assert_allclose(spearman(one_draw_lost, some), [1, np.nan, -1])


@pytest.mark.parametrize("classes, strength", [(10, 0.0), (10, 0.6), (100, 0.6)])
def test_the_interval_over_classes_covers(classes, strength):
    random = np.random.default_rng(classes)
    truth = 6 / np.pi * np.arcsin(strength / 2)  # Spearman's value of a bivariate normal
    covered = []
    for _ in range(600):
        x = random.standard_normal(classes)
        y = strength * x + np.sqrt(1 - strength**2) * random.standard_normal(classes)
        found = rank_correlation(x, y)
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) > 0.93


def test_the_interval_over_images_is_of_the_draws():
    random = np.random.default_rng(0)
    x, y = random.random((2, 12))
    x_draws, y_draws = x + 0.1 * random.standard_normal((500, 12)), y + 0.1 * random.standard_normal((500, 12))
    found = image_correlation(x, y, x_draws, y_draws)
    each = [spearmanr(a, b).statistic for a, b in zip(x_draws, y_draws, strict=True)]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(each, [0.025, 0.975])))
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert found.resampled == "images"


def test_over_models():
    values = [0.2, 0.5, 0.7, np.nan]
    found = over_models([Correlation(v, -1.0, 1.0, 10, "classes") for v in values])
    z = np.arctanh(values[:3])
    low, high = t(2, z.mean(), z.std(ddof=1) / np.sqrt(3)).interval(0.95)
    assert (found.value, found.low, found.high) == pytest.approx((np.tanh(z.mean()), np.tanh(low), np.tanh(high)))
    assert (found.count, found.resampled) == (3, "models")
    one = over_models([Correlation(0.3, -1.0, 1.0, 10, "classes")])
    assert one.value == pytest.approx(0.3)
    assert np.isnan([one.low, one.high]).all()
    assert np.isnan(over_models([]).value)


def test_regression_against_statsmodels():
    random = np.random.default_rng(1)
    x = random.standard_normal((13, 3))
    y = x @ [0.5, -1.0, 0.0] + random.standard_normal(13)
    x[4, 1] = np.nan
    found = regress(y, {"distance": x[:, 0], "hardness": 10 * x[:, 1], "samples": x[:, 2] - 7})
    rows = np.delete(np.arange(13), 4)
    scale = lambda v: (v - v.mean(axis=0)) / v.std(axis=0, ddof=1)  # noqa: E731
    design, response = sm.add_constant(scale(x[rows])), scale(y[rows])
    theirs = sm.OLS(response, design).fit()
    np.testing.assert_allclose(found.coefficient, theirs.params[1:])
    np.testing.assert_allclose(np.stack([found.low, found.high], axis=1), theirs.conf_int()[1:])
    assert found.r2 == pytest.approx(theirs.rsquared)
    assert (found.classes, found.freedom) == (12, 8)
    for j in range(3):
        without = sm.OLS(response, np.delete(design, j + 1, axis=1)).fit().rsquared
        assert found.unique[j] == pytest.approx(theirs.rsquared - without)
    wrong, base = [], []
    for i in range(12):
        rest = np.delete(np.arange(12), i)
        wrong.append(response[i] - sm.OLS(response[rest], design[rest]).fit().predict(design[i : i + 1])[0])
        base.append(response[i] - response[rest].mean())
    assert found.r2_left_out == pytest.approx(1 - np.sum(np.square(wrong)) / np.sum(np.square(base)))


def test_a_regression_that_is_not_determined():
    y = np.array([1.0, 2, 4, 3, 5])
    x = np.array([2.0, 1, 5, 4, 3])
    for variables in ({"a": x, "b": 2 * x}, {"a": np.full(5, 3.0)}, {str(i): x**i for i in range(1, 5)}):
        found = regress(y, variables)
        assert np.isnan(found.coefficient).all()
        assert np.isnan([found.r2, found.r2_left_out]).all()
        assert found.classes == 5
    assert regress(np.full(5, np.nan), {"a": x}).classes == 0


@pytest.mark.parametrize("classes", [2, 3])
def test_below_four_classes_there_is_no_rank_correlation(classes):
    """Two classes give -1 or 1, whatever is ranked."""
    x, y = np.arange(classes, dtype=float), -np.arange(classes, dtype=float)
    draws = np.tile(x, (50, 1))
    for found in (rank_correlation(x, y), image_correlation(x, y, draws, -draws)):
        assert np.isnan([found.value, found.low, found.high]).all()
        assert found.count == classes
    assert np.isnan(rank_correlation(np.append(x, np.full(5, np.nan)), np.append(y, np.arange(5.0))).value)


def test_the_weakest_classes_are_undefined_where_the_next_one_is_equal():
    tied, other = np.array([0.0, 0, 0, 0, 0.7]), np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    for k in (1, 2, 3):
        assert shared_worst(tied, other, k) is None
        assert shared_worst(other, tied, k) is None
    assert shared_worst(tied, other, 4) == 4
    assert shared_worst(tied, other, 5) == 5
    inside = np.array([0.1, 0.1, 0.2, 0.3, 0.3])  # equal ones that are both in, or both out, do no harm
    assert shared_worst(inside, other, 2) == 2
    assert shared_worst(inside, other, 3) == 3


def test_shared_worst_classes():
    attacked, corrupted = np.array([0.3, 0.1, np.nan, 0.2, 0.9]), np.array([0.6, 0.5, 0.0, 0.8, 0.7])
    assert [shared_worst(attacked, corrupted, k) for k in (1, 2, 3, 4)] == [1, 1, 2, 4]
    random = np.random.default_rng(0)
    by_chance = [shared_worst(*random.random((2, 20)), 5) for _ in range(500)]
    assert np.mean(by_chance) == pytest.approx(25 / 20, abs=0.2)
