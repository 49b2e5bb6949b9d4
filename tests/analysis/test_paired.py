"""Paired comparison against statsmodels, scipy and plain loops; intervals by coverage; power by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests

from weakspot.analysis.paired import agresti_min, detectable, holm, mcnemar, paired

from .conftest import SIZES, draw

K = len(SIZES)


def test_against_plain_loops():
    label, prediction = draw(SIZES, seed=0)
    first = label == prediction
    last = np.where(np.random.default_rng(1).random(len(label)) < 0.2, ~first, first)
    found = paired(first, last, label, K)
    for c in range(K):
        cells = [(bool(a), bool(b)) for a, b, y in zip(first, last, label, strict=True) if y == c]
        assert found.both[c] == cells.count((True, True))
        lost, gained = cells.count((True, False)), cells.count((False, True))
        assert (found.only_first[c], found.only_last[c], found.samples[c]) == (lost, gained, len(cells))
        if cells:
            assert found.difference[c] == pytest.approx(np.mean([b - a for a, b in cells]))
            table = [[cells.count((True, True)), lost], [gained, cells.count((False, False))]]
            assert found.p[c] == pytest.approx(their_mcnemar(table, exact=True).pvalue)
    assert np.isnan([found.difference[8], found.p[8], found.p_mid[8], found.p_holm[8], found.interval.low[8]]).all()


def test_mid_p_takes_half_of_the_observed():
    assert mcnemar(3, 10, mid=True) == pytest.approx(2 * (binom.cdf(2, 13, 0.5) + binom.pmf(3, 13, 0.5) / 2))
    assert mcnemar(5, 5) == 1
    assert mcnemar(0, 0) == 1
    assert mcnemar(0, 0, mid=True) == 1
    assert (mcnemar(np.arange(9), 8, mid=True) <= mcnemar(np.arange(9), 8)).all()


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_against_its_definition(p):
    ordered = sorted(p)
    adjusted = [max(min(1, (len(p) - j) * ordered[j]) for j in range(i + 1)) for i in range(len(p))]
    np.testing.assert_allclose(np.sort(holm(np.array(p))), adjusted)
    padded = np.array([*p, np.nan])
    np.testing.assert_allclose(holm(padded)[:-1], holm(np.array(p)))
    assert np.isnan(holm(padded)[-1])


def test_holm_against_statsmodels():
    p = np.round(np.random.default_rng(0).random(17) ** 3, 2)  # ties, in no order
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_agresti_min_by_its_formula():
    lost, gained, n = 7, 19, 101
    found = agresti_min(lost, gained, n)
    d = 12 / 103
    half = 1.959963985 * np.sqrt(27 - 144 / 103) / 103
    assert (float(found.low), float(found.high)) == pytest.approx((d - half, d + half))
    assert float(agresti_min(0, 0, 101).low) == pytest.approx(-1.959963985 / 103)
    assert float(agresti_min(0, 1, 1).high) == 1


@pytest.mark.parametrize("samples", [50, 200, 1000])
@pytest.mark.parametrize("gained, lost", [(0.05, 0.05), (0.12, 0.04), (0.3, 0.1)])
def test_agresti_min_covers(samples, gained, lost):
    random = np.random.default_rng(samples)
    drawn = random.multinomial(samples, [gained, lost, 1 - gained - lost], 4000)
    found = agresti_min(drawn[:, 1], drawn[:, 0], np.full(4000, samples))
    assert ((found.low <= gained - lost) & (gained - lost <= found.high)).mean() >= 0.94


@pytest.mark.parametrize("lost, gained, n", [(40, 59, 1000), (10, 3, 311), (120, 100, 997)])
def test_detectable_solves_the_power_equation(lost, gained, n):
    share = (lost + gained + 1) / (n + 2)
    needed = lambda d: ((ndtri(0.975) * share**0.5 + ndtri(0.8) * (share - d**2) ** 0.5) / d) ** 2 - n  # noqa: E731
    assert float(detectable(lost, gained, n)) == pytest.approx(brentq(needed, 1e-6, share**0.5))


def test_a_detectable_difference_is_detected_with_the_stated_power():
    n, share = 1000, 0.1
    difference = float(detectable(49, 51, n))
    gained, lost = (share + difference) / 2, (share - difference) / 2
    drawn = np.random.default_rng(0).multinomial(n, [gained, lost, 1 - share], 3000)
    found = (mcnemar(drawn[:, 1], drawn[:, 0], mid=True) < 0.05).mean()
    assert 0.75 < found < 0.85


def test_where_no_difference_could_be_found():
    assert np.isnan(detectable(0, 0, 0))
    assert np.isnan(detectable(0, 0, 5))
    assert np.isnan(detectable(0, 1, 100))  # even if both discordant images were on one side
    assert 0 < float(detectable(9, 8, 100)) < 18 / 102
