"""Figures of psi per class and overall, with bootstrap intervals: images are resampled within their classes.

psi = 1 / divergence is heavy-tailed: one image that nothing moves makes a mean infinite. So the figure to go by is
1 / the mean divergence; the median and the low quantile say what the typical and the weak images of a class are like.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from weakspot.analysis.arrays import Labels
from weakspot.analysis.bootstrap import DRAWS

LOW = 0.1
"""The low quantile."""
FEW = 5
"""Below so many images a resample says little about others: there is no interval."""
NUMBERS = 4_000_000
"""Resampled values held at once."""

Divergences = Float[np.ndarray, " samples"]


@dataclass(frozen=True)
class Figure:
    """A value with its interval; infinite where no image moves, NaN without images; no interval (NaN) of few."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PsiFigures:
    """psi of a class, or of all images."""

    samples: int
    still: int
    """Images that no point of the search moved: their psi is infinite."""
    inverse_mean: Figure
    """1 / the mean divergence."""
    median: Figure
    low_quantile: Figure
    """What LOW of the images stay below."""
    mean: Figure
    """The mean of psi over images, as published."""


def psi_figures(
    divergence: Divergences, label: Labels, classes: int, seed: int, draws: int = DRAWS, level: float = 0.95
) -> tuple[PsiFigures, list[PsiFigures]]:
    """Overall, and of each class.

    Args:
        divergence: The largest divergence found for each image, in nats, at least 0.
        label: Of each image.
        classes: K.
        seed: Of the resamples.
        draws: How many.
        level: Of the intervals.

    """
    groups = [np.flatnonzero(label == c) for c in range(classes)]
    drawn: list[list[np.ndarray]] = [[] for _ in range(classes + 1)]
    for picks in _resamples(groups, draws, seed):
        for c, pick in enumerate(picks):
            drawn[c].append(_four(divergence[pick]))
        drawn[classes].append(_four(divergence[np.concatenate(picks, axis=1)]))
    made = [
        _figures(divergence[members], np.concatenate(parts), level)
        for members, parts in zip([*groups, np.arange(len(label))], drawn, strict=True)
    ]
    return made[-1], made[:-1]


def _resamples(
    groups: list[Int[np.ndarray, " _"]], draws: int, seed: int
) -> Iterator[list[Int[np.ndarray, "draws _"]]]:
    """For each class the positions of some resamples; all classes together are one resample of the whole."""
    random = np.random.default_rng(seed)
    step = max(1, NUMBERS // max(1, sum(len(group) for group in groups)))
    for start in range(0, draws, step):
        some = min(step, draws - start)
        yield [
            group[random.integers(0, len(group), (some, len(group)))] if len(group) else np.zeros((some, 0), np.int64)
            for group in groups
        ]


def _four(divergence: Float[np.ndarray, "... samples"]) -> Float[np.ndarray, "... 4"]:
    """The four figures, along the last axis; NaN without images."""
    if divergence.shape[-1] == 0:
        return np.full((*divergence.shape[:-1], 4), np.nan)
    with np.errstate(divide="ignore"):
        psi = 1 / divergence
    # Order statistics instead of interpolation: between a finite and an infinite psi there is nothing.
    median, low = np.quantile(psi, [0.5, LOW], axis=-1, method="lower")
    with np.errstate(divide="ignore"):
        return np.stack([1 / divergence.mean(axis=-1), median, low, psi.mean(axis=-1)], axis=-1)


def _figures(divergence: Divergences, drawn: Float[np.ndarray, "draws 4"], level: float) -> PsiFigures:
    values = _four(divergence)
    if len(divergence) < FEW:
        return PsiFigures(
            len(divergence), int((divergence == 0).sum()), *(Figure(float(each), np.nan, np.nan) for each in values)
        )
    # A limit between finite and infinite draws is one of them, not their mean.
    tail = (1 - level) / 2
    low, high = (
        np.quantile(drawn, tail, axis=0, method="lower"),
        np.quantile(drawn, 1 - tail, axis=0, method="higher"),
    )
    made = [Figure(*(float(each) for each in line)) for line in zip(values, low, high, strict=True)]
    return PsiFigures(len(divergence), int((divergence == 0).sum()), *made)
