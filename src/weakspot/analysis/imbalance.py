"""One model under imbalance: head, medium and tail classes, and accuracy against the number of training samples.

The groups are thirds of the classes by training count, equal counts together. Cuts at fixed counts (above 100, 20 to
100, below 20 samples; Liu et al., 2019, arXiv:1904.05160) belong to ImageNet-LT: on CIFAR-10-LT the rarest class has
100, and two of three groups would be empty.

One model cannot tell a class that is rare from one that is hard: see `weakspot.analysis.rarity`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from weakspot.analysis.arrays import ClassCounts, PerClass, ratio
from weakspot.analysis.attraction import attraction
from weakspot.analysis.bootstrap import DRAWS, resampled_errors, resampled_means
from weakspot.analysis.class_means import (
    UNDEFINED,
    Estimate,
    Members,
    class_mean,
    evenly,
    inside,
    smoothed_variance,
    weighted,
)
from weakspot.analysis.decomposition import decompose
from weakspot.analysis.relate import Correlation, image_correlation, rank_correlation
from weakspot.analysis.scores import Scores
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes

GROUPS = ("head", "medium", "tail")


def checked(counts: Sequence[int], classes: int) -> ClassCounts:
    """Training samples per class as an array.

    Raises:
        InputError: there is not one for each class, or one is below 0.

    """
    found = np.asarray(counts, dtype=np.int64)
    if found.shape != (classes,) or (found < 0).any():
        raise InputError(
            f"training counts must be one number of samples for each of {classes} classes, got {found.size} numbers"
            f"{' with one below 0' if (found < 0).any() else ''}; give the counts of the data that were trained on"
        )
    return found


def uneven(counts: ClassCounts) -> bool:
    """Whether classes differ by more than one sample, which a total that does not divide evenly explains."""
    return bool(counts.max() - counts.min() > 1)


def groups(counts: ClassCounts) -> Int[np.ndarray, " classes"]:
    """The group of each class, a place in GROUPS: thirds of the classes by count, those with equal counts together.

    A class belongs to the third in which the middle of its equals lies, so a step profile has a head and a tail only.
    """
    above = (counts[None, :] > counts[:, None]).sum(axis=1)
    equal = (counts[None, :] == counts[:, None]).sum(axis=1)
    return (3 * (2 * above + equal)) // (2 * len(counts))


@dataclass(frozen=True)
class Group:
    """Some classes; shares are means over the classes that have samples, so no class counts more than another."""

    classes: tuple[int, ...]
    training: int
    """Training samples of all of them."""
    samples: int
    """Audited images of all of them."""
    accuracy: Estimate
    natural_error: Estimate
    """Wrong when clean; NaN, as are the next two, where there are no rows to tell."""
    boundary_error: Estimate
    """Correct when clean and wrong under the attack."""
    false_positive_rate: Estimate
    """False positives of a class / images of all other classes: what CFPS becomes where class sizes differ."""


@dataclass(frozen=True)
class UnderImbalance:
    """One condition (clean, robust or corrupted) of one model."""

    balanced: Estimate
    """The mean over classes; under attacks, balanced robustness."""
    groups: tuple[Group, Group, Group]
    """Head, medium and tail; one may have no classes."""
    gap: Estimate
    """Accuracy of the head minus that of the tail."""
    accuracy: Correlation
    """Rank correlation of training count and accuracy; the interval resamples classes."""
    accuracy_images: Correlation
    """The same; the interval resamples images."""
    attraction: Correlation
    """Rank correlation of training count and false positive rate, resampling classes; NaN without rows."""
    attraction_images: Correlation


@dataclass(frozen=True)
class _Shares:
    """Accuracy per class with its sampling variance."""

    samples: ClassCounts
    share: PerClass
    variance: PerClass
    correct: ClassCounts | None
    """None where an image's score is a share of several corruptions."""
    drawn: Float[np.ndarray, "draws classes"]

    def mean(self, members: Members) -> Estimate:
        """Over the members that have samples."""
        if self.correct is not None:
            return class_mean(self.correct, self.samples, members)
        return inside(weighted(self.share, self.variance, evenly(members, self.samples)), 0.0)


