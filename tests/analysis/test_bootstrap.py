"""Bootstrap: resamples against their theory, intervals by coverage, undefined values."""

import numpy as np
import pytest

from weakspot.analysis.attraction import attraction
from weakspot.analysis.bootstrap import (
    attraction_intervals,
    clustered_attraction_intervals,
    percentiles,
    resampled_errors,
    resampled_means,
)
from weakspot.analysis.intervals import clopper_pearson

from .conftest import SIZES

K = len(SIZES)


def test_means_have_the_moments_of_resampling():
    random = np.random.default_rng(0)
    label = random.permutation(np.repeat([0, 2, 3], [53, 19, 7]))
    values = random.random((79, 2))
    drawn = resampled_means(values, label, 4, draws=4000, seed=1)
    assert np.isnan(drawn[:, 1]).all()
    for c in (0, 2, 3):
        mine = values[label == c]
        deviation = mine.std(axis=0) / np.sqrt(len(mine))
        np.testing.assert_allclose(
            drawn[:, c].mean(axis=0), mine.mean(axis=0), atol=(4 * deviation / np.sqrt(4000)).max()
        )
        np.testing.assert_allclose(drawn[:, c].std(axis=0), deviation, rtol=0.06)
    # What belongs to one image stays together: the columns keep their correlation.
    mine = values[label == 0]
    assert np.corrcoef(drawn[:, 0].T)[0, 1] == pytest.approx(np.corrcoef(mine.T)[0, 1], abs=0.06)


def test_errors_have_the_moments_of_resampling(labelled):
    label, prediction = labelled
    positives, negatives = resampled_errors(label, prediction, K, draws=4000, seed=1)
    assert (positives.sum(axis=1) == negatives.sum(axis=1)).all()
    found = attraction(label, prediction, K)
    shares = np.array([[(prediction[label == i] == j).mean() if SIZES[i] else 0 for j in range(K)] for i in range(K)])
    variance = np.array(SIZES)[:, None] * shares * (1 - shares) * ~np.eye(K, dtype=bool)
    for drawn, expected, spread in (
        (positives, found.false_positives, variance.sum(axis=0)),
        (negatives, found.false_negatives, SIZES * found.false_negative_rate * (1 - found.false_negative_rate)),
    ):
        spread = np.nan_to_num(spread)
        assert (np.abs(drawn.mean(axis=0) - expected) <= 4.5 * np.sqrt(spread / 4000) + 1e-9).all()
        np.testing.assert_allclose(drawn.var(axis=0), spread, rtol=0.12)


def test_a_seed_names_the_draws():
    values, label = np.random.default_rng(2).random((11, 1)), np.zeros(11, int)
    found = resampled_means(values, label, 1, draws=50, seed=3)
    np.testing.assert_array_equal(found, resampled_means(values, label, 1, draws=50, seed=3))
    assert (found != resampled_means(values, label, 1, draws=50, seed=4)).any()


def test_a_class_too_large_for_one_part_is_resampled_in_several():
    values, label = np.random.default_rng(2).random((100_003, 1)), np.zeros(100_003, int)
    drawn = resampled_means(values, label, 1, draws=60, seed=3)[:, 0, 0]
    assert len(np.unique(drawn)) == 60
    assert drawn.mean() == pytest.approx(values.mean(), abs=5 * values.std() / np.sqrt(60 * 100_003))
    assert drawn.std() == pytest.approx(values.std() / np.sqrt(100_003), rel=0.35)


def test_percentiles_leave_undefined_draws_out():
    drawn = np.array([[1.0, np.nan, np.nan], [2.0, 5.0, np.nan], [3.0, 7.0, np.nan]])
    found = percentiles(drawn, level=1.0)
    np.testing.assert_array_equal(found.low, [1, 5, np.nan])
    np.testing.assert_array_equal(found.high, [3, 7, np.nan])


def test_intervals_of_shares_cover():
    random = np.random.default_rng(4)
    sizes = np.array([101, 97, 103, 89])
    truth = random.dirichlet([1, 1, 1, 1], 4) * 0.5 + np.eye(4) * 0.5
    expected = sizes[:, None] * truth * ~np.eye(4, dtype=bool)
    cfps, cfns = expected.sum(axis=0) / expected.sum(), expected.sum(axis=1) / expected.sum()
    label = np.repeat(np.arange(4), sizes)
    covered = []
    for run in range(300):
        prediction = np.concatenate([random.choice(4, n, p=row) for n, row in zip(sizes, truth, strict=True)])
        found = attraction_intervals(label, prediction, 4, seed=run, draws=300)
        covered.append(
            [(found.cfps.low <= cfps) & (cfps <= found.cfps.high), (found.cfns.low <= cfns) & (cfns <= found.cfns.high)]
        )
    assert np.mean(covered) > 0.93
    assert np.mean(covered, axis=0).min() > 0.9


