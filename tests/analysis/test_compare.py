"""Comparisons against plain formulas; the worst class and the seeds by coverage."""

import numpy as np
import pytest

from weakspot.analysis.compare import compare, comparison_measures
from weakspot.analysis.paired import agresti_min, paired
from weakspot.analysis.scores import Scores, align, scores
from weakspot.analysis.worst_class import corrected_minimum
from weakspot.analysis.worst_difference import _corrected, worst_difference
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes

from .conftest import SIZES, draw, rows_of

K = len(SIZES)
THREATS = [
    {"address": "clean", "kind": "clean", "radius": None},
    {"address": "pgd@linf:0.1", "kind": "adversarial", "radius": "linf:0.1"},
    {"address": "fgsm@linf:0.2", "kind": "adversarial", "radius": "linf:0.2"},
    {"address": "fog@1", "kind": "corruption", "radius": None},
    {"address": "fog@2", "kind": "corruption", "radius": None},
]


def audit(seed: int, strength: float) -> Outcomes:
    """Rows of all threats; the same images for every seed."""
    label, _ = draw(SIZES, seed=0)
    random = np.random.default_rng(seed)
    parts = []
    for at, threat in enumerate(THREATS):
        right = random.random(len(label)) < strength - 0.1 * at
        prediction = np.where(right, label, (label + 1 + at) % K)
        severity = at - 2 if threat["kind"] == "corruption" else 0
        parts.append(rows_of(label, prediction, str(threat["address"]), severity=severity))
    return Outcomes.join(parts)


def test_scores_of_a_run():
    rows = audit(seed=1, strength=0.9)
    found = scores(THREATS, rows.where(np.random.default_rng(0).permutation(len(rows))))
    clean, pgd = rows.of("clean"), rows.of("pgd@linf:0.1")
    np.testing.assert_array_equal(found["clean"].score, clean.correct)
    np.testing.assert_array_equal(found["robust"].score, clean.correct & pgd.correct)  # the second radius is another
    np.testing.assert_allclose(
        found["corrupted"].score, (rows.of("fog@1").correct + 1.0 * rows.of("fog@2").correct) / 2
    )
    for each in found.values():
        np.testing.assert_array_equal(each.label, clean.label)
        np.testing.assert_array_equal(each.sample, clean.sample)
    assert set(scores(THREATS[:1], rows)) == {"clean"}
    assert scores(THREATS, rows.where(np.zeros(0, int))) == {}


def test_runs_that_do_not_match_are_refused():
    one = scores(THREATS, audit(seed=1, strength=0.9))["clean"]
    fewer = Scores(one.sample[:-3], one.label[:-3], one.score[:-3])
    with pytest.raises(InputError, match="3 are in one of them only"):
        align([one, fewer])
    other = Scores(one.sample, (one.label + (one.sample == 7)) % K, one.score)
    with pytest.raises(InputError, match="sample 7 differs"):
        align([one, other])


def test_one_run_each_against_the_paired_statistics():
    first, last = (scores(THREATS, audit(seed, strength))["robust"] for seed, strength in ((1, 0.8), (2, 0.9)))
    found = compare([first], [last], K, seed=0)
    pair = paired(first.score == 1, last.score == 1, first.label, K)
    np.testing.assert_array_equal(found.p, pair.p)
    np.testing.assert_array_equal(found.interval.low, pair.interval.low)
    np.testing.assert_allclose(found.difference, pair.difference)
    np.testing.assert_array_equal(found.bounds.low, agresti_min(pair.only_first, pair.only_last, pair.samples, 0.9).low)
    assert found.overall.value == pytest.approx(last.score.mean() - first.score.mean())
    means = [[each.score[each.label == c].mean() for c in range(K) if SIZES[c]] for each in (first, last)]
    assert found.balanced.value == pytest.approx(np.mean(means[1]) - np.mean(means[0]))
    assert found.worst.value == pytest.approx(min(means[1]) - min(means[0]))
    variances = [(last.score - first.score)[first.label == c].var() / SIZES[c] for c in range(K) if SIZES[c]]
    deviation = np.sqrt(sum(variances)) / len(variances)
    assert found.balanced.high - found.balanced.low == pytest.approx(2 * 1.96 * deviation, rel=0.1)
    assert found.worst.low < found.worst.lower < found.worst.value < found.worst.upper < found.worst.high
    assert found.worst.low < found.worst_corrected < found.worst.high
    assert found.runs == (1, 1)
    again = compare([first], [last], K, seed=0)
    assert (again.worst, again.balanced) == (found.worst, found.balanced)


