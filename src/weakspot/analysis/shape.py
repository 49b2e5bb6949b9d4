"""Figures of one surface along its axes: how steep it is, how it bends over the radius, and where the class is lost."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from weakspot.analysis.arrays import Labels
from weakspot.analysis.bootstrap import DRAWS, percentiles, resampled_means
from weakspot.analysis.psi import FEW

Grids = Float[np.ndarray, "samples first second"]
Lines = Float[np.ndarray, "samples steps"]
Steps = Float[np.ndarray, " steps"]

SHOWN = (0.1, 0.5, 0.9)
"""The quantiles that are drawn and exported."""


def along(
    grids: Grids, first: Float[np.ndarray, " first"], second: Float[np.ndarray, " second"]
) -> tuple[Float[np.ndarray, "samples first"], Float[np.ndarray, "samples second"]]:
    """The profiles through the image: along the first direction, and along the second."""
    middle, centre = int(np.abs(first).argmin()), int(np.abs(second).argmin())
    return grids[:, :, centre], grids[:, middle, :]


def at(lines: Lines, steps: Steps, step: float) -> Float[np.ndarray, " samples"]:
    """The profiles' values at a step, linear between points; the end's value beyond it."""
    place = float(np.interp(step, steps, np.arange(len(steps))))
    below = min(int(place), len(steps) - 2)
    share = place - below
    return (1 - share) * lines[:, below] + share * lines[:, below + 1]


def rise(lines: Lines, steps: Steps) -> Float[np.ndarray, " samples"]:
    """V(1) - V(0): how far the surface goes up on the way to the ball's border."""
    return at(lines, steps, 1.0) - at(lines, steps, 0.0)


def curvature(lines: Lines, steps: Steps) -> Float[np.ndarray, " samples"]:
    """V(1) - 2 V(0) + V(-1): the second difference over the whole ball, in units of the radius; 0 for a plane."""
    return at(lines, steps, 1.0) - 2 * at(lines, steps, 0.0) + at(lines, steps, -1.0)


@dataclass(frozen=True)
class Spread:
    """Grids or profiles of a group of images."""

    samples: int
    mean: Float[np.ndarray, "..."]
    quantiles: Float[np.ndarray, "three ..."]
    """At SHOWN."""


def spread(values: Float[np.ndarray, "samples ..."]) -> Spread:
    """Mean and quantiles over images, point by point; points that are NaN for an image are left out there."""
    if not len(values):
        blank = np.full(values.shape[1:], np.nan)
        return Spread(0, blank, np.stack([blank] * len(SHOWN)))
    known = ~np.isnan(values)
    empty = ~known.any(axis=0)
    count = np.where(empty, 1, known.sum(axis=0))
    mean = np.where(empty, np.nan, np.where(known, values, 0).sum(axis=0) / count)
    quantile = np.quantile if known.all() else np.nanquantile
    found = quantile(np.where(empty, 0, values), SHOWN, axis=0)
    return Spread(len(values), mean, np.where(empty, np.nan, found))


def class_means(
    values: Float[np.ndarray, " samples"], label: Labels, classes: int, seed: int, draws: int = DRAWS
) -> Float[np.ndarray, "classes 3"]:
    """Mean, low and high (95 %, bootstrap) of each class; NaN without images, and no limits (NaN) below FEW of them.

    NaN values are left out.
    """
    known = ~np.isnan(values)
    values, label = values[known], label[known]
    found = percentiles(resampled_means(values[:, None], label, classes, draws, seed)[:, :, 0])
    mean = np.array([values[label == c].mean() if (label == c).any() else np.nan for c in range(classes)])
    low, high = (
        np.where(np.bincount(label, minlength=classes) < FEW, np.nan, limit) for limit in (found.low, found.high)
    )
    return np.stack([mean, low, high], axis=1)
