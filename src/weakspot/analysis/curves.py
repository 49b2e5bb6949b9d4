"""Accuracy against radius, per class: how fast each class falls as the attacker may do more.

Every image that broke a sample says at what distance it is broken, and so at every larger radius too: the curve at a
radius takes the worst over all smaller ones, sample by sample, and cannot rise. It is an upper bound: nothing is known
of distances at which no attack looked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from weakspot.addresses import Norm, Radius, ThreatAddress
from weakspot.analysis.arrays import ClassCounts, Flags, Labels, ratio
from weakspot.analysis.intervals import wilson
from weakspot.outcomes import Outcomes

PerSample = Float[np.ndarray, " samples"]
PerRadius = Float[np.ndarray, " radii"]
PerRadiusAndClass = Float[np.ndarray, "radii classes"]


def radii_up_to(largest: Radius, points: int) -> list[Radius]:
    """`points` radii in equal steps up to `largest`, exact fractions: 2/255, 4/255, 6/255 and 8/255, say."""
    return [Radius(largest.norm, largest.size * k / points) for k in range(1, points + 1)]


@dataclass(frozen=True)
class Least:
    """The least distance at which each attacked sample is known to be broken, by number of the sample."""

    sample: Int[np.ndarray, " samples"]
    label: Labels
    distance: PerSample
    """0 where it is wrong when clean, inf where nothing broke it."""


def least_distances(rows: Outcomes, threats: Sequence[str], norm: Norm) -> Least:
    """Read the least breaking distance in `norm` off the rows of `threats`: adversarial ones, of any radius and norm.

    Both distances of an image are measured, so an l2 attack's images count on an linf curve as well. Samples without a
    row under these threats are left out.
    """
    rows = rows.where(np.isin(rows.threat, list(threats)))
    reach = {"linf": rows.distance_linf, "l2": rows.distance_l2}.get(norm)
    if reach is None:
        raise ValueError(f"distances are measured in linf and l2, got {norm}")
    sample, first, group = np.unique(rows.sample, return_index=True, return_inverse=True)
    least = np.full(len(sample), np.inf)
    np.minimum.at(least, group, np.where(rows.correct | np.isnan(reach), np.inf, reach).astype(np.float64))
    return Least(sample=sample, label=rows.label[first], distance=least)


def within(distance: PerSample, radius: float) -> Flags:
    """Whether a measured distance lies within a radius, as the audit sees it: float32 rounds each pixel."""
    return distance <= radius * (1 + 1e-5) + 1e-6


@dataclass(frozen=True)
class Curves:
    """Accuracy at each radius, the first one being 0 (clean accuracy)."""

    radius: PerRadius
    samples: ClassCounts
    accuracy: PerRadiusAndClass
    """Per class; NaN for a class without samples."""
    low: PerRadiusAndClass
    """95 % Wilson limits, each for itself; they cover sampling alone."""
    high: PerRadiusAndClass
    overall: PerRadius
    """Of all samples."""
    area: Float[np.ndarray, " classes"]
    """The mean accuracy of each class over the radii from 0 to the largest, by trapezoids: one figure for a curve."""


def accuracy_curves(
    rows: Outcomes, threats: Sequence[str], norm: Norm, classes: int, radii: Sequence[float] | None = None
) -> Curves:
    """The curves of `threats`, at 0 and at `radii`.

    By default these are the radii in the addresses; a `curve` threat looked at its own, which `radii_up_to` names.

    Raises:
        ValueError: a radius lies beyond the largest one that was attacked in this norm, so nothing is known of it.

    """
    places = [ThreatAddress.of(threat).place for threat in threats]
    attacked = [radius for place in places if place and (radius := Radius.of(place)).norm == norm]
    largest = max((float(radius) for radius in attacked), default=0.0)
    asked = sorted({float(radius) for radius in attacked} if radii is None else {*radii} - {0.0})
    if asked and not within(np.array(asked[-1:]), largest).all():
        raise ValueError(f"no threat attacked beyond {norm}:{largest:g}, got the radius {asked[-1]:g}")
    least = least_distances(rows, threats, norm)
    samples = np.bincount(least.label, minlength=classes)
    steps = np.array([0.0, *asked])
    broken = np.stack([within(least.distance, radius) if radius else least.distance == 0 for radius in steps])
    correct = np.stack([np.bincount(least.label[~row], minlength=classes) for row in broken])
    limits = wilson(correct, np.broadcast_to(samples, correct.shape))
    accuracy = ratio(correct, samples)
    width = np.diff(steps)[:, None]
    area = ratio((width * (accuracy[1:] + accuracy[:-1]) / 2).sum(0), steps[-1])
    return Curves(
        radius=steps,
        samples=samples,
        accuracy=accuracy,
        low=limits.low,
        high=limits.high,
        overall=ratio(correct.sum(1), samples.sum()),
        area=area,
    )
