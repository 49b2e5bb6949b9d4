"""How unevenly accuracy is spread over classes: worst classes, gap, spread, and the field's fairness figures.

Every figure is over the classes that have samples; `worst_class` says how sure the worst one is.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from weakspot.analysis.arrays import ClassCounts, Number, ratio

NAN = float("nan")


@dataclass(frozen=True)
class Disparity:
    """Accuracies are shares in [0, 1]; NaN where no class has samples."""

    worst: float
    """The lowest accuracy of a class: biased low, since noise makes minima."""
    worst_mean: float
    """The mean over the k classes of lowest accuracy: less biased than `worst`."""
    balanced: float
    """The mean over classes; under an attack, balanced robustness."""
    gap: float
    """Best minus worst class: biased high, as is `spread`."""
    spread: float
    """The standard deviation of the classes' accuracies; NaN below two classes."""
    spread_without_noise: float
    """The same without sampling noise, over the classes with at least two samples; 0 where noise explains all of it."""
    equal_p: float
    """The p-value of "all classes are equally accurate" (Pearson's chi-squared); NaN if all are 0 or all are 1."""


def disparity(correct: ClassCounts, samples: ClassCounts, k: int = 3) -> Disparity:
    """The spread of accuracy over classes; `k` is the number of classes in `worst_mean` (all, if there are fewer)."""
    present = samples > 0
    if not present.any():
        return Disparity(NAN, NAN, NAN, NAN, NAN, NAN, NAN)
    correct, samples = correct[present], samples[present]
    accuracy = np.sort(correct / samples)
    return Disparity(
        worst=float(accuracy[0]),
        worst_mean=float(accuracy[:k].mean()),
        balanced=float(accuracy.mean()),
        gap=float(accuracy[-1] - accuracy[0]),
        spread=float(accuracy.std(ddof=1)) if len(accuracy) > 1 else NAN,
        spread_without_noise=_spread_without_noise(correct, samples),
        equal_p=_equal_p(correct, samples),
    )


def _spread_without_noise(correct: ClassCounts, samples: ClassCounts) -> float:
    """The root of max(0, variance of accuracies - mean sampling variance)."""
    some = samples > 1  # one sample says nothing about its class's own noise
    if some.sum() < 2:
        return NAN
    accuracy, n = correct[some] / samples[some], samples[some]
    # p(1 - p)/(n - 1) is the unbiased estimate of the sampling variance, so the difference of variances is unbiased.
    variance = accuracy.var(ddof=1) - (accuracy * (1 - accuracy) / (n - 1)).mean()
    return float(np.sqrt(max(0.0, variance)))


def _equal_p(correct: ClassCounts, samples: ClassCounts) -> float:
    share = correct.sum() / samples.sum()
    if len(samples) < 2 or share in (0, 1):
        return NAN
    statistic = ((correct - samples * share) ** 2 / (samples * share * (1 - share))).sum()
    return float(chdtrc(len(samples) - 1, statistic))


def nrr(clean: Number, robust: Number) -> np.ndarray:
    """Natural-robustness ratio: the harmonic mean of clean and robust accuracy (CURE, ICLR 2024, equation 9).

    NaN where both are 0.
    """
    return ratio(2 * np.asarray(clean) * np.asarray(robust), np.asarray(clean) + np.asarray(robust))


def rho(worst: Number, average: Number, baseline_worst: Number, baseline_average: Number) -> float:
    """Relative gain in worst-class accuracy plus relative gain in average accuracy over a baseline (WAT, 2302.04025).

    Positive: the worst class gained relatively more than the average lost. NaN where a baseline value is 0, and
    unstable where the baseline's worst class is near 0: there 1.33 % to 2.33 % counts as +0.75.
    """
    worst_gain = ratio(np.asarray(worst) - baseline_worst, baseline_worst)
    return float(worst_gain + ratio(np.asarray(average) - baseline_average, baseline_average))
