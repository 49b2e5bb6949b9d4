"""Groups, class means and correlations with training counts, against plain loops on groups of coprime sizes."""

from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from weakspot.analysis.class_means import class_mean
from weakspot.analysis.imbalance import GROUPS, checked, groups, under_imbalance, uneven
from weakspot.analysis.intervals import wilson
from weakspot.analysis.measures import run_measures
from weakspot.analysis.scores import Scores
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes

SIZES = (7, 11, 13, 17, 19, 23, 29)
"""Images of each class: no two share a factor, so no mistake of alignment can hide."""
TRAINED = (2, 90, 90, 4000, 31, 500, 8)
"""Training samples, in no order; the classes 1 and 2 are equals."""


def audit(seed=0):
    """Clean and robust rows: some samples are wrong when clean, others fall, one is "corrected" by the attack."""
    draw = np.random.default_rng(seed)
    label = np.repeat(np.arange(7), SIZES)
    draw.shuffle(label)
    fate = draw.choice(3, len(label), p=[0.2, 0.3, 0.5])
    stray = (label + draw.integers(1, 7, len(label))) % 7
    number = np.arange(len(label))
    clean = Outcomes.build(sample=number, label=label, threat="clean", prediction=np.where(fate == 0, stray, label),
                           correct=fate != 0)  # fmt: skip
    robust = Outcomes.build(sample=number, label=label, threat="robust", prediction=np.where(fate == 2, label, stray),
                            correct=fate == 2)  # fmt: skip
    return clean, robust


def scored(rows):
    return Scores(rows.sample, rows.label, rows.correct.astype(float))


def test_groups_by_hand():
    names = [GROUPS[at] for at in groups(checked(TRAINED, 7))]
    # From the most frequent: 3, 5, then 1 and 2 together, 4, 6, 0.
    assert names == ["tail", "medium", "medium", "head", "medium", "head", "tail"]


@pytest.mark.parametrize(
    "counts, sizes",
    [
        ([5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100], (3, 4, 3)),
        ([400] * 5 + [8] * 5, (5, 0, 5)),
        ([500 - c for c in range(100)], (33, 34, 33)),
        ([9, 1], (1, 0, 1)),
        ([3, 2, 1], (1, 1, 1)),
        ([4, 3, 2, 1], (1, 2, 1)),
        ([5, 5, 5], (0, 3, 0)),
        ([7] * 8 + [1, 0], (0, 8, 2)),
    ],
)
def test_sizes_of_groups(counts, sizes):
    found = groups(checked(counts, len(counts)))
    assert tuple(np.bincount(found, minlength=3)) == sizes


@given(st.lists(st.integers(0, 40), min_size=2, max_size=60), st.randoms(use_true_random=False))
def test_groups_are_ordered_fair_and_blind_to_numbering(counts, random):
    counts = np.array(counts)
    found = groups(counts)
    for one in range(len(counts)):
        for two in range(len(counts)):
            if counts[one] > counts[two]:
                assert found[one] <= found[two]
            if counts[one] == counts[two]:
                assert found[one] == found[two]
    if len(set(counts.tolist())) == len(counts) > 2:  # without ties the head and the tail are equally many
        sizes = np.bincount(found, minlength=3)
        assert sizes[0] == sizes[2]
        assert abs(sizes[1] - sizes[0]) <= 2
    order = list(range(len(counts)))
    random.shuffle(order)
    assert (groups(counts[order]) == found[order]).all()


def test_what_is_even():
    assert not uneven(np.array([112, 112, 111]))
    assert uneven(np.array([113, 112, 111]))


@pytest.mark.parametrize("counts, says", [([1, 2], "got 2 numbers;"), ([1, 2, -3], "with one below 0;")])
def test_counts_that_disagree_are_refused(counts, says):
    with pytest.raises(InputError, match=f"for each of 3 classes, .*{says}"):
        checked(counts, 3)


def group_by_loop(members, clean, robust):
    """Accuracy, natural and boundary error and false positive rate, each meaned over classes, one row at a time."""
    rates = {name: [] for name in ("accuracy", "natural", "boundary", "positive")}
    for c in members:
        mine = [i for i in range(len(clean.sample)) if clean.label[i] == c]
        rates["accuracy"].append(sum(robust.prediction[i] == c for i in mine) / len(mine))
        rates["natural"].append(sum(clean.prediction[i] != c for i in mine) / len(mine))
        fell = [i for i in mine if clean.prediction[i] == c and robust.prediction[i] != c]
        rates["boundary"].append(len(fell) / len(mine))
        others = [i for i in range(len(clean.sample)) if clean.label[i] != c]
        rates["positive"].append(sum(robust.prediction[i] == c for i in others) / len(others))
    return {name: sum(found) / len(found) for name, found in rates.items()}


