"""Learning-rate schedules: pure functions from the share of the run that is done, in [0, 1), to a factor of the peak.

Fractions instead of epochs: a short run then goes through the same phases as a long one.
"""

from bisect import bisect_right
from math import cos, pi, prod
from typing import Literal, NamedTuple

Schedule = Literal[
    "constant",
    "step",
    "cosine",
    "one-cycle",
    "robal",
    "robal-released",
    "robal-warm",
    "robal-warm-released",
    "robal-resampled",
    "robal-resampled-released",
]

MILESTONES = (100 / 110, 105 / 110)
"""Where `step` divides by ten: epochs 100 and 105 of 110 (Pang et al., 2021, arXiv:2010.00467)."""
PEAK = 0.4
"""Where `one-cycle` turns; the rate rises linearly to it and then falls linearly to 0 (Wong et al., 2020)."""


class Study(NamedTuple):
    """A schedule of RoBal's long-tailed study (Wu et al., 2021, arXiv:2104.02703), in epochs."""

    epochs: int
    drops: tuple[int, int]
    """After so many the rate is divided by ten."""
    warm: int = 0
    """In so many it rises."""


STUDY = {
    "robal": Study(80, (60, 75)),
    "robal-warm": Study(80, (60, 75), warm=5),
    "robal-resampled": Study(25, (15, 20)),
}
"""That of all its methods; of the focal loss; of class-aware re-sampling."""


def factor(schedule: Schedule, progress: float) -> float:
    """The factor of the learning rate at `progress`, the share of the run's steps that are done, in [0, 1)."""
    if schedule == "constant":
        return 1.0
    if schedule == "step":
        return 0.1 ** bisect_right(MILESTONES, progress)
    if schedule.startswith("robal"):
        study = STUDY[schedule.removesuffix("-released")]
        epoch = int(progress * study.epochs + 1e-9)
        return released(study, epoch + 1) if schedule.endswith("-released") else meant(study, epoch)
    if schedule == "cosine":
        return (1 + cos(pi * progress)) / 2
    return progress / PEAK if progress < PEAK else (1 - progress) / (1 - PEAK)


def meant(study: Study, past: int) -> float:
    """The factor after `past` epochs as the study's settings mean it: up in equal steps, then down by tens."""
    return (past + 1) / study.warm if past < study.warm else 0.1 ** bisect_right(study.drops, past)


def released(study: Study, epoch: int) -> float:
    """The factor in `epoch` (from 1) as the study's released code makes it.

    It multiplies the current rate by the factor of the epoch in every epoch. So RoBal's is divided by ten in each epoch
    from the 60th and by a hundred from the 75th on, and hardly anything is learned after the 63rd; and five epochs of
    warming up, with factors 2/5, 3/5, 4/5 and 1 in the first four, lower the rate to 0.192 of itself for good.
    """
    rise = prod((past + 1) / study.warm for past in range(1, min(epoch + 1, study.warm)))
    return rise * 0.1 ** sum(bisect_right(study.drops, past) for past in range(1, epoch + 1))
