"""Bootstrap intervals: images are resampled with replacement within each class, so class sizes stay (Efron, 1979).

For a single class's accuracy `intervals.wilson` is better, and for a minimum over classes `worst_class`: a percentile
interval of a minimum keeps the minimum's bias.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from weakspot.analysis.arrays import Labels, ratio
from weakspot.analysis.confusion import confusion_cells
from weakspot.analysis.intervals import Interval, clopper_pearson

DRAWS = 1000


def percentiles(draws: Float[np.ndarray, "draws ..."], level: float = 0.95) -> Interval:
    """The central interval of the draws that are defined, elementwise; NaN where none is."""
    undefined = np.isnan(draws).all(axis=0)
    tail = (1 - level) / 2
    known = np.where(undefined, 0, draws)
    # nanquantile goes column by column; for a thousand classes that is most of the time of an analysis.
    quantile = np.nanquantile if np.isnan(known).any() else np.quantile
    low, high = quantile(known, [tail, 1 - tail], axis=0)
    return Interval(low=np.where(undefined, np.nan, low), high=np.where(undefined, np.nan, high))


def resampled_means(
    values: Float[np.ndarray, "samples columns"], label: Labels, classes: int, draws: int, seed: int
) -> Float[np.ndarray, "draws classes columns"]:
    """Class means of `values` in each resample; NaN for a class without samples.

    One row of `values` is one image: whatever belongs to an image (all its corruptions, all runs that saw it) stays
    together as its columns.
    """
    random = np.random.default_rng(seed)
    means = np.full((draws, classes, values.shape[1]), np.nan)
    for c in range(classes):
        mine = values[label == c]
        if n := len(mine):
            step = max(1, 2_000_000 // n)  # a large class is resampled in parts, to bound memory
            for start in range(0, draws, step):
                some = min(step, draws - start)
                picks = random.integers(0, n, (some, n)) + n * np.arange(some)[:, None]
                times = np.bincount(picks.ravel(), minlength=some * n).reshape(some, n)
                means[start : start + some, c] = times @ mine / n
    return means


def resampled_errors(
    label: Labels, prediction: Labels, classes: int, draws: int, seed: int
) -> tuple[Int[np.ndarray, "draws classes"], Int[np.ndarray, "draws classes"]]:
    """False positives and false negatives per class in each resample.

    Resampling the images of a class is a multinomial draw from its row of the confusion matrix; only cells that hold
    a sample are drawn, so 1,000 classes are no million cells.
    """
    random = np.random.default_rng(seed)
    cells = confusion_cells(label, prediction, classes)
    positives = np.zeros((draws, classes), dtype=np.int64)
    negatives = np.zeros((draws, classes), dtype=np.int64)
    bounds = np.searchsorted(cells.label, np.arange(classes + 1))
    for c, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        predicted, count = cells.prediction[start:stop], cells.count[start:stop]
        off = predicted != c
        if off.any():
            drawn = random.multinomial(count.sum(), count / count.sum(), draws)[:, off]
            positives[:, predicted[off]] += drawn
            negatives[:, c] = drawn.sum(axis=1)
    return positives, negatives


@dataclass(frozen=True)
class AttractionIntervals:
    """Intervals of `Attraction`'s shares; NaN where the share is undefined, as CFNS of a class without samples."""

    cfps: Interval
    cfns: Interval


def attraction_intervals(
    label: Labels, prediction: Labels, classes: int, seed: int, draws: int = DRAWS, level: float = 0.95
) -> AttractionIntervals:
    """Bootstrap intervals of CFPS and CFNS.

    A class with none (or all) of the errors has the same in every resample; its open end is the Clopper-Pearson limit
    of 0 of (or all of) the errors instead.
    """
    wrong = label != prediction
    drawn = resampled_errors(label, prediction, classes, draws, seed)
    observed = (np.bincount(prediction[wrong], minlength=classes), np.bincount(label[wrong], minlength=classes))
    errors = int(wrong.sum())
    cfps, cfns = (_share_interval(counts, each, errors, level) for counts, each in zip(observed, drawn, strict=True))
    return AttractionIntervals(cfps=cfps, cfns=_of_present(cfns, label, classes))


def clustered_attraction_intervals(
    sample: Int[np.ndarray, " samples"],
    label: Labels,
    prediction: Labels,
    classes: int,
    seed: int,
    draws: int = DRAWS,
    level: float = 0.95,
) -> AttractionIntervals:
    """The same where an image has several rows (its corruptions): an image is resampled with all of them.

    An open end is the limit of 0 of (or all of) the images with an error. It takes draws x K^2 numbers, so K should
    not be above about 100.
    """
    _, first, image = np.unique(sample, return_index=True, return_inverse=True)
    wrong = label != prediction
    errors = np.bincount(image[wrong] * classes + prediction[wrong], minlength=len(first) * classes)
    own = label[first]
    means = resampled_means(errors.reshape(len(first), classes).astype(float), own, classes, draws, seed)
    drawn = np.nan_to_num(means) * np.bincount(own, minlength=classes)[:, None]
    observed = (np.bincount(prediction[wrong], minlength=classes), np.bincount(label[wrong], minlength=classes))
    erring = len(np.unique(image[wrong]))
    cfps = _share_interval(observed[0], drawn.sum(axis=1), erring, level)
    cfns = _share_interval(observed[1], drawn.sum(axis=2), erring, level)
    return AttractionIntervals(cfps=cfps, cfns=_of_present(cfns, label, classes))


def _of_present(interval: Interval, label: Labels, classes: int) -> Interval:
    """NaN for the classes without samples."""
    present = np.bincount(label, minlength=classes) > 0
    return Interval(low=np.where(present, interval.low, np.nan), high=np.where(present, interval.high, np.nan))


def _share_interval(
    counts: Int[np.ndarray, " classes"],
    drawn: Int[np.ndarray, "draws classes"] | Float[np.ndarray, "draws classes"],
    independent: int,
    level: float,
) -> Interval:
    """Of `counts` as shares of their sum; `independent` errors back the limits of none and of all."""
    errors = counts.sum()
    found = percentiles(ratio(drawn, drawn.sum(axis=1, keepdims=True)), level)
    end = (counts == 0) | (counts == errors)
    whole = np.full_like(counts, independent)
    exact = clopper_pearson(np.where(counts == 0, 0, whole), whole, level)
    return Interval(low=np.where(end, exact.low, found.low), high=np.where(end, exact.high, found.high))
