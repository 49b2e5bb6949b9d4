"""The worst class: interval by coverage, corrected value by bias, probability by quadrature and calibration."""

import numpy as np
import pytest
from scipy.special import betainc
from scipy.stats import betabinom

from weakspot.analysis.worst_class import corrected_minimum, probability_worst, shrunk, worst_class

PROFILES = {
    "equal": np.full(10, 0.5),
    "near tie": np.array([0.28, 0.30, 0.30, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8]),
    "clear": np.array([0.27, 0.36, 0.4, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8]),
}


@pytest.mark.parametrize("samples", [50, 100, 300, 1000])
@pytest.mark.parametrize("profile", PROFILES)
def test_the_interval_holds_the_lowest_true_accuracy(profile, samples):
    truth = PROFILES[profile]
    random = np.random.default_rng([samples, len(profile)])
    runs = [worst_class(random.binomial(samples, truth), np.full(10, samples), seed=0, draws=2) for _ in range(300)]
    assert np.mean([run.low <= truth.min() <= run.high for run in runs]) >= 0.94


def test_the_interval_holds_with_sizes_of_a_long_tail():
    random = np.random.default_rng(5)
    sizes = np.array([1009, 499, 251, 127, 61, 31, 17, 11, 7, 5])
    truth = np.linspace(0.7, 0.2, 10)
    runs = [worst_class(random.binomial(sizes, truth), sizes, seed=0, draws=2) for _ in range(500)]
    assert np.mean([run.low <= 0.2 <= run.high for run in runs]) >= 0.94


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_the_correction_never_lowers(profile):
    """A minimum of noisy numbers is never too high on average; few draws must not say so either."""
    samples = np.full(10, 100)
    for seed in range(40):
        correct = np.random.default_rng(seed).binomial(samples, PROFILES[profile])
        found = worst_class(correct, samples, seed, draws=20)
        assert found.corrected >= found.accuracy


@pytest.mark.parametrize("profile, limit", [("equal", 0.025), ("near tie", 0.015), ("clear", 0.02)])
def test_the_correction_removes_most_of_the_bias(profile, limit):
    truth = PROFILES[profile]
    random = np.random.default_rng(len(profile))
    correct = random.binomial(100, truth, (400, 10))
    raw = (correct / 100).min(axis=1).mean() - truth.min()
    corrected = np.mean([corrected_minimum(k, np.full(10, 100), random, 300) for k in correct]) - truth.min()
    assert abs(corrected) < limit
    if profile == "equal":
        assert raw < -0.07


def test_shrinkage_is_the_share_of_variance_that_is_no_noise():
    correct, samples = np.array([30, 42, 51, 77]), np.full(4, 101)
    accuracy = correct / 101
    mean = accuracy.mean()
    weight = np.clip(1 - mean * (1 - mean) / 101 / accuracy.var(ddof=1), 0, 1)
    np.testing.assert_allclose(shrunk(correct, samples), mean + weight * (accuracy - mean))
    np.testing.assert_allclose(shrunk(np.array([50, 51]), np.array([101, 101])), 0.5, atol=0.01)
    mixed = shrunk(np.array([2, 400, 900]), np.array([10, 1000, 1000]))
    assert mixed[0] > 0.25  # a class of 10 samples moves far, one of 1,000 hardly
    assert abs(mixed[1] - 0.4) < 0.01


def test_probability_against_quadrature():
    correct, samples = np.array([8, 20, 4]), np.array([23, 41, 17])
    mean = (correct.sum() + 0.5) / (samples.sum() + 1)
    strength = 1 / ((np.arange(200) + 0.5) / 200) ** 2 - 1
    a, b = strength[:, None] * mean, strength[:, None] * (1 - mean)
    weight = np.prod(betabinom.pmf(correct, samples, a, b), axis=1)
    edges = np.linspace(0, 1, 601)
    below = betainc((a + correct)[..., None], (b + samples - correct)[..., None], edges)
    mass, above = np.diff(below), 1 - (below[..., 1:] + below[..., :-1]) / 2
    expected = [(mass[:, c] * np.delete(above, c, axis=1).prod(axis=1)).sum(axis=1) @ weight for c in range(3)]
    found = probability_worst(correct, samples, np.random.default_rng(0), draws=20_000)
    np.testing.assert_allclose(found, expected / weight.sum(), atol=4 * 0.5 / np.sqrt(20_000))


