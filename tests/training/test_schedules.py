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


def test_robals_schedules() -> None:
    plain = [factor("robal", epoch / 80) for epoch in range(80)]
    assert plain == pytest.approx([1] * 60 + [0.1] * 15 + [0.01] * 5)
    rate, released = 1.0, []
    for epoch in range(1, 81):  # the released loop: the current rate is multiplied in every epoch
        rate *= (0.1 if epoch >= 60 else 1) * (0.1 if epoch >= 75 else 1)
        released.append(rate)
    assert [factor("robal-released", epoch / 80) for epoch in range(80)] == pytest.approx(released, abs=0, rel=1e-9)
    assert released[62] == pytest.approx(1e-4)
    assert factor("robal-released", 0.5 / 80) == 1
