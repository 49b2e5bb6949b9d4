"""Whose images are an image's neighbours in feature space: k-nearest-neighbour label purity."""

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from weakspot.analysis.arrays import ClassCounts, Labels, PerClass, ratio
from weakspot.analysis.latent import Estimate, Features

NEIGHBOURS = 10
_ROWS = 256
"""Images whose distances are held at once, to bound memory."""


def purity(
    points: Features, reference: Features, label: Labels, neighbours: int = NEIGHBOURS
) -> Float[np.ndarray, " samples"]:
    """The share of each point's nearest reference images that have its label, in [0, 1].

    Row i of both belongs to one image, which is never its own neighbour: for clean images give the same features twice,
    for attacked ones the clean ones as the reference. With fewer other images than `neighbours` all of them count; NaN
    where there is none. Of images at equal distance, such as features that are all 0, each counts for the same part.
    """
    count = min(neighbours, len(reference) - 1)
    if count < 1:
        return np.full(len(points), np.nan)
    lengths = (reference.astype(np.float64) ** 2).sum(axis=1)
    rounding = 1e-10 * lengths.max()
    share = np.empty(len(points))
    for start in range(0, len(points), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(points)))
        # The point's own length is the same for all its neighbours, so it is left out.
        distance = lengths - 2 * (points[rows].astype(np.float64) @ reference.T)
        distance[np.arange(len(rows)), rows] = np.inf
        last = np.partition(distance, count - 1, axis=1)[:, count - 1 : count]
        same = label[rows, None] == label
        nearer, level = distance < last - rounding, np.abs(distance - last) <= rounding
        some = (count - nearer.sum(axis=1)) * (level & same).sum(axis=1) / level.sum(axis=1)
        share[rows] = ((nearer & same).sum(axis=1) + some) / count
    return share


def chance(samples: ClassCounts) -> PerClass:
    """The purity of each class where labels are dealt at random: (n_c - 1) / (N - 1); NaN for one without samples."""
    return np.where(samples > 0, ratio(samples - 1, samples.sum() - 1), np.nan)


def class_means(values: Float[np.ndarray, " samples"], label: Labels, classes: int, level: float = 0.95) -> Estimate:
    """The mean of shares in each class, with Student's interval, cut to [0, 1].

    It takes images as independent, which neighbours are not quite. NaN without samples; no interval below two.
    """
    samples = np.bincount(label, minlength=classes)
    centre = ratio(np.bincount(label, values, minlength=classes), samples)
    squares = np.bincount(label, (values - centre[label]) ** 2, minlength=classes)
    deviation = np.sqrt(ratio(ratio(squares, samples - 1), samples))
    # Where all images score alike the error is still not 0.
    half = stdtrit(np.maximum(samples - 1, 1), 0.5 + level / 2) * np.maximum(deviation, 1 / (samples + 2))
    return Estimate(centre, np.maximum(centre - half, 0), np.minimum(centre + half, 1))
