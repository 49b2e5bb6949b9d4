"""Which class is the worst, how surely, and how bad it is.

The lowest of several noisy accuracies is too low on average (E[min] <= min E, Jensen), and the class that shows it may
not be the worst. So three things stand beside it: the probability of each class to be the worst, a value corrected for
the bias, and limits that hold whichever class is the worst.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import betaln

from weakspot.analysis.arrays import ClassCounts, PerClass
from weakspot.analysis.intervals import simultaneous

DRAWS = 1000


@dataclass(frozen=True)
class WorstClass:
    """The class of lowest accuracy; all values are NaN where no class has samples."""

    index: int
    """Its number; of equals the one with most samples, then the first; -1 where no class has samples."""
    accuracy: float
    """Its accuracy as counted."""
    corrected: float
    """The lowest class accuracy, corrected for the bias of a minimum; in [0, 1]."""
    low: float
    """With `high`: limits of the lowest true accuracy, whichever class has it, at the level or above."""
    high: float
    probability: PerClass
    """That the class is the worst; sums to 1, NaN for a class without samples."""


def worst_class(
    correct: ClassCounts, samples: ClassCounts, seed: int, draws: int = DRAWS, level: float = 0.95
) -> WorstClass:
    """The worst class with its probability, bias-corrected value and interval.

    Args:
        correct: Correct samples per class.
        samples: Samples per class; classes without samples take no part.
        seed: Names the random draws: the same seed gives the same figures.
        draws: Posterior draws and bootstrap draws; the standard error of a probability is at most 0.5 / sqrt(draws).
        level: Of [low, high] = [min L, min U], with L and U the simultaneous limits of the classes.

    """
    probability = np.full(len(samples), np.nan)
    present = np.flatnonzero(samples > 0)
    if len(present) == 0:
        nan = float("nan")
        return WorstClass(-1, nan, nan, nan, nan, probability)
    k, n = correct[present], samples[present]
    accuracy = k / n
    first = np.lexsort((-n, accuracy))[0]
    random = np.random.default_rng(seed)
    probability[present] = probability_worst(k, n, random, draws)
    limits = simultaneous(k, n, level)
    return WorstClass(
        index=int(present[first]),
        accuracy=float(accuracy[first]),
        corrected=corrected_minimum(k, n, random, draws),
        low=float(limits.low.min()),
        high=float(limits.high.min()),
        probability=probability,
    )


def shrunk(correct: ClassCounts, samples: ClassCounts) -> PerClass:
    """Class accuracies drawn towards their mean by the share of their variance that is noise; all classes have samples.

    p~ = m + w (p - m) with w = tau^2 / (tau^2 + m(1 - m)/n), tau^2 = max(0, var(p) - mean(m(1 - m)/n)): with equal n
    the weight is 1 - noise/variance, and a class with fewer samples is drawn further.
    """
    accuracy = correct / samples
    mean = accuracy.mean()
    noise = mean * (1 - mean) / samples
    tau2 = max(0.0, float(accuracy.var(ddof=1) - noise.mean())) if len(accuracy) > 1 else np.inf
    if tau2 in (0, np.inf):
        return np.full(len(accuracy), mean)
    return mean + tau2 / (tau2 + noise) * (accuracy - mean)


def corrected_minimum(correct: ClassCounts, samples: ClassCounts, random: np.random.Generator, draws: int) -> float:
    """The lowest accuracy minus its bias, which is simulated with the shrunk accuracies as the truth.

    With the raw accuracies as the truth the bias of a bootstrap minimum is that of an already spread profile, and half
    of it stays; on ten equal classes of 100 samples -0.045 is left of -0.077, here -0.01.
    """
    # In an order of their own, so that the draws do not depend on which class is named first.
    order = np.lexsort((samples, correct))
    correct, samples = correct[order], samples[order]
    truth = np.clip(shrunk(correct, samples), 0, 1)
    # Classes as rows: numpy draws several times faster where n and p stay the same from draw to draw.
    simulated = random.binomial(samples[:, None], truth[:, None], (len(samples), draws)) / samples[:, None]
    bias = min(simulated.min(axis=0).mean() - truth.min(), 0.0)  # never above 0 (Jensen), save for the draws' noise
    return float(np.clip((correct / samples).min() - bias, 0, 1))


def probability_worst(correct: ClassCounts, samples: ClassCounts, random: np.random.Generator, draws: int) -> PerClass:
    """The posterior probability of each class to have the lowest accuracy; all classes have samples.

    Accuracies are Beta(s m, s (1 - m)) over classes, m = their mean; the strength s is unknown, with a flat prior on
    the spread 1/sqrt(1 + s), so that few classes do not make it certain (an estimated s would).
    """
    # m stays off 0 and 1, where the prior would be a point.
    mean = (correct.sum() + 0.5) / (samples.sum() + 1)
    spread = (np.arange(200) + 0.5) / 200
    strength = 1 / spread**2 - 1
    a, b = strength[:, None] * mean, strength[:, None] * (1 - mean)
    # Classes with the same counts have the same likelihood: of 1,000 classes of 50 samples at most 51 differ.
    counts, which, times = np.unique(np.stack([correct, samples]), axis=1, return_inverse=True, return_counts=True)
    k, n = counts
    likelihood = (times * (betaln(a + k, b + n - k) - betaln(a, b))).sum(axis=1)
    weight = np.exp(likelihood - likelihood.max())
    chosen = strength[random.choice(len(strength), draws, p=weight / weight.sum())][:, None]
    # Drawn in the order of the counts, and classes with the same counts share what falls to them: the order in which
    # the classes are named then has no part in the figures.
    order, which = np.argsort(which.ravel(), kind="stable"), which.ravel()
    alpha, beta = chosen * mean + correct[order], chosen * (1 - mean) + (samples - correct)[order]
    odds = _log_gamma_draws(alpha, random) - _log_gamma_draws(beta, random)
    wins = np.bincount(which[order][odds.argmin(axis=1)], minlength=len(times))
    return np.asarray((wins / times)[which] / draws)


def _log_gamma_draws(
    shape: Float[np.ndarray, "draws classes"], random: np.random.Generator
) -> Float[np.ndarray, "draws classes"]:
    """Logarithms of Gamma(shape) draws; the log odds of a Beta draw are the difference of two.

    Gamma(a) = Gamma(a + 1) U^(1/a) (Devroye 1986, IX.3.2). A Beta draw itself underflows to exactly 0 or 1 for the
    small shapes that a profile of all 0 % or all 100 % gives, and the minimum of many equal draws is the first class.
    """
    return np.asarray(np.log(random.standard_gamma(shape + 1)) - random.standard_exponential(shape.shape) / shape)
