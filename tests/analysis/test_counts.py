"""Rates, confusion and attraction against plain loops and scikit-learn, and under permuted class names."""

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given
from hypothesis import strategies as st

from weakspot.analysis.attraction import attraction
from weakspot.analysis.confusion import confusion_cells, confusion_matrix, ranked_confusions
from weakspot.analysis.rates import by_class

from .conftest import SIZES

K = len(SIZES)


def test_rates_against_a_plain_loop(labelled):
    label, prediction = labelled
    rates = by_class(label, prediction, K)
    for c in range(K):
        hits = [bool(p == c) for y, p in zip(label, prediction, strict=True) if y == c]
        assert rates.samples[c] == SIZES[c] == len(hits)
        assert rates.correct[c] == sum(hits)
        assert rates.accuracy[c] == pytest.approx(np.mean(hits) if hits else np.nan, nan_ok=True)
    assert np.isnan(rates.accuracy[8])
    assert rates.overall == pytest.approx(oracle.accuracy_score(label, prediction))
    present = prediction != 8  # scikit-learn warns about predicted classes that have no samples
    some = by_class(label[present], prediction[present], K)
    assert some.balanced == pytest.approx(oracle.balanced_accuracy_score(label[present], prediction[present]))


def test_confusion_against_scikit_learn(labelled):
    label, prediction = labelled
    expected = oracle.confusion_matrix(label, prediction, labels=np.arange(K))
    matrix = confusion_matrix(label, prediction, K)
    assert (matrix == expected).all()
    cells = confusion_cells(label, prediction, K)
    rebuilt = np.zeros((K, K), int)
    rebuilt[cells.label, cells.prediction] = cells.count
    assert (rebuilt == expected).all()
    assert (cells.count > 0).all()


def test_ranked_confusions_against_a_sorted_list(labelled):
    label, prediction = labelled
    matrix = confusion_matrix(label, prediction, K)
    pairs = [(i, j) for i in range(K) for j in range(K) if i != j and matrix[i, j] > 0]
    pairs.sort(key=lambda pair: (-matrix[pair], pair))
    ranked = ranked_confusions(label, prediction, K)
    assert list(zip(ranked.source, ranked.target, strict=True)) == pairs
    assert ranked.count.tolist() == [matrix[pair] for pair in pairs]
    assert ranked.share_of_source == pytest.approx([matrix[i, j] / SIZES[i] for i, j in pairs])
    assert ranked.share_of_errors.sum() == pytest.approx(1)


def test_attraction_against_a_plain_loop(labelled):
    label, prediction = labelled
    found = attraction(label, prediction, K)
    errors = [(int(y), int(p)) for y, p in zip(label, prediction, strict=True) if y != p]
    assert found.errors == len(errors)
    for c in range(K):
        positives, negatives = sum(p == c for _, p in errors), sum(y == c for y, _ in errors)
        assert (found.false_positives[c], found.false_negatives[c]) == (positives, negatives)
        assert found.cfps[c] == pytest.approx(positives / len(errors))
        assert found.cfns[c] == pytest.approx(negatives / len(errors) if SIZES[c] else np.nan, nan_ok=True)
        assert found.false_positive_rate[c] == pytest.approx(positives / (len(label) - SIZES[c]))
    recall = 1 - by_class(label, prediction, K).accuracy
    np.testing.assert_allclose(found.false_negative_rate, recall)
    assert found.cfps.sum() == pytest.approx(1)
    assert np.nansum(found.cfns) == pytest.approx(1)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60),
    names=st.permutations(range(6)),
)
def test_new_names_permute_everything(pairs, names):
    label, prediction = np.array(pairs).T
    new = np.array(names)
    before, after = by_class(label, prediction, 6), by_class(new[label], new[prediction], 6)
    np.testing.assert_array_equal(after.accuracy[new], before.accuracy)
    assert after.balanced == pytest.approx(before.balanced)
    square = confusion_matrix(new[label], new[prediction], 6)
    assert (square[np.ix_(new, new)] == confusion_matrix(label, prediction, 6)).all()
    was, now = attraction(label, prediction, 6), attraction(new[label], new[prediction], 6)
    for field in ("cfps", "cfns", "false_positive_rate", "false_negative_rate"):
        np.testing.assert_array_equal(getattr(now, field)[new], getattr(was, field))
    if was.errors:
        assert was.cfps.sum() == pytest.approx(1)
    shares = {}
    ranked, renamed = ranked_confusions(label, prediction, 6), ranked_confusions(new[label], new[prediction], 6)
    for i, j, n in zip(ranked.source, ranked.target, ranked.count, strict=True):
        shares[(new[i], new[j])] = n
    assert shares == dict(zip(zip(renamed.source, renamed.target, strict=True), renamed.count, strict=True))


def test_without_errors_the_shares_are_undefined_and_the_rates_are_zero():
    label = np.array([0, 1, 1, 2])
    found = attraction(label, label, 4)
    assert found.errors == 0
    assert np.isnan(found.cfps).all()
    assert np.isnan(found.cfns).all()
    assert (found.false_positive_rate == 0).all()
    np.testing.assert_array_equal(found.false_negative_rate, [0, 0, 0, np.nan])
    assert len(ranked_confusions(label, label, 4).count) == 0


def test_everything_wrong():
    label = np.array([0, 0, 1, 2, 2, 2])
    rates = by_class(label, (label + 1) % 3, 3)
    assert (rates.accuracy == 0).all()
    assert rates.overall == rates.balanced == 0
    np.testing.assert_allclose(attraction(label, (label + 1) % 3, 3).cfps, [3 / 6, 2 / 6, 1 / 6])


def test_no_rows_at_all():
    none = np.array([], dtype=np.int32)
    rates = by_class(none, none, 2)
    assert np.isnan(rates.accuracy).all()
    assert np.isnan([rates.overall, rates.balanced]).all()
    assert np.isnan(attraction(none, none, 2).cfps).all()
    assert confusion_matrix(none, none, 2).tolist() == [[0, 0], [0, 0]]
    assert len(confusion_cells(none, none, 2).count) == 0


def test_one_class_has_no_others_to_take_samples_from():
    found = attraction(np.zeros(3, int), np.zeros(3, int), 1)
    assert np.isnan(found.false_positive_rate[0])


def test_a_thousand_classes():
    random = np.random.default_rng(0)
    label, prediction = random.integers(0, 1000, (2, 5003)).astype(np.int32)
    matrix = confusion_matrix(label, prediction, 1000)
    cells = confusion_cells(label, prediction, 1000)
    assert (matrix[cells.label, cells.prediction] == cells.count).all()
    assert cells.count.sum() == matrix.sum() == 5003
    assert ranked_confusions(label, prediction, 1000).share_of_errors.sum() == pytest.approx(1)