def test_swapped_runs_swap_the_sign():
    first, last = (scores(THREATS, audit(seed, strength))["clean"] for seed, strength in ((1, 0.8), (2, 0.9)))
    there, back = compare([first], [last], K, seed=0), compare([last], [first], K, seed=0)
    np.testing.assert_allclose(back.difference, -there.difference)
    np.testing.assert_allclose(back.interval.low, -there.interval.high)
    assert back.worst.value == pytest.approx(-there.worst.value)
    assert back.worst.low == pytest.approx(-there.worst.high)
    assert back.worst_classes == there.worst_classes[::-1]


def test_new_names_permute_everything():
    runs = [scores(THREATS, audit(seed, strength))["clean"] for seed, strength in ((1, 0.8), (2, 0.9))]
    names = np.random.default_rng(3).permutation(K)
    before = compare([runs[0]], [runs[1]], K, seed=0)
    after = compare(*([Scores(run.sample, names[run.label], run.score)] for run in runs), K, seed=0)
    for field in ("difference", "p", "p_holm", "detectable", "first"):
        np.testing.assert_allclose(getattr(after, field)[names], getattr(before, field))
    assert after.worst.value == pytest.approx(before.worst.value)
    assert after.worst_corrected == pytest.approx(before.worst_corrected)
    assert tuple(names[list(before.worst_classes)]) == after.worst_classes


def test_shares_of_corruptions_are_compared_by_resampled_images():
    first, last = (scores(THREATS, audit(seed, strength))["corrupted"] for seed, strength in ((1, 0.8), (2, 0.95)))
    found = compare([first], [last], K, seed=0)
    change = last.score - first.score
    c = SIZES.index(211)
    mine = change[first.label == c]
    assert found.difference[c] == pytest.approx(mine.mean())
    width = found.interval.high[c] - found.interval.low[c]
    assert width == pytest.approx(2 * 1.96 * mine.std() / np.sqrt(211), rel=0.1)
    assert found.overall.value == pytest.approx(change.mean())
    assert found.paired is None
    assert found.p[c] < 0.05
    assert np.isnan([found.difference[8], found.p[8], found.p_holm[8], found.detectable[8]]).all()


def test_a_change_of_more_than_all_images_is_not_detectable():
    """Two seeds a side that differ widely, on a handful of images: no change that is possible would be found."""
    label = np.repeat([0, 1], [5, 400])
    random = np.random.default_rng(0)
    drawn = [(random.random(405) < share).astype(float) for share in (0.1, 0.9, 0.2, 0.8)]
    sides = [Scores(np.arange(405), label, score) for score in drawn]
    found = compare(sides[:2], sides[2:], 2, seed=0)
    assert np.isnan(found.detectable).all()
    steady = compare([sides[0]] * 2, [sides[2]] * 2, 2, seed=0)
    assert 0 < steady.detectable[1] < 0.2


PROFILES = {
    "equal": np.full(10, 0.5),
    "near tie": np.array([0.28, 0.30, 0.30, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8]),
    "clear": np.array([0.27, 0.36, 0.4, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8]),
}


def holds(random: np.random.Generator, one: np.ndarray, two: np.ndarray, samples: int) -> bool:
    """Whether one simulated comparison's interval of the worst-class difference holds the true one."""
    both = 0.8 * np.minimum(one, two) + 0.2 * one * two  # most images are right in both or wrong in both
    counts = random.multinomial(samples, np.stack([both, one - both, two - both, 1 - one - two + both], axis=1))
    drawn = random.multinomial(samples, counts / samples, (120, 10)) / samples
    runs = [each[..., 0] + each[..., side] for each in (counts / samples, drawn) for side in (1, 2)]
    found = worst_difference(np.stack(runs[:2], 1), np.stack(runs[2:], 2), np.full(10, samples), np.ones(2), first=1)
    ends = sorted((found.value, found.corrected))
    half = 1.96 * found.image_deviation
    return bool(ends[0] - half <= two.min() - one.min() <= ends[1] + half)


def test_the_difference_of_worst_classes_covers():
    random = np.random.default_rng(0)
    pairs = [(one, two) for one in PROFILES.values() for two in PROFILES.values()]
    covered = [[holds(random, *pair, n) for pair in pairs for _ in range(12)] for n in (50, 300, 1000)]
    assert np.mean(covered) >= 0.94
    assert np.mean(covered, axis=1).min() >= 0.91  # 108 comparisons of each size


@pytest.mark.parametrize("sizes", [np.full(10, 200), np.array([1000, 700, 400, 300, 200, 100, 90, 80, 70, 60])])
def test_the_integrated_bias_is_the_simulated_one(sizes):
    random = np.random.default_rng(0)
    for truth in PROFILES.values():
        correct = random.binomial(sizes, truth)
        simulated = corrected_minimum(correct, sizes, random, draws=40_000)
        assert float(_corrected(correct / sizes, 1 / sizes)) == pytest.approx(simulated, abs=0.004)


