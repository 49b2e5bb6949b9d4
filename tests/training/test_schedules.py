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


@pytest.mark.parametrize(
    "name, epochs, milestones",
    [
        ("step", 110, [100, 105]),
        ("at-bsl", 100, [74, 89, 99]),
        ("rice", 200, [100, 150]),
        ("trades", 76, [74]),
        ("mart", 120, [74, 89, 99]),
    ],
)
def test_published_schedules_are_torchs(name: Schedule, epochs: int, milestones: list[int]) -> None:
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    theirs = torch.optim.lr_scheduler.MultiStepLR(sgd, milestones, gamma=0.1)
    for epoch in range(epochs):
        found = [factor(name, (epoch + share) / epochs) for share in (0, 0.5, 0.99)]
        assert found == pytest.approx([sgd.param_groups[0]["lr"] / 0.3] * 3)
        sgd.step()
        theirs.step()


def test_cosine_is_torchs() -> None:
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=17)
    for step in range(17):
        assert sgd.param_groups[0]["lr"] == pytest.approx(0.3 * factor("cosine", step / 17))
        sgd.step()
        theirs.step()


STUDY = [("robal", 80, 60, 75, 0), ("robal-warm", 80, 60, 75, 5), ("robal-resampled", 25, 15, 20, 0)]


@pytest.mark.parametrize("name, epochs, first, second, warm", STUDY)
def test_the_studys_schedules_as_meant(name: Schedule, epochs: int, first: int, second: int, warm: int) -> None:
    tens = [1] * first + [0.1] * (second - first) + [0.01] * (epochs - second)
    expected = [k / warm for k in range(1, warm + 1)] + tens[warm:]
    assert [factor(name, epoch / epochs) for epoch in range(epochs)] == pytest.approx(expected)
    assert [factor(name, (epoch + 0.99) / epochs) for epoch in range(epochs)] == pytest.approx(expected)


@pytest.mark.parametrize("name, epochs, first, second, warm", STUDY)
def test_the_studys_schedules_as_released(name: str, epochs: int, first: int, second: int, warm: int) -> None:
    rate, expected = 1.0, []
    for epoch in range(1, epochs + 1):  # the released loop: the current rate is multiplied in every epoch
        decay = (0.1 if epoch >= first else 1) * (0.1 if epoch >= second else 1)
        rate *= (epoch + 1) / warm if epoch < warm else decay
        expected.append(rate)
    found = [factor(f"{name}-released", epoch / epochs) for epoch in range(epochs)]
    assert found == pytest.approx(expected, abs=0, rel=1e-9)
    assert factor(f"{name}-released", 0.5 / epochs) == pytest.approx(expected[0])


def test_what_is_said_of_the_released_schedules() -> None:
    assert factor("robal-released", 62 / 80) == pytest.approx(1e-4)
    assert [factor("robal-warm-released", epoch / 80) for epoch in (0, 1, 2, 3, 58)] == pytest.approx(
        [0.4, 0.24, 0.192, 0.192, 0.192]
    )
