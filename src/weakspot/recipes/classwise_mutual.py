"""What mutual confusion alone gives: the tie of attractiveness with accuracy if no class attracted more than it lost.

Two classes that are taken for each other equally often both attract and both lose, which ties the two figures without
any class that attracts. So the direction of every error between two classes is drawn anew, pair by pair.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from weakspot.analysis.bootstrap import percentiles
from weakspot.analysis.coupling import attractiveness
from weakspot.analysis.intervals import Interval
from weakspot.recipes.classwise_ties import fisher

DRAWS = 200

Confusion = Int[np.ndarray, "classes classes"]


def mutual(kinds: Mapping[str, Sequence[Confusion]], seed: int = 0, draws: int = DRAWS) -> Interval:
    """95 % of the tie that mutual confusion alone gives; means as of `tie`; NaN without a run.

    Args:
        kinds: Confusion matrices under attack (rows: the label) by kind of model.
        seed: Names the draws.
        draws: How often every error's direction is drawn.

    """
    random = np.random.default_rng([seed, 3])
    means = [
        np.mean([[_drawn(each, random) for _ in range(draws)] for each in runs], axis=0)
        for runs in kinds.values() if runs
    ]  # fmt: skip
    if not means:
        return Interval(low=np.array(np.nan), high=np.array(np.nan))
    limits = percentiles(np.mean(means, axis=0), 0.95)
    return Interval(low=np.array(np.tanh(limits.low)), high=np.array(np.tanh(limits.high)))


def split(confusion: Confusion, random: np.random.Generator) -> Confusion:
    """The errors between each two classes, their direction drawn with equal chances; the diagonal is 0."""
    both = np.triu(confusion + confusion.T, 1)
    one = random.binomial(both, 0.5)
    return one + (both - one).T


def _drawn(confusion: Confusion, random: np.random.Generator) -> float:
    errors = split(confusion, random)
    accuracy = 1 - errors.sum(axis=1) / confusion.sum(axis=1)
    return fisher(attractiveness(errors.sum(axis=0), errors.sum(axis=1)), accuracy)
