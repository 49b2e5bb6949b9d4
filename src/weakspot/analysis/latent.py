"""Where classes lie in feature space: their means and spread, and the distances between them.

A class mean over n images is off by sqrt(spread^2/n), and noise only ever pushes means apart: with few images and many
features all classes look far from each other. So the squared distances here are unbiased: the noise of both means is
taken off. Intervals are of images, by the jackknife, which leaves out one image at a time (Efron and Stein, 1981,
doi:10.1214/aos/1176345462), class by class. Features are in the model's own unit, so compare two models by ratios only.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist
from scipy.special import stdtrit

from weakspot.analysis.arrays import ClassCounts, Labels, PerClass, mean, ratio

Features = Float[np.ndarray, "samples features"]
"""What the last layer sees, one row per image."""
Table = Float[np.ndarray, "classes classes"]
"""A figure for each pair of classes."""


@dataclass(frozen=True)
class Estimate:
    """A figure per class with its interval; NaN where undefined."""

    value: PerClass
    low: PerClass
    high: PerClass


@dataclass(frozen=True)
class Moments:
    """What is needed of each class; NaN for a class without samples."""

    samples: ClassCounts
    mean: Float[np.ndarray, "classes features"]
    variance: PerClass
    """The trace of the unbiased covariance: the mean squared distance to the class mean, over n - 1; NaN below two."""

    @property
    def noise(self) -> PerClass:
        """The expected squared error of each class mean."""
        return ratio(self.variance, self.samples)


@dataclass(frozen=True)
class Geometry:
    """The classes of one set of images; NaN where a class has fewer than two samples."""

    samples: ClassCounts
    spread: Estimate
    """The root mean squared distance of a class's images to its mean."""
    distance: Table
    """Euclidean distances between class means, unbiased in the square; 0 where noise explains all of it."""
    cosine: Table
    """1 - the cosine between class means, measured from the origin as a cosine classifier does; in [0, 2]."""
    nearest: Int[np.ndarray, " classes"]
    """The class with the nearest mean (the first of equals); -1 where there is none."""
    nearest_distance: Estimate
    """Its interval is that of the distance to this very class."""
    mean_distance: Estimate
    """The mean of the distances to all other classes."""


def moments(features: Features, label: Labels, classes: int) -> Moments:
    """Number, mean and variance of the features in each class, in float64."""
    samples = np.bincount(label, minlength=classes)
    centre = np.full((classes, features.shape[1]), np.nan)
    variance = np.full(classes, np.nan)
    for c in np.flatnonzero(samples):
        mine = features[label == c].astype(np.float64)
        centre[c] = mine.mean(axis=0)
        variance[c] = ratio(((mine - centre[c]) ** 2).sum(), samples[c] - 1)
    return Moments(samples, centre, variance)


def between(one: Moments, other: Moments) -> Table:
    """Unbiased squared distances from the means of `one` (rows) to those of `other`, which share no image.

    They may be negative, as an unbiased figure of something near 0 must be.
    """
    return cdist(one.mean, other.mean, "sqeuclidean") - one.noise[:, None] - other.noise


def cosines(one: Moments, other: Moments) -> Table:
    """1 - the cosine between the means of `one` (rows) and those of `other`; the means' lengths are freed from noise.

    NaN where a mean is not longer than its noise.
    """
    return 1 - np.clip(ratio(one.mean @ other.mean.T, _length(one)[:, None] * _length(other)), -1, 1)


def crossing(before: Moments, after: Moments, moved: PerClass) -> tuple[Table, Table]:
    """Euclidean and cosine distances from the class means of `after` (rows) to those of `before`, of the same images.

    A class shares its images with itself, so there the noise of both means is not simply added: `moved`, the unbiased
    distance of the paired images (`shift`), stands on the diagonal, and decides the cosine there.
    """
    euclidean, cosine = _root(between(after, before)), cosines(after, before)
    np.fill_diagonal(euclidean, moved)
    a, b = _length(after), _length(before)
    # The law of cosines: |a - b|^2 = |a|^2 + |b|^2 - 2 |a| |b| cos.
    np.fill_diagonal(cosine, 1 - np.clip(ratio(a**2 + b**2 - moved**2, 2 * a * b), -1, 1))
    return euclidean, cosine


