"""Named figures with their intervals, of one run or of a comparison: what a gate can be written about.

For each of clean, robust and corrupted, where a run has it: `robust` (over all images), `balanced_robust` (the mean
over classes), `worst_class_robust` and `class(NAME).robust`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from weakspot.analysis.arrays import Labels, PerClass, ratio
from weakspot.analysis.bootstrap import DRAWS, resampled_means
from weakspot.analysis.intervals import Interval, simultaneous, wilson
from weakspot.analysis.scores import Scores

NAN = float("nan")
ONE_SIDED = 0.95
"""The level of `lower` and of `upper`, each for itself."""


@dataclass(frozen=True)
class Measure:
    """A figure with its limits: accuracies in [0, 1], or differences of them; NaN where undefined."""

    value: float
    low: float
    """With `high`: the two-sided interval at the level asked for."""
    high: float
    lower: float
    """The lower limit of the one-sided 95 % interval."""
    upper: float


def around(value: PerClass, deviation: PerClass, freedom: PerClass, level: float) -> tuple[Interval, Interval]:
    """Two-sided limits at `level`, and both one-sided ones: Student's t with `freedom` degrees, inf for the normal."""
    some = np.minimum(freedom, 1e9)  # the quantile of infinite freedom is NaN
    wide, narrow = (stdtrit(some, q) * deviation for q in (0.5 + level / 2, ONE_SIDED))
    return Interval(value - wide, value + wide), Interval(value - narrow, value + narrow)


def named(
    scope: str, names: Sequence[str], measures: Mapping[str, Measure], classes: Sequence[Measure]
) -> dict[str, Measure]:
    """The figures of one scope under their full names; `measures` holds "", "balanced_" and "worst_class_"."""
    found = {f"{prefix}{scope}": measure for prefix, measure in measures.items()}
    return found | {f"class({name}).{scope}": each for name, each in zip(names, classes, strict=True)}


def run_measures(
    found: Mapping[str, Scores], names: Sequence[str], seed: int, draws: int = DRAWS, level: float = 0.95
) -> dict[str, Measure]:
    """All figures of one run; `found` is what `scores` gives, `names` are the class names."""
    measures: dict[str, Measure] = {}
    for scope, each in found.items():
        exact = bool(np.isin(each.score, (0, 1)).all())
        judge = _of_counts if exact else _of_shares
        measures |= named(scope, names, *judge(each.label, each.score, len(names), seed, draws, level))
    return {name: Measure(*np.clip(astuple(measure), 0, 1).tolist()) for name, measure in measures.items()}


def listed(value: PerClass, interval: Interval, bounds: Interval) -> list[Measure]:
    """Measures from arrays."""
    columns = (value, interval.low, interval.high, bounds.low, bounds.high)
    return [Measure(*(float(column[c]) for column in columns)) for c in range(len(value))]


def _of_counts(
    label: Labels, score: Float[np.ndarray, " samples"], classes: int, seed: int, draws: int, level: float
) -> tuple[dict[str, Measure], list[Measure]]:
    """Of 0/1 scores: Wilson for classes and all; for the worst class simultaneous limits."""
    samples = np.bincount(label, minlength=classes)
    correct = np.bincount(label[score == 1], minlength=classes)
    accuracy = ratio(correct, samples)
    sides = 2 * ONE_SIDED - 1  # both one-sided limits at once
    total = np.array([correct.sum()]), np.array([samples.sum()])
    both, each = simultaneous(correct, samples, level), simultaneous(correct, samples, sides)
    overall = listed(ratio(*total), wilson(*total, level), wilson(*total, sides))[0]
    # One more of each kind, so that a class with none right (or wrong) is not taken to be without error.
    smooth = (correct + 1) / (samples + 2)
    measures = {
        "": overall,
        "balanced_": _balanced(accuracy, ratio(smooth * (1 - smooth), samples), samples > 0, level),
        "worst_class_": Measure(*(_least(x) for x in (accuracy, both.low, both.high, each.low, each.high))),
    }
    return measures, listed(accuracy, wilson(correct, samples, level), wilson(correct, samples, sides))


def _of_shares(
    label: Labels, score: Float[np.ndarray, " samples"], classes: int, seed: int, draws: int, level: float
) -> tuple[dict[str, Measure], list[Measure]]:
    """Of scores between 0 and 1: normal limits from resampled images; Bonferroni for the worst class."""
    samples = np.bincount(label, minlength=classes)
    mean = ratio(np.bincount(label, score, minlength=classes), samples)
    drawn = resampled_means(score[:, None], label, classes, draws, seed)[:, :, 0].std(axis=0)
    # Where all images score alike no resample differs; the error is still not 0.
    deviation = np.maximum(drawn, 1 / (samples + 2))
    endless = np.full(classes, np.inf)
    weight = ratio(samples, samples.sum())
    total = float(np.nansum(mean * weight)), float(np.sqrt(np.nansum((deviation * weight) ** 2)))
    overall = listed(*_normal(*total, level))[0]
    many = max(1, int((samples > 0).sum()))
    both, _ = around(mean, deviation, endless, 1 - (1 - level) / many)
    each, _ = around(mean, deviation, endless, 1 - 2 * (1 - ONE_SIDED) / many)
    measures = {
        "": overall,
        "balanced_": _balanced(mean, deviation**2, samples > 0, level),
        "worst_class_": Measure(*(_least(x) for x in (mean, both.low, both.high, each.low, each.high))),
    }
    return measures, listed(mean, *around(mean, deviation, endless, level))


def _normal(value: float, deviation: float, level: float) -> tuple[PerClass, Interval, Interval]:
    return np.array([value]), *around(np.array([value]), np.array([deviation]), np.array([np.inf]), level)


def _balanced(accuracy: PerClass, variance: PerClass, present: np.ndarray, level: float) -> Measure:
    """The mean over classes; its variance is the sum of theirs over K^2, since classes share no image."""
    many = int(present.sum())
    if many == 0:
        return Measure(NAN, NAN, NAN, NAN, NAN)
    deviation = float(np.sqrt(variance[present].sum()) / many)
    return listed(*_normal(float(accuracy[present].mean()), deviation, level))[0]


def _least(values: PerClass) -> float:
    known = values[~np.isnan(values)]
    return float(known.min()) if len(known) else NAN
