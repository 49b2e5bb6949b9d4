"""What one attack overstates: against a plain loop, exact coverage of the shares, simulated coverage of their mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from weakspot.analysis.class_means import class_mean
from weakspot.analysis.fake_gain import FAKE, fake_gain
from weakspot.analysis.overstated import overstated
from weakspot.errors import InputError

SIZES = (7, 11, 13)


def drawn(random, alone, kept, label):
    """Correctness under one attack, and under all of which others leave `kept`, by class rates."""
    first = random.random(len(label)) < np.asarray(alone)[label]
    return first, first & (random.random(len(label)) < np.asarray(kept)[label])


def exactly(count, sizes):
    """Correctness of samples all right alone, of which `count` of each class fall to other attacks."""
    label = np.repeat(np.arange(len(sizes)), sizes)
    fallen = np.concatenate([np.arange(n) < k for k, n in zip(count, sizes, strict=True)])
    return np.ones(len(label), dtype=bool), ~fallen, label


def test_against_a_plain_loop():
    label = np.repeat(range(3), SIZES)
    alone, together = drawn(np.random.default_rng(0), [0.8, 0.5, 0.6], [0.9, 0.6, 0.5], label)
    found = overstated(alone, together, label, 4)
    count, first, last = [0] * 3, [0] * 3, [0] * 3
    for i, c in enumerate(label):
        count[c] += int(alone[i]) - int(together[i])
        first[c] += int(alone[i])
        last[c] += int(together[i])
    assert sum(count) > 2
    assert found.count.tolist() == [*count, 0]
    assert found.samples.tolist() == [*SIZES, 0]
    shares = [k / n for k, n in zip(count, SIZES, strict=True)]
    assert found.share[:3].tolist() == pytest.approx(shares)
    assert found.overall.value == pytest.approx(sum(shares) / 3)
    assert found.alone == pytest.approx(sum(k / n for k, n in zip(first, SIZES, strict=True)) / 3)
    assert found.together == pytest.approx(sum(k / n for k, n in zip(last, SIZES, strict=True)) / 3)
    for c in range(3):  # Bonferroni over the three classes that have samples
        limits = binomtest(count[c], SIZES[c]).proportion_ci(1 - 0.05 / 3, method="exact")
        assert (found.limits.low[c], found.limits.high[c]) == pytest.approx((limits.low, limits.high))
    assert np.isnan([found.share[3], found.limits.low[3], found.limits.high[3]]).all()
    assert not found.flagged_classes[3]


@given(seed=st.integers(0, 99), sizes=st.lists(st.integers(0, 30), min_size=1, max_size=6))
@settings(deadline=None, max_examples=40)
def test_it_is_half_of_a_fake_gain(seed, sizes):
    """The fake gain of a method is what it overstates minus what the baseline does."""
    random, label, many = np.random.default_rng(seed), np.repeat(range(len(sizes)), sizes), len(sizes)
    first, last = (drawn(random, random.random(many), random.random(many), label) for _ in range(2))
    parts = [overstated(*each, label, many).overall.value for each in (first, last)]
    if len(label):
        gain = fake_gain(first, last, label, many).overall.value
        assert gain == pytest.approx(parts[1] - parts[0])
    else:
        assert np.isnan(parts).all()


@pytest.mark.parametrize("share", [0.002, 0.01, 0.05])
def test_limits_of_all_classes_at_once_never_fall_below_the_level(share):
    """Exactly, by summing the binomial probabilities of every count; the classes are independent."""
    size, many = 150, 4
    count = np.arange(size + 1)
    found = [overstated(*exactly([k] * many, [size] * many), many).limits for k in count]
    inside = np.array([one.low[0] <= share <= one.high[0] for one in found])
    assert binom.pmf(count, size, share)[inside].sum() ** many >= 0.95
    low = np.array([one.low[0] for one in found])
    above = binom.pmf(count, size, share)[low > share].sum()
    assert above <= 0.025 / many


def test_a_class_that_overstates_one_point_is_hardly_ever_flagged():
    """Exactly, at the share that is only just no reason for a flag."""
    size, many = 200, 10
    count = np.arange(size + 1)
    flags = [overstated(*exactly([k] * many, [size] * many), many).flagged_classes[0] for k in count]
    once = binom.pmf(count, size, FAKE)[np.array(flags)].sum()
    assert 0 < 1 - (1 - once) ** many <= 0.025
    assert flags == sorted(flags)


@pytest.mark.parametrize(("size", "share"), [(200, 0.01), (200, 0.05), (60, 0.02), (500, 0.1)])
def test_the_interval_of_the_mean_covers(size, share):
    """Classes of shares from 0 to twice the mean; the mean of `overstated` is the same one of counts."""
    random, many = np.random.default_rng(3), 10
    truth = np.linspace(0, 2 * share, many)
    sizes = np.full(many, size)
    found = [class_mean(random.binomial(size, truth), sizes) for _ in range(1500)]
    assert np.mean([one.low <= share <= one.high for one in found]) >= 0.94
    assert np.mean([one.low > share for one in found]) <= 0.03
    count = random.binomial(size, truth)
    assert overstated(*exactly(count, sizes), many).overall == class_mean(count, sizes)


def test_nothing_overstated_is_not_taken_for_certainty():
    found = overstated(*exactly([0, 0], [20, 30]), 2)
    assert (found.overall.value, found.overall.low) == (0, 0)
    assert found.overall.high > 0.03
    assert not found.flagged


def test_one_class_alone_raises_the_flag():
    found = overstated(*exactly([40] + [0] * 49, [200] * 50), 50)
    assert found.overall.low <= FAKE
    assert found.flagged_classes.tolist() == [True] + [False] * 49
    assert found.flagged


def test_the_mean_alone_raises_the_flag():
    """Two of a hundred in each of many classes: no class is certain, all of them together are."""
    found = overstated(*exactly([2] * 60, [100] * 60), 60)
    assert not found.flagged_classes.any()
    assert found.flagged


def test_all_attacks_together_break_what_one_breaks():
    right = np.array([True, False])
    with pytest.raises(InputError, match="1 samples survive the strong attack and not the weak one"):
        overstated(right, ~right, np.array([0, 1]), 2)