def geometry(features: Features, label: Labels, classes: int, level: float = 0.95) -> Geometry:
    """Spread, distances and nearest class of each class.

    Intervals need three images in each class concerned; they are Student's, on the scale of squares where the figure is
    the root of one.
    """
    found = moments(features, label, classes)
    squared = between(found, found)
    np.fill_diagonal(squared, np.where(np.isnan(found.variance), np.nan, 0))
    error, root_error, mean_error, spread_error = _jackknife_errors(features, label, found, squared)
    distance, freedom = _root(squared), (found.samples - 1).astype(float)
    others = np.where(np.eye(classes, dtype=bool), np.nan, distance)
    known = ~np.isnan(others).all(axis=1)
    nearest = np.where(known, np.argmin(np.where(np.isnan(others), np.inf, others), axis=1), -1)
    pair = np.arange(classes), nearest
    # An image of the class itself moves all its distances at once, an image of another class only one of them.
    moved = np.where(np.isnan(others), 0, root_error.T).sum(axis=1)
    varied = mean_error + ratio(moved, (~np.isnan(others)).sum(axis=1) ** 2)
    cosine = cosines(found, found)
    np.fill_diagonal(cosine, np.where(np.isnan(np.diag(cosine)), np.nan, 0))
    to_nearest = np.where(known, squared[pair], np.nan)
    nearest_error = np.where(known, error[pair] + error.T[pair], np.nan)
    return Geometry(
        samples=found.samples,
        spread=_root_estimate(found.variance, spread_error, freedom, level),
        distance=distance,
        cosine=cosine,
        nearest=nearest,
        nearest_distance=_root_estimate(to_nearest, nearest_error, np.minimum(freedom, freedom[nearest]), level),
        mean_distance=_estimate(mean(others, 1), varied, freedom, level),
    )


def shift(before: Features, after: Features, label: Labels, classes: int, level: float = 0.95) -> Estimate:
    """How far the mean of each class moves when its images turn from `before` into `after`, row by row the same images.

    Unbiased in the square, like the distances; the images are paired, so what they share is no noise.
    """
    delta = after.astype(np.float64) - before
    found = moments(delta, label, classes)
    squared = (found.mean**2).sum(axis=1) - found.noise
    error = np.full(classes, np.nan)
    for c in np.flatnonzero(found.samples > 2):
        mine = delta[label == c]
        n, away = len(mine), mine - found.mean[c]
        left = ((found.mean[c] - away / (n - 1)) ** 2).sum(axis=1)
        error[c] = _jackknife(left - _variance_without(away) / (n - 1))
    return _root_estimate(squared, error, (found.samples - 1).astype(float), level)


def _jackknife_errors(
    features: Features, label: Labels, found: Moments, squared: Table
) -> tuple[Table, Table, PerClass, PerClass]:
    """The part that the images of class c have in the variance of four figures.

    Returns:
        of the squared distance c to j; of the distance itself; of the mean distance of c; of the squared spread of c.
        NaN below three images.

    """
    classes = len(found.samples)
    error, root_error = np.full((classes, classes), np.nan), np.full((classes, classes), np.nan)
    mean_error, spread_error = np.full(classes, np.nan), np.full(classes, np.nan)
    for c in np.flatnonzero(found.samples > 2):
        away = features[label == c] - found.mean[c]
        n, lengths = len(away), (away**2).sum(axis=1, keepdims=True)
        # Without image k the mean is mean_c - away_k / (n - 1); no product of n x K x D numbers is needed.
        crossed = away @ (found.mean[c] - found.mean).T
        without = _variance_without(away)
        change = -2 * crossed / (n - 1) + lengths / (n - 1) ** 2 - without[:, None] / (n - 1) + found.noise[c]
        left = squared[c] + change
        left[:, c] = np.where(np.isnan(squared[c, c]), np.nan, 0)
        roots = _root(left)
        error[c], root_error[c], spread_error[c] = _jackknife(left), _jackknife(roots), _jackknife(without)
        mean_error[c] = _jackknife(mean(np.delete(roots, c, axis=1), 1))
    return error, root_error, mean_error, spread_error


def _variance_without(away: Float[np.ndarray, "images features"]) -> Float[np.ndarray, " images"]:
    """The variance of a class without each of its images in turn; `away` is each image minus the mean."""
    n, lengths = len(away), (away**2).sum(axis=1)
    return (lengths.sum() - n / (n - 1) * lengths) / (n - 2)


def _jackknife(left: Float[np.ndarray, "images ..."]) -> Float[np.ndarray, "..."]:
    """The jackknife's variance from the figures without each image in turn."""
    n = len(left)
    return np.asarray((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))


def _length(of: Moments) -> PerClass:
    """Of the class means, unbiased in the square; NaN where noise explains all of it."""
    squared = (of.mean**2).sum(axis=1) - of.noise
    return np.sqrt(np.where(squared > 0, squared, np.nan))


def _root(squared: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.sqrt(np.maximum(squared, 0))


def _estimate(value: PerClass, error: PerClass, freedom: PerClass, level: float) -> Estimate:
    half = stdtrit(np.maximum(freedom, 1), 0.5 + level / 2) * np.sqrt(error)
    return Estimate(value, np.maximum(value - half, 0), value + half)


def _root_estimate(squared: PerClass, error: PerClass, freedom: PerClass, level: float) -> Estimate:
    """The root of an unbiased square, with the roots of that square's limits."""
    half = stdtrit(np.maximum(freedom, 1), 0.5 + level / 2) * np.sqrt(error)
    return Estimate(_root(squared), _root(squared - half), _root(squared + half))
