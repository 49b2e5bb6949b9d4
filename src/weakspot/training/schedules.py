"""Learning-rate schedules: pure functions from the share of the run that is done, in [0, 1), to a factor of the peak.

Fractions instead of epochs: a short run then goes through the same phases as a long one.
"""

from bisect import bisect_right
from math import cos, pi
from typing import Literal

Schedule = Literal["constant", "step", "cosine", "one-cycle"]

MILESTONES = (100 / 110, 105 / 110)
"""Where `step` divides by ten: epochs 100 and 105 of 110 (Pang et al., 2021, arXiv:2010.00467)."""
PEAK = 0.4
"""Where `one-cycle` turns; the rate rises linearly to it and then falls linearly to 0 (Wong et al., 2020)."""


def factor(schedule: Schedule, progress: float) -> float:
    """The factor of the learning rate at `progress`, the share of the run's steps that are done, in [0, 1)."""
    if schedule == "constant":
        return 1.0
    if schedule == "step":
        return 0.1 ** bisect_right(MILESTONES, progress)
    if schedule == "cosine":
        return (1 + cos(pi * progress)) / 2
    return progress / PEAK if progress < PEAK else (1 - progress) / (1 - PEAK)