@pytest.mark.parametrize("seed", range(4))
def test_groups_against_a_plain_loop(seed):
    clean, robust = audit(seed)
    found = under_imbalance(scored(robust), checked(TRAINED, 7), 0, robust, clean, draws=50)
    expected = [(3, 5), (1, 2, 4), (0, 6)]
    assert [group.classes for group in found.groups] == [tuple(sorted(members)) for members in expected]
    for members, group in zip(expected, found.groups, strict=True):
        loop = group_by_loop(members, clean, robust)
        assert group.accuracy.value == pytest.approx(loop["accuracy"])
        assert group.natural_error.value == pytest.approx(loop["natural"])
        assert group.boundary_error.value == pytest.approx(loop["boundary"])
        assert group.false_positive_rate.value == pytest.approx(loop["positive"])
        assert group.accuracy.value + group.natural_error.value + group.boundary_error.value == pytest.approx(1)
        assert group.training == sum(TRAINED[c] for c in members)
        assert group.samples == sum(SIZES[c] for c in members)
        for each in (group.accuracy, group.natural_error, group.boundary_error, group.false_positive_rate):
            assert 0 <= each.low < each.value < each.high <= 1
    head, _, tail = (group.accuracy.value for group in found.groups)
    assert found.gap.value == pytest.approx(head - tail)
    shares = [np.mean(robust.correct[robust.label == c]) for c in range(7)]
    assert found.balanced.value == pytest.approx(np.mean(shares))
    assert found.accuracy.value == pytest.approx(stats.spearmanr(TRAINED, shares).statistic)
    rates = [group_by_loop([c], clean, robust)["positive"] for c in range(7)]
    assert found.attraction.value == pytest.approx(stats.spearmanr(TRAINED, rates).statistic)
    for each in (found.accuracy_images, found.attraction_images):
        assert -1 <= each.low <= each.high <= 1
        assert each.resampled == "images"


def test_the_balanced_interval_is_the_one_that_gates_are_judged_by():
    _, robust = audit()
    gate = run_measures({"robust": scored(robust)}, list("abcdefg"), 0, 50)["balanced_robust"]
    found = under_imbalance(scored(robust), checked(TRAINED, 7), 0, draws=50).balanced
    assert (found.value, found.low, found.high) == pytest.approx((gate.value, gate.low, gate.high))


def test_a_group_of_one_class_has_that_class_s_interval():
    found = class_mean(np.array([3, 5, 0]), np.array([11, 13, 7]), np.array([False, True, False]))
    alone = wilson(5, 13)
    assert (found.value, found.low, found.high) == pytest.approx((5 / 13, float(alone.low), float(alone.high)))


def test_classes_without_images_take_no_part():
    correct, samples = np.array([3, 0, 4]), np.array([6, 0, 16])
    assert class_mean(correct, samples).value == pytest.approx((0.5 + 0.25) / 2)
    nothing = class_mean(correct, samples, np.array([False, True, False]))
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    rows = Outcomes.build(sample=np.arange(4), label=np.array([0, 0, 1, 1]), prediction=0, correct=[1, 1, 0, 0])
    found = under_imbalance(scored(rows), np.array([50, 20, 3]), 0, rows, draws=20)
    assert np.isnan(found.groups[2].accuracy.value)
    assert np.isnan(found.gap.value)
    assert found.balanced.value == 0.5


def test_shares_of_corruptions_have_intervals_and_no_decomposition():
    draw = np.random.default_rng(0)
    label = np.repeat(np.arange(7), SIZES)
    score = draw.integers(0, 4, len(label)) / 3
    found = under_imbalance(Scores(np.arange(len(label)), label, score), checked(TRAINED, 7), 0, draws=400)
    head = found.groups[0]
    assert head.accuracy.value == pytest.approx(np.mean([score[label == c].mean() for c in (3, 5)]))
    error = sqrt(sum(score[label == c].var() / SIZES[c] for c in (3, 5))) / 2
    assert head.accuracy.high - head.accuracy.value == pytest.approx(1.96 * error, rel=0.15)
    assert np.isnan(head.boundary_error.value)
    assert np.isnan(found.attraction.value)


def coverage(shares, samples):
    """The exact probability that the interval of the mean of two classes holds it, over all pairs of counts."""
    truth, held = np.mean(shares), 0.0
    for one in range(samples[0] + 1):
        for two in range(samples[1] + 1):
            chance = 1.0
            for k, n, p in zip((one, two), samples, shares, strict=True):
                chance *= comb(n, k) * p**k * (1 - p) ** (n - k)
            found = class_mean(np.array([one, two]), np.array(samples))
            held += chance * (found.low <= truth <= found.high)
    return held


@pytest.mark.parametrize("shares, samples", [((0.3, 0.6), (23, 29)), ((0.1, 0.5), (40, 13)), ((0.02, 0.05), (31, 37))])
def test_exact_coverage_of_a_mean_of_two_classes(shares, samples):
    """Two classes of few images are the hardest case; more classes and images come nearer to 95 %."""
    assert coverage(shares, samples) >= 0.92
