"""Fake gain against a plain loop, its coverage, and what it must not call fake."""

import numpy as np
import pytest

from weakspot.analysis.fake_gain import fake_gain
from weakspot.errors import InputError

SIZES = (7, 11, 13)


def drawn(random, weak, strong, label):
    """Correctness under a weak attack, and under it and a stronger one, by class rates."""
    first = random.random(len(label)) < np.asarray(weak)[label]
    return first, first & (random.random(len(label)) < np.asarray(strong)[label])


def test_against_a_plain_loop():
    random, label = np.random.default_rng(0), np.repeat(range(3), SIZES)
    base = drawn(random, [0.8, 0.5, 0.6], [0.9, 0.9, 0.5], label)
    other = drawn(random, [0.9, 0.7, 0.6], [0.5, 0.9, 0.5], label)
    found = fake_gain(base, other, label, 4)
    by_class = [[] for _ in range(3)]
    for i, c in enumerate(label):
        weak, strong = (int(other[k][i]) - int(base[k][i]) for k in (0, 1))
        by_class[c].append(weak - strong)
    means = [sum(each) / len(each) for each in by_class]
    assert found.overall.value == pytest.approx(sum(means) / 3)
    assert [one.value for one in found.classes[:3]] == pytest.approx(means)
    assert np.isnan(found.classes[3].value)
    assert found.weak - found.strong == pytest.approx(found.overall.value)


def test_a_model_against_itself_gains_nothing_and_knows_how_little_it_knows():
    label = np.repeat(range(3), SIZES)
    base = drawn(np.random.default_rng(1), [0.8, 0.5, 0.6], [0.9, 0.9, 0.5], label)
    found = fake_gain(base, base, label, 3).overall
    assert found.value == 0
    assert found.low < 0 < found.high


def test_the_interval_covers():
    label, random = np.repeat(range(5), 60), np.random.default_rng(2)
    base, other = ([0.9, 0.7, 0.5, 0.3, 0.1], [0.8, 0.6, 0.7, 0.9, 0.5]), ([0.9, 0.8, 0.6, 0.5, 0.2], [0.7] * 5)
    (a, kept), (b, held) = (np.array(rates) for rates in (base, other))
    truth = np.mean((b - a) - (b * held - a * kept))
    runs = [fake_gain(drawn(random, *base, label), drawn(random, *other, label), label, 5) for _ in range(600)]
    covered = np.mean([one.overall.low <= truth <= one.overall.high for one in runs])
    assert 0.93 <= covered <= 0.99


def test_what_survives_only_the_strong_attack_is_refused():
    right = np.array([True, False])
    with pytest.raises(InputError, match="1 samples survive the strong attack and not the weak one"):
        fake_gain((right, right), (right, ~right), np.array([0, 1]), 2)
