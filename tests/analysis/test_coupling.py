"""CFPS and accuracy against the null of quasi-independent errors; attractors, leaks, split halves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact

from weakspot.analysis.attraction import attraction
from weakspot.analysis.confusion import confusion_matrix
from weakspot.analysis.coupling import attractiveness, clustered_roles, coupling, roles, split_half
from weakspot.analysis.paired import holm

from .conftest import SIZES

K = len(SIZES)


def model(random, sizes, error, attraction):
    """Labels and predictions with these error rates, whose errors go elsewhere in proportion to `attraction`."""
    classes = len(sizes)
    label = np.repeat(np.arange(classes), sizes)
    prediction = label.copy()
    for i in range(classes):
        share = np.where(np.arange(classes) == i, 0, attraction)
        wrong = (label == i) & (random.random(len(label)) < error[i])
        prediction[wrong] = random.choice(classes, wrong.sum(), p=share / share.sum())
    return label, prediction


def test_attractiveness_fits_both_margins(labelled):
    label, prediction = labelled
    found = attraction(label, prediction, K)
    effect = attractiveness(found.false_positives, found.false_negatives)
    assert effect.sum() == pytest.approx(1)
    # Iterative proportional fitting of the whole table, diagonal fixed at 0, as the oracle.
    table = 1.0 - np.eye(K)
    for _ in range(3000):
        for margin, axis in ((found.false_negatives, 1), (found.false_positives, 0)):
            total = table.sum(axis=axis)
            scale = np.divide(margin, total, out=np.zeros(K), where=total > 0)
            table = table * (scale[:, None] if axis == 1 else scale)
    sent = found.false_negatives / np.where(effect < 1, 1 - effect, 1)
    ours = sent[:, None] * effect * (1 - np.eye(K))
    np.testing.assert_allclose(ours, table, atol=1e-6)


def test_attractiveness_is_freed_from_the_coupling():
    random = np.random.default_rng(0)
    error = np.linspace(0.1, 0.9, 8)
    label, prediction = model(random, np.full(8, 20_011), error, np.ones(8))
    found = attraction(label, prediction, 8)
    # No class attracts, and yet CFPS ranks the classes exactly as their accuracy does.
    result = coupling(label, prediction, 8, seed=0, draws=200)
    assert result.over_classes.value > 0.95
    assert result.null_low <= result.over_classes.value <= result.null_high
    assert result.p > 0.05
    np.testing.assert_allclose(result.attractiveness, 1 / 8, atol=0.01)
    assert found.cfps[0] > 1.15 * found.cfps[-1]


def test_the_null_is_rejected_as_often_as_the_level_says():
    random = np.random.default_rng(1)
    p = []
    for run in range(120):
        taste = random.dirichlet(np.full(10, 3.0))
        label, prediction = model(random, np.full(10, 97), random.uniform(0.3, 0.8, 10), taste)
        p.append(coupling(label, prediction, 10, seed=run, draws=150).p)
    assert (np.array(p) < 0.05).mean() < 0.1
    assert (np.array(p) < 0.5).mean() > 0.35


def test_attraction_by_the_weak_is_found():
    random = np.random.default_rng(2)
    error = np.linspace(0.1, 0.8, 10)
    label, prediction = model(random, np.full(10, 499), error, error**3)
    found = coupling(label, prediction, 10, seed=0)
    assert found.over_classes.value < -0.6
    assert found.over_images.high < 0
    assert found.p < 0.01
    assert found.null_low > found.over_classes.value
    assert found.uncoupled.value < -0.9
    assert found.over_images.resampled == "images"


def test_new_names_change_no_correlation(labelled):
    label, prediction = labelled
    names = np.random.default_rng(3).permutation(K)
    before = coupling(label, prediction, K, seed=0, draws=50)
    after = coupling(names[label], names[prediction], K, seed=0, draws=50)
    assert after.over_classes.value == pytest.approx(before.over_classes.value)
    np.testing.assert_allclose(after.attractiveness[names], before.attractiveness, atol=1e-9)
    was, now = roles(label, prediction, K), roles(names[label], names[prediction], K)
    np.testing.assert_allclose(now.attracts_p[names], was.attracts_p)
    np.testing.assert_allclose(now.leaks_p[names], was.leaks_p)


@settings(max_examples=40)
@given(pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=25))
def test_nothing_crashes_on_few_errors(pairs):
    label, prediction = np.array(pairs).T
    found = coupling(label, prediction, 4, seed=0, draws=20)
    assert np.isnan(found.p) or 0 < found.p <= 1
    total = found.attractiveness.sum()
    assert np.isnan(total) or total == pytest.approx(1)
    roles(label, prediction, 4)
    split_half(label, prediction, 4, seed=0, splits=3)


def test_roles_against_scipy(labelled):
    label, prediction = labelled
    matrix = confusion_matrix(label, prediction, K)
    errors = matrix.sum() - np.trace(matrix)
    attracts, leaks = [], []
    for c in range(K):
        received, lost = matrix[:, c].sum() - matrix[c, c], matrix[c].sum() - matrix[c, c]
        attracts.append(binomtest(int(received), int(errors - lost), 1 / (K - 1), "greater").pvalue)
        table = [[lost, SIZES[c] - lost], [errors - lost, sum(SIZES) - SIZES[c] - errors + lost]]
        leaks.append(fisher_exact(table, "greater").pvalue if SIZES[c] else np.nan)
    found = roles(label, prediction, K)
    np.testing.assert_allclose(found.attracts_p, holm(np.array(attracts)))
    np.testing.assert_allclose(found.leaks_p, holm(np.array(leaks)))
    assert found.expected_false_positives.sum() == pytest.approx(errors)
    assert found.expected_false_negatives.sum() == pytest.approx(errors)


def test_roles_of_a_planted_attractor_and_a_planted_leak():
    random = np.random.default_rng(4)
    taste, error = np.full(6, 1.0), np.full(6, 0.3)
    taste[2], error[4] = 4.0, 0.7
    label, prediction = model(random, np.full(6, 307), error, taste)
    found = roles(label, prediction, 6)
    assert (found.attracts_p < 0.05).tolist() == [False, False, True, False, False, False]
    assert (found.leaks_p < 0.05).tolist() == [False, False, False, False, True, False]


def test_split_half_parts_common_noise_from_a_relation():
    random = np.random.default_rng(5)
    # All classes alike: only noise, so halves do not agree.
    label, prediction = model(random, np.full(10, 101), np.full(10, 0.5), np.ones(10))
    noise = split_half(label, prediction, 10, seed=0)
    assert abs(noise.cfps) < 0.5
    label, prediction = model(random, np.full(10, 1009), np.linspace(0.2, 0.8, 10), np.linspace(1, 5, 10))
    real = split_half(label, prediction, 10, seed=0)
    assert real.cfps > 0.9
    assert real.accuracy > 0.9
    assert real.crossed < -0.9
    assert real == split_half(label, prediction, 10, seed=0)


def test_without_errors_and_with_few_classes():
    label = np.array([0, 1, 2, 0])
    found = coupling(label, label, 3, seed=0, draws=10)
    assert np.isnan([found.over_classes.value, found.over_images.value, found.p, found.null_mean]).all()
    assert np.isnan(split_half(label, label, 3, seed=0, splits=2).cfps)
    two = coupling(np.array([0, 0, 1]), np.array([0, 1, 0]), 2, seed=0, draws=10)
    assert np.isnan(two.attractiveness).all()
    alone = roles(np.zeros(3, int), np.zeros(3, int), 1)
    assert np.isnan(alone.attracts_p).all()
    assert (roles(label, label, 3).attracts_p == 1).all()


def test_roles_where_an_image_has_several_rows(labelled):
    """Five equal rows of each image are no more evidence than one; the expected counts are of rows."""
    label, prediction = labelled
    five = np.tile(np.arange(len(label)), 5), np.tile(label, 5), np.tile(prediction, 5)
    found, single = clustered_roles(*five, K), roles(label, prediction, K)
    np.testing.assert_array_equal(found.attracts_p, single.attracts_p)
    np.testing.assert_array_equal(found.leaks_p, single.leaks_p)
    np.testing.assert_allclose(found.expected_false_positives, 5 * single.expected_false_positives)
    np.testing.assert_allclose(found.expected_false_negatives, 5 * single.expected_false_negatives)
    once = clustered_roles(np.arange(len(label)), label, prediction, K)
    np.testing.assert_array_equal(once.attracts_p, single.attracts_p)
    without = clustered_roles(*five[:2], five[1], K)
    assert (without.attracts_p == 1).all()


def test_chance_makes_no_roles_of_rows_that_belong_together():
    """Where all classes are alike, at most one run in twenty has an attractor, though an image's errors go together."""
    random = np.random.default_rng(0)
    false = 0
    for _ in range(300):
        label = np.repeat(np.arange(6), 40)
        other = (label + random.integers(1, 6, 240)) % 6
        hard = random.random(240)
        rows = [np.where(random.random(240) < hard**2, other, label) for _ in range(8)]
        found = clustered_roles(np.tile(np.arange(240), 8), np.tile(label, 8), np.concatenate(rows), 6)
        false += bool((found.attracts_p < 0.05).any())
    assert false <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05 * 0.95)
