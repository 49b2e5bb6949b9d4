"""Robustness to common corruptions per class, by corruption and severity (Hendrycks and Dietterich, arXiv:1903.12261).

An image appears once under each corruption and severity, so intervals resample images: their rows are no independent
samples.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from weakspot.addresses import ThreatAddress
from weakspot.analysis.arrays import Labels, PerClass, mean, ratio
from weakspot.analysis.bootstrap import DRAWS, percentiles, resampled_means
from weakspot.analysis.intervals import Interval
from weakspot.outcomes import Outcomes


@dataclass(frozen=True)
class Corruptions:
    """Counts by corruption, severity and class; NaN accuracy where there are no samples."""

    names: tuple[str, ...]
    """In the order of the rows, such as "fog"."""
    severities: tuple[int, ...]
    """Ascending."""
    samples: Int[np.ndarray, "corruptions severities classes"]
    correct: Int[np.ndarray, "corruptions severities classes"]
    accuracy: Float[np.ndarray, "corruptions severities classes"]
    overall: Float[np.ndarray, "corruptions severities"]
    """Accuracy over the samples of all classes."""

    def by_class(self) -> PerClass:
        """Mean accuracy of each class over corruptions and severities; each corruption counts alike."""
        return mean(mean(self.accuracy, 1), 0)

    def by_corruption(self) -> Float[np.ndarray, "corruptions classes"]:
        """Mean accuracy over severities."""
        return mean(self.accuracy, 1)

    def by_severity(self) -> Float[np.ndarray, "severities classes"]:
        """Mean accuracy over corruptions."""
        return mean(self.accuracy, 0)


def corruptions(rows: Outcomes, classes: int) -> Corruptions:
    """Accuracy by corruption, severity and class, from the rows of corruptions (any others must be taken out)."""
    named = {address: _name(address) for address in dict.fromkeys(rows.threat)}
    names = tuple(dict.fromkeys(named.values()))
    place = {address: names.index(name) for address, name in named.items()}
    which = np.fromiter((place[address] for address in rows.threat), np.int64, len(rows))
    severities, level = np.unique(rows.severity, return_inverse=True)
    shape = (len(names), len(severities), classes)
    cell = (which * len(severities) + level) * classes + rows.label
    size = len(names) * len(severities) * classes
    samples = np.bincount(cell, minlength=size).reshape(shape)
    correct = np.bincount(cell[rows.correct], minlength=size).reshape(shape)
    return Corruptions(
        names=names,
        severities=tuple(int(severity) for severity in severities),
        samples=samples,
        correct=correct,
        accuracy=ratio(correct, samples),
        overall=ratio(correct.sum(axis=2), samples.sum(axis=2)),
    )


def _name(address: str) -> str:
    read = ThreatAddress.of(address)
    return str(ThreatAddress(read.name, read.options))


def severity_slopes(table: Corruptions) -> Float[np.ndarray, "corruptions classes"]:
    """The change of accuracy per step of severity, by least squares: below 0 where accuracy falls.

    NaN with fewer than two severities.
    """
    return _slopes(table.accuracy, table.severities)


def overall_slopes(table: Corruptions) -> Float[np.ndarray, " corruptions"]:
    """The same of the accuracy over the samples of all classes; where class sizes differ no mean of class slopes."""
    return _slopes(table.overall[:, :, None], table.severities)[:, 0]


def _slopes(
    accuracy: Float[np.ndarray, "corruptions severities classes"], severities: tuple[int, ...]
) -> Float[np.ndarray, "corruptions classes"]:
    known = ~np.isnan(accuracy)
    severity = np.where(known, np.array(severities, float)[:, None], np.nan)
    centred = severity - mean(severity, 1)[:, None]
    return ratio(np.nansum(centred * accuracy, axis=1), np.nansum(centred**2, axis=1))


def mean_corruption_error(
    accuracy: Float[np.ndarray, "corruptions severities *classes"],
    reference: Float[np.ndarray, "corruptions severities *classes"],
) -> Float[np.ndarray, "*classes"]:
    """mCE: errors summed over severities, divided by the reference model's, meaned over corruptions.

    The field's reference on ImageNet-C is AlexNet; a reference of accuracy 0 gives the plain mean error, which is what
    is reported on CIFAR-C. A corruption that lacks a severity, or in which the reference makes no error, is left out.
    """
    return mean(ratio((1 - accuracy).sum(axis=1), (1 - reference).sum(axis=1)), 0)


def relative_corruption_error(
    accuracy: Float[np.ndarray, "corruptions severities *classes"],
    clean: Float[np.ndarray, "*classes"] | float,
    reference: Float[np.ndarray, "corruptions severities *classes"],
    reference_clean: Float[np.ndarray, "*classes"] | float,
) -> Float[np.ndarray, "*classes"]:
    """Relative mCE: as mCE, of the errors that the corruption adds to the clean ones.

    With reference accuracies of 0 and a clean one of 1 it is the plain mean of added errors.
    """
    added = (np.asarray(clean) - accuracy).sum(axis=1)
    return mean(ratio(added, (np.asarray(reference_clean) - reference).sum(axis=1)), 0)


@dataclass(frozen=True)
class Clustered:
    """Mean accuracy over corruptions and severities with intervals that resample images."""

    images: Int[np.ndarray, " classes"]
    accuracy: PerClass
    interval: Interval
    overall: float
    overall_low: float
    overall_high: float


def image_scores(rows: Outcomes) -> tuple[Int[np.ndarray, " images"], Labels, Float[np.ndarray, " images"]]:
    """Sample, label and share of correct rows of each image; an image that lacks a corruption is left out."""
    sample, first, at, seen = np.unique(rows.sample, return_index=True, return_inverse=True, return_counts=True)
    score = ratio(np.bincount(at, rows.correct, minlength=len(sample)), seen)
    whole = seen == seen.max(initial=0)
    return sample[whole], rows.label[first][whole], score[whole]


def clustered(rows: Outcomes, classes: int, seed: int, draws: int = DRAWS, level: float = 0.95) -> Clustered:
    """Mean accuracy over all corruption rows, per class, over the images that have all corruptions."""
    _, label, score = image_scores(rows)
    images = np.bincount(label, minlength=classes)
    drawn = resampled_means(score[:, None], label, classes, draws, seed)[:, :, 0]
    weight = ratio(images, images.sum())
    overall = percentiles(np.where(images > 0, drawn * weight, 0).sum(axis=1), level)
    return Clustered(
        images=images,
        accuracy=ratio(np.bincount(label, score, minlength=classes), images),
        interval=percentiles(drawn, level),
        overall=float(ratio(score.sum(), len(score))),
        overall_low=float(overall.low) if len(score) else float("nan"),
        overall_high=float(overall.high) if len(score) else float("nan"),
    )
