"""Intervals for a share of independent samples. They cover sampling alone, not an attack that missed something.

Wilson (1927) is the default: its coverage is near the level on average. Clopper and Pearson (1934) never fall below
the level, so they serve where a guarantee is stated, and at level 1 - alpha/K for K classes at once (Bonferroni).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import betaincinv, ndtri

from weakspot.analysis.arrays import ClassCounts, Count, ratio


@dataclass(frozen=True)
class Interval:
    """Limits elementwise, in the unit of what they bound; NaN where that is undefined."""

    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]


def wilson(correct: Count, samples: Count, level: float = 0.95) -> Interval:
    """Wilson's score interval for `correct` of `samples`, without continuity correction; NaN without samples."""
    correct, samples = np.asarray(correct), np.asarray(samples)
    z = ndtri(0.5 + level / 2)
    share = ratio(correct, samples)
    shrink = 1 / (1 + ratio(np.full_like(share, z**2), samples))
    centre = (share + ratio(np.full_like(share, z**2 / 2), samples)) * shrink
    # Under the root: p(1 - p)/n + z^2/4n^2.
    variance = ratio(share * (1 - share), samples) + ratio(np.full_like(share, z / 2), samples) ** 2
    half = z * shrink * np.sqrt(variance)
    # At both ends the limit is exact; rounding would leave 1e-17 there.
    return Interval(
        low=np.where((correct == 0) & (samples > 0), 0.0, centre - half),
        high=np.where((correct == samples) & (samples > 0), 1.0, centre + half),
    )


def clopper_pearson(correct: Count, samples: Count, level: float = 0.95) -> Interval:
    """The exact interval from the binomial tails, each with (1 - level) / 2; NaN without samples."""
    correct, samples = np.asarray(correct), np.asarray(samples)
    tail = (1 - level) / 2
    wrong = samples - correct
    # The beta quantile needs both parameters positive; the ends are set below.
    low = betaincinv(np.maximum(correct, 1), wrong + 1, tail)
    high = betaincinv(correct + 1, np.maximum(wrong, 1), 1 - tail)
    low = np.where(correct == 0, 0.0, low)
    high = np.where(wrong == 0, 1.0, high)
    return Interval(low=np.where(samples > 0, low, np.nan), high=np.where(samples > 0, high, np.nan))


def simultaneous(correct: ClassCounts, samples: ClassCounts, level: float = 0.95) -> Interval:
    """Limits that hold for all classes at once: Clopper-Pearson at 1 - (1 - level)/K, K = classes with samples."""
    return clopper_pearson(correct, samples, 1 - (1 - level) / max(1, int(np.count_nonzero(samples))))
