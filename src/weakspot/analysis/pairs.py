"""Directed pairs of classes: how often an attack that aims from one class at another gets there.

A pair's success is the share of all samples of the source class that end as the target class. Those that are predicted
as the target already when clean end there without an attack, and are counted apart as well.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from weakspot.analysis.arrays import Labels, PerClass, Square, mean, ratio
from weakspot.outcomes import Outcomes

Shares = Float[np.ndarray, "classes classes"]
"""Row = source, column = target; the diagonal is NaN."""


@dataclass(frozen=True)
class Pairs:
    """The directed pairs' counts and success; a pair that nobody attacked has 0 samples and NaN success."""

    samples: Square
    """Samples of the source that were aimed at anything; 0 for a pair that was never aimed at."""
    aimed: Square
    """Of them, those aimed at the target; fewer where each sample has a shortlist. The others count as not ending."""
    ended: Square
    """Samples that end as the target, clean ones included."""
    clean: Square
    """Of them, those predicted as the target when clean."""
    success: Shares
    """ended / samples; where some were not aimed at the target, a lower bound."""


def pair_success(clean: Outcomes, targeted: Outcomes, classes: int) -> Pairs:
    """Success of each pair, from rows with a target; several attacks at one target count once, as the best of them.

    Args:
        clean: The rows of the threat "clean"; targeted rows of samples without one are left out.
        targeted: Rows of one or several targeted threats of one radius; rows without a target, or with the label as
            target, are left out.
        classes: K.

    """
    order = np.argsort(clean.sample)
    at = np.searchsorted(clean.sample[order], targeted.sample)
    at = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros(len(targeted), dtype=np.int64)
    aimed = (targeted.target >= 0) & (targeted.target != targeted.label)
    aimed &= (clean.sample[at] == targeted.sample) if len(order) else False
    rows, before = targeted.where(aimed), clean.prediction[at[aimed]]
    sample_and_target = rows.sample.astype(np.int64) * classes + rows.target
    _, first, group = np.unique(sample_and_target, return_index=True, return_inverse=True)
    ended = np.bincount(group, rows.prediction == rows.target, minlength=len(first)) > 0
    pair = (rows.label.astype(np.int64) * classes + rows.target)[first]
    already = (before == rows.target)[first]

    def square(which: Bool[np.ndarray, " groups"]) -> Square:
        return np.bincount(pair[which], minlength=classes**2).reshape(classes, classes)

    held, place = np.unique(rows.sample, return_index=True)
    attacked = np.bincount(rows.label[place], minlength=classes) if len(held) else np.zeros(classes, dtype=np.int64)
    aims, ends = square(np.ones(len(pair), dtype=bool)), square(ended)
    samples = np.where(aims > 0, attacked[:, None], 0)
    return Pairs(samples=samples, aimed=aims, ended=ends, clean=square(already), success=ratio(ends, samples))


def least_radii(clean: Outcomes, targeted: Outcomes, norm: str, classes: int) -> Shares:
    """The median distance of the images that a search for the nearest ones drove from a class to another; NaN without.

    Samples predicted as the target when clean are left out, and so are those that were not driven there: their least
    radius is larger than the attack's, so this is the median of those that got there, not of the class.
    """
    before = dict(zip(clean.sample.tolist(), clean.prediction.tolist(), strict=True))
    reached = (targeted.target >= 0) & (targeted.prediction == targeted.target) & (targeted.target != targeted.label)
    rows = targeted.where(reached)
    fresh = np.array(
        [before.get(s) != t for s, t in zip(rows.sample.tolist(), rows.target.tolist(), strict=True)], bool
    )
    rows = rows.where(fresh)
    distance = rows.distance_linf if norm == "linf" else rows.distance_l2
    found = np.full((classes, classes), np.nan)
    for i, j in set(zip(rows.label.tolist(), rows.target.tolist(), strict=True)):
        found[i, j] = np.median(distance[(rows.label == i) & (rows.target == j)])
    return found


@dataclass(frozen=True)
class Parts:
    """Success = symmetric + asymmetric; a positive asymmetric part: source to target is the easier direction."""

    symmetric: Shares
    asymmetric: Shares


def parts(success: Shares) -> Parts:
    """The symmetric part (T + T')/2 and the asymmetric part (T - T')/2; NaN where a direction is missing."""
    return Parts(symmetric=(success + success.T) / 2, asymmetric=(success - success.T) / 2)


def hub_scores(success: Shares) -> PerClass:
    """How readily samples of other classes are driven into each class: the mean success of pairs that aim at it."""
    return mean(_off_diagonal(success), 0)


def exposure_scores(success: Shares) -> PerClass:
    """How readily a class's own samples are driven elsewhere: the mean success of pairs that start from it."""
    return mean(_off_diagonal(success), 1)


def _off_diagonal(success: Shares) -> Shares:
    return np.where(np.eye(len(success), dtype=bool), np.nan, success)


@dataclass(frozen=True)
class RankedPairs:
    """Attacked pairs, most successful first; ties by source, then target."""

    source: Int[np.ndarray, " pairs"]
    target: Int[np.ndarray, " pairs"]
    success: Float[np.ndarray, " pairs"]


def ranked_pairs(success: Shares) -> RankedPairs:
    """The pairs that have a success, in its descending order."""
    source, target = np.nonzero(~np.isnan(_off_diagonal(success)))
    value = success[source, target]
    rank = np.lexsort((target, source, -value))
    return RankedPairs(source=source[rank], target=target[rank], success=value[rank])


def explained_errors(
    source: Int[np.ndarray, " pairs"],
    target: Int[np.ndarray, " pairs"],
    label: Labels,
    prediction: Labels,
    classes: int,
) -> Float[np.ndarray, " pairs"]:
    """The share of untargeted errors that lie in the first 1, 2, ... of the given pairs; NaN without errors.

    Whether pairs that targeted attacks find easy are those where untargeted failures happen.
    """
    wrong = label != prediction
    pair, count = np.unique(label[wrong].astype(np.int64) * classes + prediction[wrong], return_counts=True)
    asked = source.astype(np.int64) * classes + target
    at = np.minimum(np.searchsorted(pair, asked), max(0, len(pair) - 1))
    hits = np.where(pair[at] == asked, count[at], 0) if len(pair) else np.zeros(len(asked))
    return ratio(np.cumsum(hits), wrong.sum())
