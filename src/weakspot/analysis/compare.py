"""Two methods on the same images: the difference per class, over all, balanced, and of the worst class.

With one run each it is a paired comparison of two models. With several runs (seeds) of a method, seeds and images are
crossed factors: every seed saw every image, so rows are never pooled. The error of a mean then has a part from images
and a part from seeds; a little is counted in both, which makes the limits slightly wide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri, stdtr

from weakspot.analysis.arrays import ClassCounts, Labels, PerClass, ratio
from weakspot.analysis.bootstrap import DRAWS, resampled_means
from weakspot.analysis.intervals import Interval
from weakspot.analysis.measures import ONE_SIDED, Measure, around, listed, named
from weakspot.analysis.paired import Paired, agresti_min, detectable, holm, paired
from weakspot.analysis.scores import Scores, align
from weakspot.analysis.worst_difference import worst_difference

NAN = float("nan")
POWER = 0.8


@dataclass(frozen=True)
class Comparison:
    """Last minus first, under one of clean, robust and corrupted; NaN for classes without samples."""

    runs: tuple[int, int]
    """How many runs (seeds) each side has; the spread over seeds of a side with one run is unknown and left out."""
    samples: ClassCounts
    first: PerClass
    """Accuracy, meaned over the runs of the first side."""
    last: PerClass
    difference: PerClass
    interval: Interval
    """One class at a time: Agresti-Min for one run each, else Student's t over images and seeds."""
    bounds: Interval
    """Both one-sided 95 % limits."""
    p: PerClass
    """Of "no difference": exact McNemar for one run each, else Student's t."""
    p_holm: PerClass
    """Adjusted for the number of classes."""
    detectable: PerClass
    """The true difference that such a comparison finds with 80 % power; NaN where even the largest is missed."""
    overall: Measure
    balanced: Measure
    worst: Measure
    worst_corrected: float
    """The difference of the worst class with both minima corrected for their bias."""
    worst_classes: tuple[int, int]
    """The class of lowest accuracy, first and last; -1 without samples."""
    paired: Paired | None
    """The paired counts, for one run each with 0/1 scores."""


