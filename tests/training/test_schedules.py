"""Schedules against their closed forms and against torch's own schedulers."""

from math import cos, pi
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakspot.training.schedules import Schedule, factor

SHARES = st.floats(0, 1, exclude_max=True)


@given(progress=SHARES)
@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_a_factor_never_leaves_0_to_1(schedule: Schedule, progress: float) -> None:
    assert 0 <= factor(schedule, progress) <= 1


@given(progress=SHARES)
def test_closed_forms(progress: float) -> None:
    assert factor("constant", progress) == 1
    assert factor("cosine", progress) == pytest.approx(0.5 + 0.5 * cos(pi * progress))
    assert factor("one-cycle", progress) == pytest.approx(min(progress / 0.4, (1 - progress) / 0.6))


@pytest.mark.parametrize("epoch, expected", [(0, 1), (99, 1), (100, 0.1), (104, 0.1), (105, 0.01), (109, 0.01)])
def test_step_divides_at_epochs_100_and_105_of_110(epoch: int, expected: float) -> None:
    assert factor("step", epoch / 110) == pytest.approx(expected)


def test_cosine_is_torchs() -> None:
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=17)
    for step in range(17):
        assert sgd.param_groups[0]["lr"] == pytest.approx(0.3 * factor("cosine", step / 17))
        sgd.step()
        theirs.step()
