"""Disparity against numpy, scipy and published tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, hmean

from weakspot.analysis.disparity import disparity, nrr, rho

CORRECT, SAMPLES = np.array([11, 40, 7, 0, 83, 2]), np.array([29, 53, 7, 0, 101, 13])


def test_against_plain_formulas():
    found = disparity(CORRECT, SAMPLES, k=2)
    accuracy = [11 / 29, 40 / 53, 1.0, 83 / 101, 2 / 13]
    assert found.worst == pytest.approx(2 / 13)
    assert found.worst_mean == pytest.approx((2 / 13 + 11 / 29) / 2)
    assert found.balanced == pytest.approx(sum(accuracy) / 5)
    assert found.gap == pytest.approx(1 - 2 / 13)
    assert found.spread == pytest.approx(np.std(accuracy, ddof=1))
    noise = [p * (1 - p) / (n - 1) for p, n in zip(accuracy, (29, 53, 7, 101, 13), strict=True)]
    assert found.spread_without_noise == pytest.approx(np.sqrt(np.var(accuracy, ddof=1) - np.mean(noise)))
    some = SAMPLES > 0
    table = np.stack([CORRECT[some], (SAMPLES - CORRECT)[some]])
    assert found.equal_p == pytest.approx(chi2_contingency(table, correction=False).pvalue)


def test_spread_without_noise_is_right_on_average_where_the_raw_one_is_not():
    random = np.random.default_rng(0)
    truth = np.linspace(0.3, 0.7, 50)
    sizes = random.integers(19, 60, 50)
    found = [disparity(random.binomial(sizes, truth), sizes) for _ in range(300)]
    true = truth.var(ddof=1)
    raw = np.array([each.spread**2 for each in found])
    clean = np.array([each.spread_without_noise**2 for each in found])
    assert abs(clean.mean() - true) < 4 * clean.std() / np.sqrt(300)
    assert raw.mean() - true > 10 * raw.std() / np.sqrt(300)


def test_equal_classes_are_called_unequal_as_often_as_the_level_says():
    random = np.random.default_rng(1)
    p = np.array([disparity(random.binomial(211, 0.6, 10), np.full(10, 211)).equal_p for _ in range(1000)])
    assert 0.03 < (p < 0.05).mean() < 0.07


def test_undefined_figures():
    nothing = disparity(np.zeros(4, int), np.zeros(4, int))
    assert np.isnan(list(vars(nothing).values())).all()
    wrong = disparity(np.zeros(4, int), np.array([3, 5, 7, 1]))
    assert (wrong.worst, wrong.gap, wrong.spread, wrong.spread_without_noise) == (0, 0, 0, 0)
    assert np.isnan(wrong.equal_p)
    alone = disparity(np.array([3, 0]), np.array([5, 0]))
    assert (alone.worst, alone.worst_mean, alone.gap) == (0.6, 0.6, 0)
    assert np.isnan([alone.spread, alone.spread_without_noise, alone.equal_p]).all()


@given(counts=st.lists(st.integers(0, 9), min_size=2, max_size=8), names=st.randoms(use_true_random=False))
def test_new_names_change_nothing(counts, names):
    correct = np.array(counts)
    samples = correct + np.arange(len(counts)) % 3
    order = list(range(len(counts)))
    names.shuffle(order)
    before, after = disparity(correct, samples), disparity(correct[order], samples[order])
    np.testing.assert_allclose(list(vars(after).values()), list(vars(before).values()))


def test_nrr_is_the_harmonic_mean():
    clean, robust = np.array([0.8, 0.9, 0.0]), np.array([0.4, 0.9, 0.0])
    found = nrr(clean, robust)
    np.testing.assert_allclose(found[:2], hmean([clean[:2], robust[:2]]))
    assert np.isnan(found[2])
    assert float(nrr(0.8, 0.0)) == 0


DAFA = {  # robust average, robust worst, rho as printed: CIFAR-10, ResNet-18, over TRADES at 49.80 / 21.31
    "TRADES": (49.80, 21.31, 0.0),
    "FRL": (44.68, 25.84, 0.11),
    "CFA": (50.78, 27.62, 0.32),
    "BAT": (45.89, 17.82, -0.24),
    "WAT": (46.30, 28.55, 0.27),
    "DAFA": (49.05, 30.53, 0.42),
}


@pytest.mark.parametrize("method", DAFA)
def test_rho_recomputes_dafas_printed_table(method):
    average, worst, printed = DAFA[method]
    assert rho(worst, average, 21.31, 49.80) == pytest.approx(printed, abs=0.0051)


def test_rho_over_a_baseline_of_zero_is_undefined():
    assert np.isnan(rho(0.1, 0.5, 0.0, 0.5))
