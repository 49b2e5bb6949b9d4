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
    "at-bsl",
    "rice",
    "trades",
    "mart",
]

PEAK = 0.4
"""Where `one-cycle` turns; the rate rises linearly to it and then falls linearly to 0 (Wong et al., 2020)."""


class Drops(NamedTuple):
    """A published schedule, in epochs."""

    epochs: int
    after: tuple[int, ...]
    """After so many the rate is divided by ten."""
    warm: int = 0
    """In so many it rises."""


PUBLISHED = {
    "step": Drops(110, (100, 105)),
    "robal": Drops(80, (60, 75)),
    "robal-warm": Drops(80, (60, 75), warm=5),
    "robal-resampled": Drops(25, (15, 20)),
    "at-bsl": Drops(100, (74, 89, 99)),
    "rice": Drops(200, (100, 150)),
    "trades": Drops(76, (74,)),
    "mart": Drops(120, (74, 89, 99)),
}
"""Pang et al. (2021, arXiv:2010.00467); RoBal's study (Wu et al., 2021, arXiv:2104.02703): all its methods, the focal
loss, class-aware re-sampling; Yue et al. (2024, arXiv:2403.10073); Rice et al. (2020, arXiv:2002.11569), which CFA
follows; Zhang et al. (2019, arXiv:1901.08573); Wang et al. (2020, OpenReview rklOg6EFwS), by their code. The code of
the last two and of AT-BSL counts epochs from 1, so that its "epoch 75" is the first with the lower rate; AT-BSL's 100th
is lowered once more."""


def factor(schedule: Schedule, progress: float) -> float:
    """The factor of the learning rate at `progress`, the share of the run's steps that are done, in [0, 1)."""
    if schedule == "constant":
        return 1.0
    if schedule in PUBLISHED or schedule.endswith("-released"):
        drops = PUBLISHED[schedule.removesuffix("-released")]
        epoch = int(progress * drops.epochs + 1e-9)
        return released(drops, epoch + 1) if schedule.endswith("-released") else meant(drops, epoch)
    if schedule == "cosine":
        return (1 + cos(pi * progress)) / 2
    return progress / PEAK if progress < PEAK else (1 - progress) / (1 - PEAK)


def meant(drops: Drops, past: int) -> float:
    """The factor after `past` epochs as the paper's settings mean it: up in equal steps, then down by tens."""
    return (past + 1) / drops.warm if past < drops.warm else 0.1 ** bisect_right(drops.after, past)


def released(drops: Drops, epoch: int) -> float:
    """The factor in `epoch` (from 1) as RoBal's released code makes it.

    It multiplies the current rate by the factor of the epoch in every epoch. So RoBal's is divided by ten in each epoch
    from the 60th and by a hundred from the 75th on, and hardly anything is learned after the 63rd; and five epochs of
    warming up, with factors 2/5, 3/5, 4/5 and 1 in the first four, lower the rate to 0.192 of itself for good.
    """
    rise = prod((past + 1) / drops.warm for past in range(1, min(epoch + 1, drops.warm)))
    return rise * 0.1 ** sum(bisect_right(drops.after, past) for past in range(1, epoch + 1))