def seeded(random: np.random.Generator, easy: np.ndarray, runs: int, level: float, spread: float) -> list[Scores]:
    """Runs of one method: an image is right where its ease, the run's own luck and noise together say so."""
    label = np.arange(len(easy)) % 4
    made = []
    for _ in range(runs):
        chance = np.clip(easy * level + spread * random.standard_normal(4)[label], 0, 1)
        made.append(Scores(np.arange(len(easy)), label, (random.random(len(easy)) < chance).astype(float)))
    return made


def test_seeds_and_images_are_crossed():
    random = np.random.default_rng(1)
    crossed, pooled = [], []
    for run in range(80):
        easy = random.beta(2, 1, 400)
        first, last = seeded(random, easy, 4, 0.7, 0.06), seeded(random, easy, 4, 0.8, 0.06)
        found = compare(first, last, 4, seed=run, draws=60)
        truth = 0.1 * 2 / 3
        crossed.append((found.interval.low <= truth) & (truth <= found.interval.high))
        change = np.stack([b.score - a.score for a, b in zip(first, last, strict=True)], axis=1)
        mine = change[first[0].label == 0].ravel()  # rows pooled as if each were an image of its own
        half = 1.96 * mine.std() / np.sqrt(len(mine))
        pooled.append(abs(mine.mean() - truth) <= half)
    assert np.mean(crossed) >= 0.94
    assert np.mean(pooled) < 0.85
    assert found.runs == (4, 4)


def test_seeds_that_are_copies_add_nothing():
    first, last = (scores(THREATS, audit(seed, strength))["clean"] for seed, strength in ((1, 0.8), (2, 0.9)))
    one, many = compare([first], [last], K, seed=0), compare([first] * 3, [last] * 3, K, seed=0)
    np.testing.assert_allclose(many.difference, one.difference)
    c = SIZES.index(211)
    width = [each.interval.high[c] - each.interval.low[c] for each in (one, many)]
    assert width[1] == pytest.approx(width[0], rel=0.1)  # pooled rows would give 1/sqrt(3) of it
    assert many.worst.value == pytest.approx(one.worst.value)


def test_identical_runs():
    same = scores(THREATS, audit(seed=1, strength=0.8))["clean"]
    found = compare([same], [same], K, seed=0)
    assert (found.difference[np.array(SIZES) > 0] == 0).all()
    assert (found.p[np.array(SIZES) > 0] == 1).all()
    assert found.worst.value == found.overall.value == 0
    assert found.interval.low[0] < 0 < found.interval.high[0]
    assert found.worst.low <= 0 <= found.worst.high
    assert found.balanced.low < 0 < found.balanced.high


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_everything_wrong_or_right(score):
    label = np.array([0, 0, 0, 1, 1, 2])
    one = Scores(np.arange(6), label, np.full(6, score))
    found = compare([one], [one], 4, seed=0, draws=50)
    assert found.worst.value == 0
    assert np.isfinite([found.worst.low, found.worst.high, found.balanced.low]).all()
    two = compare([one, one], [one, one], 4, seed=0, draws=50)
    assert two.interval.low[0] < 0 < two.interval.high[0]


def test_no_samples_and_one_class():
    none = Scores(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    found = compare([none], [none], 2, seed=0, draws=10)
    assert np.isnan([found.overall.value, found.balanced.value, found.worst.value, *found.p]).all()
    assert found.worst_classes == (-1, -1)
    alone = Scores(np.arange(9), np.zeros(9, int), np.array([1.0] * 5 + [0.0] * 4))
    worse = Scores(np.arange(9), np.zeros(9, int), np.array([1.0] * 2 + [0.0] * 7))
    found = compare([alone], [worse], 1, seed=0, draws=200)
    assert found.worst.value == pytest.approx(-3 / 9)
    assert found.worst_corrected == pytest.approx(-3 / 9, abs=0.01)


def test_names_of_the_differences():
    runs = [scores(THREATS, audit(seed, 0.8)) for seed in (1, 2)]
    found = {scope: compare([runs[0][scope]], [runs[1][scope]], K, seed=0, draws=50) for scope in runs[0]}
    measures = comparison_measures(found, [f"class {c}" for c in range(K)])
    assert len(measures) == 3 * (3 + K)
    assert measures["worst_class_robust"] == found["robust"].worst
    assert measures["class(class 5).corrupted"].value == pytest.approx(found["corrupted"].difference[5])
    assert measures["class(class 5).clean"].lower == pytest.approx(found["clean"].bounds.low[5])
