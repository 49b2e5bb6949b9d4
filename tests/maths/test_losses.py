"""Losses against plain loops, and what they are invariant to."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakspot.maths.losses import cross_entropy, dlr, finite_or_zero, kl, margin

cases = st.integers(2, 12).flatmap(
    lambda classes: st.tuples(
        st.lists(st.lists(st.floats(-20, 20), min_size=classes, max_size=classes), min_size=1, max_size=5),
        st.integers(0, classes - 1),
    )
)


@given(case=cases)
def test_against_plain_loops(case):
    rows, label = case
    logits = torch.tensor(rows, dtype=torch.float64)
    labels = torch.full((len(rows),), label)
    for i, row in enumerate(rows):
        others = [z for j, z in enumerate(row) if j != label]
        assert margin(logits, labels)[i] == pytest.approx(row[label] - max(others))
        if len(row) > 2:
            top = sorted(row, reverse=True)
            expected = -(row[label] - max(others)) / (top[0] - top[2] + 1e-12)
            assert dlr(logits, labels)[i] == pytest.approx(expected)
        log_sum = torch.tensor(row, dtype=torch.float64).exp().sum().log()
        assert cross_entropy(logits, labels)[i] == pytest.approx(float(log_sum - row[label]), abs=1e-9)


def test_dlr_ignores_shift_and_scale():
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(50) % 7
    torch.testing.assert_close(dlr(1000 * logits + 3, labels), dlr(logits, labels), atol=1e-9, rtol=1e-9)


def test_kl_against_torch_distributions():
    draws = torch.randn(2, 20, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = torch.distributions.kl_divergence(*(torch.distributions.Categorical(logits=d) for d in draws))
    torch.testing.assert_close(kl(draws[0], draws[1]), expected)


def test_finite_or_zero():
    gradient = torch.tensor([1.0, torch.nan, torch.inf, -torch.inf])
    assert finite_or_zero(gradient).tolist() == [1, 0, 0, 0]
