"""Learning-rate schedules: pure functions from the share of the run that is done, in [0, 1), to a factor of the peak.

Fractions instead of epochs: a short run then goes through the same phases as a long one.
"""

from bisect import bisect_right
from math import cos, pi
from typing import Literal

Schedule = Literal["constant", "step", "cosine", "one-cycle", "robal", "robal-released"]

MILESTONES = (100 / 110, 105 / 110)
"""Where `step` divides by ten: epochs 100 and 105 of 110 (Pang et al., 2021, arXiv:2010.00467)."""
ROBAL = (60, 75, 80)
"""`robal` divides by ten after so many of 80 epochs (Wu et al., 2021, arXiv:2104.02703)."""
PEAK = 0.4
"""Where `one-cycle` turns; the rate rises linearly to it and then falls linearly to 0 (Wong et al., 2020)."""


def factor(schedule: Schedule, progress: float) -> float:
    """The factor of the learning rate at `progress`, the share of the run's steps that are done, in [0, 1)."""
    if schedule == "constant":
        return 1.0
    if schedule == "step":
        return 0.1 ** bisect_right(MILESTONES, progress)
    if schedule == "robal":
        return 0.1 ** bisect_right(ROBAL[:2], progress * ROBAL[2])
    if schedule == "robal-released":
        return 0.1 ** released(int(progress * ROBAL[2] + 1e-9) + 1)
    if schedule == "cosine":
        return (1 + cos(pi * progress)) / 2
    return progress / PEAK if progress < PEAK else (1 - progress) / (1 - PEAK)


def released(epoch: int) -> int:
    """How often RoBal's released code has divided by ten when `epoch` (from 1, of 80) begins.

    It multiplies the current rate by the factor of the epoch in every epoch, by 0.1 from the 60th and by 0.01 from the
    75th on, so that hardly anything is learned after the 63rd.
    """
    return sum(bisect_right(ROBAL[:2], past) for past in range(1, epoch + 1))