def compare(
    first: Sequence[Scores],
    last: Sequence[Scores],
    classes: int,
    seed: int,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Comparison:
    """Compare the runs of one method with those of another on the same images.

    Args:
        first: One entry per run of the method before, under the same conditions as `last`.
        last: Of the method after.
        classes: K.
        seed: Names the random draws.
        draws: Stratified resamples of the images.
        level: Of the two-sided intervals.

    Raises:
        InputError: the runs do not hold the same samples.

    """
    label, values = align([*first, *last])
    samples = np.bincount(label, minlength=classes)
    before = len(first)
    means = np.stack([ratio(np.bincount(label, run, minlength=classes), samples) for run in values.T], axis=1)
    drawn = resampled_means(values, label, classes, draws, seed)
    one, two = means[:, :before].mean(axis=1), means[:, before:].mean(axis=1)
    exact = values.shape[1] == 2 and bool(np.isin(values, (0, 1)).all())
    if exact:
        pair = paired(values[:, 0] == 1, values[:, 1] == 1, label, classes, level)
        bounds = agresti_min(pair.only_first, pair.only_last, samples, 2 * ONE_SIDED - 1)
        per_class = pair.interval, bounds, pair.p, detectable(pair.only_first, pair.only_last, samples, level, POWER)
        overall = _overall_of_counts(pair, level)
    else:
        pair = None
        per_class = _by_class(means, drawn, samples, before, level)
        overall = _mean_over(means, drawn, ratio(samples, samples.sum()), before, level, 1 / (len(label) + 2))
    even = ratio(samples > 0, (samples > 0).sum())
    worst, corrected = _worst(label, values, means, drawn, before, level)
    return Comparison(
        runs=(before, len(last)),
        samples=samples,
        first=one,
        last=two,
        difference=two - one,
        interval=per_class[0],
        bounds=per_class[1],
        p=per_class[2],
        p_holm=holm(per_class[2]),
        detectable=per_class[3],
        overall=overall,
        balanced=_mean_over(means, drawn, even, before, level, float(np.sqrt(((even / (samples + 2)) ** 2).sum()))),
        worst=worst,
        worst_corrected=corrected,
        worst_classes=(_lowest(one), _lowest(two)),
        paired=pair,
    )


def comparison_measures(found: Mapping[str, Comparison], names: Sequence[str]) -> dict[str, Measure]:
    """All differences under their names (`weakspot.analysis.measures`); `found` is by clean, robust and corrupted."""
    measures: dict[str, Measure] = {}
    for scope, each in found.items():
        whole = {"": each.overall, "balanced_": each.balanced, "worst_class_": each.worst}
        measures |= named(scope, names, whole, listed(each.difference, each.interval, each.bounds))
    return measures


def _lowest(accuracy: PerClass) -> int:
    return -1 if np.isnan(accuracy).all() else int(np.nanargmin(accuracy))


def _crossed(images: np.ndarray, runs: Float[np.ndarray, "... runs"], before: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom (Satterthwaite, 1946) from the images' error and the spread over runs."""
    variance, fine = images**2, np.zeros(np.shape(images))
    for side in (runs[..., :before], runs[..., before:]):
        if (count := side.shape[-1]) > 1:
            part = side.var(axis=-1, ddof=1) / count
            variance, fine = variance + part, fine + part**2 / (count - 1)
    return np.sqrt(variance), np.where(fine > 0, ratio(variance**2, fine), np.inf)


def _by_class(
    means: np.ndarray, drawn: np.ndarray, samples: ClassCounts, before: int, level: float
) -> tuple[Interval, Interval, PerClass, PerClass]:
    """Interval, one-sided bounds, p-value and detectable difference of each class."""
    change = drawn[:, :, before:].mean(axis=2) - drawn[:, :, :before].mean(axis=2)
    # Where no resample differs, the error is not 0: it is what Agresti and Min give to no discordant image.
    images = np.where(samples > 0, np.maximum(change.std(axis=0), 1 / (samples + 2)), np.nan)
    deviation, freedom = _crossed(images, means, before)
    difference = means[:, before:].mean(axis=1) - means[:, :before].mean(axis=1)
    interval, bounds = around(difference, deviation, freedom, level)
    p = 2 * stdtr(np.minimum(freedom, 1e9), -np.abs(difference / deviation))
    needed = (ndtri(0.5 + level / 2) + ndtri(POWER)) * deviation
    return interval, bounds, p, np.where(needed <= 1, needed, np.nan)


def _overall_of_counts(pair: Paired, level: float) -> Measure:
    lost, gained, n = (np.array([x.sum()]) for x in (pair.only_first, pair.only_last, pair.samples))
    intervals = agresti_min(lost, gained, n, level), agresti_min(lost, gained, n, 2 * ONE_SIDED - 1)
    return listed(ratio(gained - lost, n), *intervals)[0]


def _mean_over(
    means: np.ndarray, drawn: np.ndarray, weight: PerClass, before: int, level: float, floor: float
) -> Measure:
    """A weighted mean over classes; `floor` is the least standard error."""
    if np.isnan(weight).all():
        return Measure(NAN, NAN, NAN, NAN, NAN)
    some = weight > 0
    runs, draws = weight[some] @ means[some], np.einsum("c,bcr->br", weight[some], drawn[:, some])
    images = np.maximum(floor, (draws[:, before:].mean(axis=1) - draws[:, :before].mean(axis=1)).std())
    deviation, freedom = _crossed(np.array([images]), runs[None], before)
    value = np.array([runs[before:].mean() - runs[:before].mean()])
    return listed(value, *around(value, deviation, freedom, level))[0]


def _worst(
    label: Labels, values: np.ndarray, means: np.ndarray, drawn: np.ndarray, before: int, level: float
) -> tuple[Measure, float]:
    samples = np.bincount(label, minlength=len(means))
    some = samples > 0
    if not some.any():
        return Measure(NAN, NAN, NAN, NAN, NAN), NAN
    within = ((values - means[label]) ** 2).sum(axis=0)
    of_counts = (samples[some, None] * means[some] * (1 - means[some])).sum(axis=0)
    design = np.where(of_counts > 0, ratio(within, of_counts), 1.0)
    found = worst_difference(means[some], drawn[:, some], samples[some], design, before)
    deviation, freedom = _crossed(np.array([found.image_deviation]), found.runs[None], before)
    ends = np.array(sorted((found.value, found.corrected)))
    low, high = (around(end[None], deviation, freedom, level) for end in ends)
    return Measure(
        value=found.value,
        low=float(low[0].low[0]),
        high=float(high[0].high[0]),
        lower=float(low[1].low[0]),
        upper=float(high[1].high[0]),
    ), found.corrected