def test_probability_is_calibrated():
    random = np.random.default_rng(0)
    said, was = [], []
    for _ in range(500):
        strength, mean = 1 / random.uniform(0.02, 0.6) ** 2 - 1, random.uniform(0.2, 0.8)
        truth = random.beta(strength * mean, strength * (1 - mean), 10)
        sizes = random.integers(30, 300, 10)
        said.append(probability_worst(random.binomial(sizes, truth), sizes, random, draws=300))
        was.append(np.arange(10) == truth.argmin())
    said, was = np.concatenate(said), np.concatenate(was)
    for low, high in [(0, 0.05), (0.05, 0.2), (0.2, 0.4), (0.4, 0.7), (0.7, 0.95), (0.95, 1.01)]:
        inside = (said >= low) & (said < high)
        assert inside.sum() > 50
        error = np.sqrt(said[inside].mean() * (1 - said[inside].mean()) / inside.sum())
        assert abs(was[inside].mean() - said[inside].mean()) < 4 * error + 0.01


def test_names_seeds_and_absent_classes():
    correct, samples = np.array([40, 0, 13, 61]), np.array([97, 0, 53, 101])
    found = worst_class(correct, samples, seed=3)
    assert (found.index, found.accuracy) == (2, pytest.approx(13 / 53))
    assert np.isnan(found.probability[1])
    assert np.nansum(found.probability) == pytest.approx(1)
    assert found.low < found.accuracy < found.high
    again = worst_class(correct, samples, seed=3)
    np.testing.assert_array_equal(again.probability, found.probability)
    assert again.corrected == found.corrected
    order = np.array([2, 3, 1, 0])
    renamed = worst_class(correct[order], samples[order], seed=3)
    assert order[renamed.index] == 2
    assert (renamed.low, renamed.high) == (found.low, found.high)
    np.testing.assert_array_equal(renamed.probability, found.probability[order])
    assert renamed.corrected == found.corrected


def test_of_equals_the_class_with_most_samples_is_named():
    assert worst_class(np.array([0, 0, 5]), np.array([1, 70, 9]), seed=0).index == 1
    assert worst_class(np.array([5, 5, 5]), np.array([9, 9, 9]), seed=0).index == 0


@pytest.mark.parametrize("correct", [[0, 0, 0], [7, 11, 13]])
def test_all_wrong_and_all_right(correct):
    found = worst_class(np.array(correct), np.array([7, 11, 13]), seed=0)
    assert found.accuracy == found.corrected == (correct[0] > 0)
    assert found.probability.sum() == pytest.approx(1)


def test_no_samples_and_one_class():
    nothing = worst_class(np.zeros(3, int), np.zeros(3, int), seed=0)
    assert nothing.index == -1
    assert np.isnan([nothing.accuracy, nothing.corrected, nothing.low, nothing.high, *nothing.probability]).all()
    alone = worst_class(np.array([5]), np.array([7]), seed=0)
    assert (alone.index, alone.probability.tolist()) == (0, [1.0])
    assert alone.corrected == pytest.approx(5 / 7, abs=0.03)


@pytest.mark.parametrize("classes, right, samples", [(10, 0, 50), (10, 50, 50), (1000, 0, 50), (7, 1, 3)])
def test_equal_classes_are_the_worst_with_equal_probability(classes, right, samples):
    """Draws that underflow to exactly 0 or 1 must not all fall to the class that is named first."""
    found = worst_class(np.full(classes, right), np.full(classes, samples), seed=0, draws=200)
    np.testing.assert_allclose(found.probability, 1 / classes)


@pytest.mark.parametrize("right", [0, 1])
def test_more_samples_at_the_extreme_make_it_surer(right):
    """All right or all wrong, with other sizes: no class is certain, and 0 of 500 is no less weak than 0 of 5."""
    samples = np.array([5, 50, 500, 5])
    found = probability_worst(right * samples, samples, np.random.default_rng(0), draws=4000)
    assert found[0] == found[3]
    assert (found > 0.01).all()
    assert found[2] == (found.min() if right else found.max())


def test_names_have_no_part_in_the_figures():
    random = np.random.default_rng(7)
    samples = random.integers(3, 60, 23)
    correct = random.binomial(samples, 0.03)
    found = worst_class(correct, samples, seed=1, draws=500)
    order = random.permutation(23)
    renamed = worst_class(correct[order], samples[order], seed=1, draws=500)
    np.testing.assert_array_equal(renamed.probability, found.probability[order])
    assert (renamed.accuracy, renamed.corrected, renamed.low, renamed.high) == (
        found.accuracy, found.corrected, found.low, found.high,
    )  # fmt: skip
