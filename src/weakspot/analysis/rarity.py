"""Is a class weak because it is rare or because it is hard? Models whose frequent classes are other ones tell.

The accuracy of class c in run r is fitted by least squares as y_rc = m + h_c + b (x_rc - mean x), x being the decimal
logarithm of the training count: h_c is how hard the class is (at the mean count, against the mean class), b what ten
times the samples bring. The variance of y over runs and classes is split into class, frequency and the rest; what both
explain is halved (Lindeman, Merenda and Gold, 1980), which matters only where the design confounds them.

A sum of squares is too large by what noise adds, so the noise of sampling images, as resamples show it, is taken out.
Intervals resample images, which all runs share; the randomness of training is part of the rest and of no interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from weakspot.analysis.arrays import ClassCounts, Number, PerClass, ratio
from weakspot.analysis.bootstrap import DRAWS, percentiles, resampled_means
from weakspot.analysis.class_means import Estimate
from weakspot.analysis.intervals import Interval
from weakspot.analysis.scores import Scores, align
from weakspot.errors import InputError

Cells = Float[np.ndarray, "... runs classes"]


@dataclass(frozen=True)
class RareOrHard:
    """What several runs say together; figures of a class without audited images are NaN."""

    slope: Estimate
    """Accuracy gained per ten times as many training samples, the class being the same."""
    hardness: PerClass
    """Accuracy at the mean (logarithmic) count, less that of the mean class: below 0 the class is hard."""
    hardness_limits: Interval
    rarity: Float[np.ndarray, "runs classes"]
    """What its count gives or takes a class in each run, against the mean count: slope x (x - mean x)."""
    rarity_limits: Interval
    hard: Estimate
    """Share of the variance over runs and classes that belongs to which class it is."""
    rare: Estimate
    """The share that belongs to how frequent the class was in training."""
    rest: Estimate
    """The share that belongs to neither: training, and what a straight line in log count misses."""
    noise: float
    """The share of the variance as counted that is sampling of images; it was taken out before."""
    confounded: float
    """How much of the variance of log count the class explains: 0 where every class had every rank alike."""


@dataclass(frozen=True)
class _Design:
    """Log counts of the runs, centred over all cells and within each class."""

    x: Cells
    centred: Cells
    within: Cells

    def slope(self, y: Cells) -> np.ndarray:
        """The slope b of each table of accuracies."""
        return np.asarray((self.within * y).sum(axis=(-2, -1)) / (self.within**2).sum())

    def parts(self, y: Cells) -> np.ndarray:
        """The sums of squares of class, frequency and rest, last axis of length 3; each is a quadratic form in y."""
        mean = y.mean(axis=(-2, -1), keepdims=True)
        total = ((y - mean) ** 2).sum(axis=(-2, -1))
        by_class = y.shape[-2] * ((y.mean(axis=-2, keepdims=True) - mean) ** 2).sum(axis=(-2, -1))
        by_count = (self.centred * y).sum(axis=(-2, -1)) ** 2 / (self.centred**2).sum()
        both = by_class + self.slope(y) ** 2 * (self.within**2).sum()
        return np.stack([(by_class + both - by_count) / 2, (by_count + both - by_class) / 2, total - both], axis=-1)

    def hardness(self, y: Cells) -> np.ndarray:
        """h_c of each table."""
        level = y.mean(axis=-2) - self.slope(y)[..., None] * self.x.mean(axis=0)
        return np.asarray(level - level.mean(axis=-1, keepdims=True))


def rare_or_hard(
    runs: Sequence[Scores], counts: Sequence[ClassCounts], seed: int, draws: int = DRAWS, level: float = 0.95
) -> RareOrHard:
    """Split what makes classes weak into rare and hard.

    Args:
        runs: The scores of each run on the same images.
        counts: The training samples per class of each run.
        seed: Names the random draws.
        draws: Resamples of the images.
        level: Of the intervals.

    Raises:
        InputError: the runs do not hold the same images, their counts are the same for every class, or a class was
            trained on no sample.

    """
    label, values = align(runs)
    classes = len(counts[0])
    samples = np.bincount(label, minlength=classes)
    some = samples > 0
    design = _design(np.stack(counts)[:, some])
    means = np.stack([ratio(np.bincount(label, run, minlength=classes), samples) for run in values.T])[:, some]
    drawn = resampled_means(values, label, classes, draws, seed)[:, some].transpose(0, 2, 1)
    parts, drawn_parts = design.parts(means), design.parts(drawn)
    noise = drawn_parts.mean(axis=0) - parts
    # A resample's sums hold the noise twice: that of the images at hand, and that of drawing from them.
    shares, drawn_shares = _shares(parts - noise), _shares(drawn_parts - 2 * noise)
    split = [_estimate(shares[at], drawn_shares[:, at], level) for at in range(3)]
    slope = _estimate(design.slope(means), design.slope(drawn), level)
    hardness = percentiles(design.hardness(drawn), level)
    away = np.full((len(runs), classes), np.nan)
    away[:, some] = design.centred
    ends = np.stack([slope.low * away, slope.high * away])
    return RareOrHard(
        slope=slope,
        hardness=_spread(design.hardness(means), some),
        hardness_limits=Interval(_spread(hardness.low, some), _spread(hardness.high, some)),
        rarity=slope.value * away,
        rarity_limits=Interval(ends.min(axis=0), ends.max(axis=0)),
        hard=split[0],
        rare=split[1],
        rest=split[2],
        noise=float(np.clip(ratio(noise.sum(), parts.sum()), 0, 1)),
        confounded=float(1 - (design.within**2).sum() / (design.centred**2).sum()),
    )


def _design(counts: np.ndarray) -> _Design:
    if (counts < 1).any():
        raise InputError(
            "a class that was trained on no sample has no logarithm of its count; compare runs that saw every class"
        )
    x = np.log10(counts)
    within = x - x.mean(axis=0)
    if (within**2).sum() < 1e-12:
        raise InputError(
            "rare and hard cannot be told apart: every class has the same training count in all runs; add runs whose "
            "classes come in another order, such as +lt_order=1"
        )
    return _Design(x, x - x.mean(), within)


def _shares(parts: np.ndarray) -> np.ndarray:
    """Each part of their sum, none below 0."""
    known = np.maximum(parts, 0)
    return ratio(known, known.sum(axis=-1, keepdims=True))


def _estimate(value: Number, drawn: Float[np.ndarray, " draws"], level: float) -> Estimate:
    found = percentiles(drawn, level)
    return Estimate(float(value), float(found.low), float(found.high))


def _spread(values: np.ndarray, some: np.ndarray) -> PerClass:
    """Values of the classes with images, at their places among all classes."""
    made = np.full(len(some), np.nan)
    made[some] = values
    return made