def test_a_class_without_errors_has_an_upper_limit_above_zero():
    label = np.array([0] * 20 + [1] * 20 + [2] * 20)
    prediction = np.where(np.arange(60) % 4 == 0, 1, label)  # all errors fall on class 1, which makes none
    found = attraction_intervals(label, prediction, 3, seed=0)
    limit = clopper_pearson(np.array([0, 10, 0]), np.array([10, 10, 10]))
    np.testing.assert_array_equal(found.cfps.low, limit.low)
    np.testing.assert_array_equal(found.cfps.high, limit.high)
    assert found.cfns.low[1] == 0
    assert found.cfns.high[1] == pytest.approx(limit.high[0])
    assert (found.cfns.high[[0, 2]] < 1).all()


def test_a_class_without_samples_has_no_share_of_the_negatives():
    label = np.array([0] * 20 + [2] * 20)
    prediction = np.where(np.arange(40) % 4 == 0, 1, label)
    found = attraction_intervals(label, prediction, 3, seed=0)
    clustered = clustered_attraction_intervals(np.arange(40), label, prediction, 3, seed=0)
    for each in (found, clustered):
        assert np.isnan([each.cfns.low[1], each.cfns.high[1]]).all()
        assert not np.isnan([*each.cfns.low[[0, 2]], *each.cfns.high[[0, 2]], *each.cfps.low, *each.cfps.high]).any()


def test_without_errors_nothing_is_known():
    label = np.array([0, 1, 1])
    found = attraction_intervals(label, label, 2, seed=0, draws=10)
    assert np.isnan([found.cfps.low, found.cfps.high, found.cfns.low, found.cfns.high]).all()


def test_a_thousand_classes():
    random = np.random.default_rng(5)
    label = np.repeat(np.arange(1000), 10)
    prediction = np.where(random.random(10_000) < 0.5, label, random.integers(0, 1000, 10_000))
    found = attraction_intervals(label, prediction, 1000, seed=0, draws=50)
    cfps = attraction(label, prediction, 1000).cfps
    assert ((found.cfps.low <= cfps) & (cfps <= found.cfps.high)).mean() > 0.9


def test_rows_of_one_image_are_not_images(labelled):
    """Five equal rows of each image say no more than one: the limits are those of single rows."""
    label, prediction = labelled
    five = {
        "sample": np.tile(np.arange(len(label)), 5),
        "label": np.tile(label, 5),
        "prediction": np.tile(prediction, 5),
    }
    found = clustered_attraction_intervals(**five, classes=K, seed=1, draws=4000)
    single = attraction_intervals(label, prediction, K, seed=2, draws=4000)
    naive = attraction_intervals(five["label"], five["prediction"], K, seed=2, draws=400)
    for ours, once, rows in ((found.cfps, single.cfps, naive.cfps), (found.cfns, single.cfns, naive.cfns)):
        np.testing.assert_allclose(ours.low, once.low, atol=0.006)
        np.testing.assert_allclose(ours.high, once.high, atol=0.006)
        wider = ours.high - ours.low >= rows.high - rows.low
        np.testing.assert_array_equal(wider, ~np.isnan(once.low))  # CFNS of a class without samples has no limits


def test_an_image_is_resampled_with_all_its_rows():
    """A class with one image, wrong in two different ways: each resample holds both errors."""
    sample, label = np.array([4, 4, 9, 9]), np.array([0, 0, 1, 1])
    found = clustered_attraction_intervals(sample, label, np.array([1, 2, 1, 1]), 3, seed=0, draws=50)
    np.testing.assert_array_equal(found.cfps.low[1:], 0.5)
    np.testing.assert_array_equal(found.cfps.high[1:], 0.5)
    none = clustered_attraction_intervals(sample, label, label, 3, seed=0, draws=50)
    assert np.isnan([*none.cfps.low, *none.cfns.high]).all()
