"""Corruption tables against plain loops, and intervals that know an image appears many times."""

import numpy as np
import pytest

from weakspot.analysis.corruption import (
    clustered,
    corruptions,
    image_scores,
    mean_corruption_error,
    overall_slopes,
    relative_corruption_error,
    severity_slopes,
)
from weakspot.outcomes import Outcomes

from .conftest import SIZES, draw, rows_of

K = len(SIZES)
NAMES, SEVERITIES = ("fog", "snow(wind=2)", "blur"), (1, 3, 5)


def address(name: str, severity: int) -> str:
    return f"{name}@{severity}"


def corrupted(seed: int) -> Outcomes:
    """Three corruptions at three severities; an image that is wrong once is likely wrong again."""
    label, _ = draw(SIZES, seed)
    random = np.random.default_rng(seed)
    hardness = random.random(len(label))
    parts = []
    for severity in SEVERITIES:
        for place, name in enumerate(NAMES):
            right = hardness + 0.1 * random.random(len(label)) > 0.1 * severity + 0.05 * place
            prediction = np.where(right, label, (label + 1) % K)
            parts.append(rows_of(label, prediction, address(name, severity), severity=severity))
    return Outcomes.join(parts)


def test_table_against_a_plain_loop():
    rows = corrupted(seed=0)
    table = corruptions(rows, K)
    assert (table.names, table.severities) == (NAMES, SEVERITIES)
    for c, name in enumerate(NAMES):
        for s, severity in enumerate(SEVERITIES):
            mine = rows.of(address(name, severity))
            assert table.overall[c, s] == pytest.approx(mine.correct.mean())
            for k in range(K):
                hits = mine.correct[mine.label == k]
                assert (table.samples[c, s, k], table.correct[c, s, k]) == (len(hits), hits.sum())
                assert table.accuracy[c, s, k] == pytest.approx(hits.mean() if len(hits) else np.nan, nan_ok=True)
    for k in range(K):
        cells = [table.accuracy[c, s, k] for c in range(3) for s in range(3)]
        assert table.by_class()[k] == pytest.approx(np.mean(cells), nan_ok=True)
    np.testing.assert_allclose(table.by_corruption()[1], table.accuracy[1].mean(axis=0))
    np.testing.assert_allclose(table.by_severity()[2], table.accuracy[:, 2].mean(axis=0))


def test_slopes_against_polyfit():
    table = corruptions(corrupted(seed=1), K)
    slopes = severity_slopes(table)
    for c in range(3):
        for k in range(K):
            if SIZES[k]:
                expected = np.polyfit(SEVERITIES, table.accuracy[c, :, k], 1)[0]
                assert slopes[c, k] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(slopes[:, 8]).all()
    rows = corrupted(seed=1)
    assert np.isnan(severity_slopes(corruptions(rows.where(rows.severity == 3), K))).all()


def test_the_slope_of_all_images_is_of_their_accuracy():
    """Class sizes are unlike here, so the mean of the classes' slopes is another number."""
    rows = corrupted(seed=1)
    table = corruptions(rows, K)
    for c, name in enumerate(NAMES):
        line = [rows.of(address(name, severity)).correct.mean() for severity in SEVERITIES]
        assert overall_slopes(table)[c] == pytest.approx(np.polyfit(SEVERITIES, line, 1)[0])
        assert abs(overall_slopes(table)[c] - np.nanmean(severity_slopes(table)[c])) > 1e-4
    assert np.isnan(overall_slopes(corruptions(rows.where(rows.severity == 3), K))).all()


def test_errors_against_plain_formulas():
    ours, theirs = corruptions(corrupted(seed=2), K), corruptions(corrupted(seed=3), K)
    mce = np.mean([(1 - ours.overall[c]).sum() / (1 - theirs.overall[c]).sum() for c in range(3)])
    assert float(mean_corruption_error(ours.overall, theirs.overall)) == pytest.approx(mce)
    plain = mean_corruption_error(ours.overall, np.zeros((3, 3)))
    assert float(plain) == pytest.approx((1 - ours.overall).mean())
    added = [(0.9 - ours.overall[c]).sum() / (0.95 - theirs.overall[c]).sum() for c in range(3)]
    found = relative_corruption_error(ours.overall, 0.9, theirs.overall, 0.95)
    assert float(found) == pytest.approx(np.mean(added))
    by_class = mean_corruption_error(ours.accuracy, theirs.accuracy)
    assert by_class.shape == (K,)
    one = [(1 - ours.accuracy[c, :, 5]).sum() / (1 - theirs.accuracy[c, :, 5]).sum() for c in range(3)]
    assert by_class[5] == pytest.approx(np.mean(one))
    assert np.isnan(by_class[8])


def test_images_are_the_samples():
    rows = corrupted(seed=4)
    sample, label, score = image_scores(rows)
    assert len(sample) == sum(SIZES)
    for at in range(0, len(sample), 29):
        assert score[at] == pytest.approx(rows.correct[rows.sample == sample[at]].mean())
        assert label[at] == rows.label[rows.sample == sample[at]][0]
    found = clustered(rows, K, seed=0)
    assert found.overall == pytest.approx(rows.correct.mean())
    np.testing.assert_allclose(found.accuracy, corruptions(rows, K).by_class())
    deviation = score[label == 5].std() / np.sqrt(SIZES[5])
    width = found.interval.high[5] - found.interval.low[5]
    assert width == pytest.approx(2 * 1.96 * deviation, rel=0.1)
    assert found.interval.low[5] < found.accuracy[5] < found.interval.high[5]
    assert found.overall_low < found.overall < found.overall_high
    # Nine rows of an image are not nine images: the interval is far wider than one over rows.
    p = found.accuracy[5]
    assert width > 2 * 2 * 1.96 * np.sqrt(p * (1 - p) / (9 * SIZES[5]))


def test_an_image_that_lacks_a_corruption_is_left_out():
    rows = corrupted(seed=5)
    gone = (rows.sample == 17) & (rows.severity == 5)
    sample, _, _ = image_scores(rows.where(~gone))
    assert len(sample) == sum(SIZES) - 1
    assert 17 not in sample


def test_no_corruption_at_all():
    none = corrupted(seed=0).where(np.zeros(0, int))
    assert corruptions(none, 3).accuracy.shape == (0, 0, 3)
    found = clustered(none, 3, seed=0, draws=10)
    assert np.isnan([found.overall, found.overall_low, found.overall_high, *found.accuracy, *found.interval.low]).all()