def _shares(scores: Scores, classes: int, seed: int, draws: int) -> _Shares:
    label, score = scores.label, scores.score
    samples = np.bincount(label, minlength=classes)
    drawn = resampled_means(score[:, None], label, classes, draws, seed)[:, :, 0]
    share = ratio(np.bincount(label, score, minlength=classes), samples)
    if np.isin(score, (0, 1)).all():
        correct = np.bincount(label[score == 1], minlength=classes)
        return _Shares(samples, share, smoothed_variance(correct, samples), correct, drawn)
    # Where all images score alike no resample differs; the error is still not 0.
    return _Shares(samples, share, np.maximum(drawn.std(axis=0), 1 / (samples + 2)) ** 2, None, drawn)


def under_imbalance(
    scores: Scores,
    counts: ClassCounts,
    seed: int,
    rows: Outcomes | None = None,
    clean: Outcomes | None = None,
    draws: int = DRAWS,
) -> UnderImbalance:
    """What training counts say about one condition.

    Args:
        scores: One score per image.
        counts: Training samples per class.
        seed: Names the random draws.
        rows: The condition's rows, one per sample, for false positives; None under several corruptions.
        clean: The clean rows, for the decomposition of errors; None where it is not wanted.
        draws: Resamples of the images.

    """
    classes, member, trained = len(counts), groups(counts), counts.astype(float)
    found = _shares(scores, classes, seed, draws)
    made = [_group(member == at, counts, found, rows, clean) for at in range(len(GROUPS))]
    first, last = (evenly(member == at, found.samples) for at in (0, len(GROUPS) - 1))
    gap = weighted(found.share, found.variance, first - last) if first.any() and last.any() else UNDEFINED
    attracted, resampled = _attraction(rows, classes, seed, draws)
    return UnderImbalance(
        balanced=found.mean(np.full(classes, True)),
        groups=(made[0], made[1], made[2]),
        gap=inside(gap, -1.0),
        accuracy=rank_correlation(trained, found.share),
        accuracy_images=image_correlation(
            trained, found.share, np.broadcast_to(trained, found.drawn.shape), found.drawn
        ),
        attraction=rank_correlation(trained, attracted),
        attraction_images=image_correlation(trained, attracted, np.broadcast_to(trained, resampled.shape), resampled),
    )


def _group(
    members: Members, counts: ClassCounts, found: _Shares, rows: Outcomes | None, clean: Outcomes | None
) -> Group:
    natural = boundary = positive = UNDEFINED
    if rows is not None:
        drawn = attraction(rows.label, rows.prediction, len(counts))
        positive = class_mean(drawn.false_positives, len(rows) - found.samples, members)
    if rows is not None and clean is not None:
        errors = decompose(clean, rows, len(counts))
        natural, boundary = (class_mean(each, errors.samples, members) for each in (errors.natural, errors.boundary))
    return Group(
        classes=tuple(int(c) for c in np.flatnonzero(members)),
        training=int(counts[members].sum()),
        samples=int(found.samples[members].sum()),
        accuracy=found.mean(members),
        natural_error=natural,
        boundary_error=boundary,
        false_positive_rate=positive,
    )


def _attraction(
    rows: Outcomes | None, classes: int, seed: int, draws: int
) -> tuple[PerClass, Float[np.ndarray, "draws classes"]]:
    """False positive rates, as they are and in resamples of the images."""
    if rows is None:
        return np.full(classes, np.nan), np.full((1, classes), np.nan)
    found = attraction(rows.label, rows.prediction, classes)
    positives, _ = resampled_errors(rows.label, rows.prediction, classes, draws, seed)
    return found.false_positive_rate, ratio(positives, len(rows) - np.bincount(rows.label, minlength=classes))
