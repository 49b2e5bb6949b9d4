"""The draws: distributions against scipy, and independence from batch, order and neighbours."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from weakspot.rng import bits, integers, normal, signs, uniform

SAMPLES = torch.arange(400)


@given(seed=st.integers(0, 2**40), step=st.integers(0, 2**40), first=st.integers(0, 2**40))
def test_order_and_batch_change_nothing(seed, step, first):
    sample = torch.arange(first, first + 9)
    whole = bits((2, 3), sample, seed, "x", step)
    order = torch.tensor([4, 1, 8, 0])
    assert torch.equal(bits((2, 3), sample[order], seed, "x", step), whole[order])


def test_a_plain_loop_gives_the_same_bits():
    """SplitMix64 in Python's integers, one number at a time."""
    from weakspot.rng import key

    mask, golden = 2**64 - 1, 0x9E3779B97F4A7C15

    def mix(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    found = bits((5,), torch.tensor([3, 70000]), 11, "purpose", 6)
    for row, sample in enumerate((3, 70000)):
        start = mix((mix((key(11, "purpose") & mask) ^ mix(sample * golden & mask)) + 6 * golden) & mask)
        for i in range(5):
            expected = mix(mix((start + (i + 1) * golden) & mask))
            assert int(found[row, i]) & mask == expected


@pytest.mark.parametrize(("seed", "purpose", "step"), [(0, "start", 0), (0, "start", 1), (1, "start", 0), (0, "b", 0)])
def test_distributions(seed, purpose, step):
    u = uniform((50,), SAMPLES, seed, purpose, step).flatten().numpy()
    assert u.min() >= 0
    assert u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    n = normal((50,), SAMPLES, seed, purpose, step).flatten().numpy()
    assert stats.kstest(n, "norm").pvalue > 1e-3
    s = signs((50,), SAMPLES, seed, purpose, step).flatten().numpy()
    assert set(np.unique(s)) == {-1.0, 1.0}
    assert stats.binomtest(int((s > 0).sum()), s.size).pvalue > 1e-3
    counts = integers(7, (50,), SAMPLES, seed, purpose, step).flatten().bincount(minlength=7).numpy()
    assert stats.chisquare(counts).pvalue > 1e-3


def test_neighbours_are_unrelated():
    base = uniform((50,), SAMPLES, 0, "p").flatten().numpy()
    for other in (
        uniform((50,), SAMPLES + 1, 0, "p"),
        uniform((50,), SAMPLES, 1, "p"),
        uniform((50,), SAMPLES, 0, "q"),
        uniform((50,), SAMPLES, 0, "p", 1),
    ):
        assert stats.pearsonr(base, other.flatten().numpy()).pvalue > 1e-3
