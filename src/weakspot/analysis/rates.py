"""Accuracy per class. Robust accuracy is the same statistic on the rows of an attack."""

from dataclasses import dataclass

import numpy as np

from weakspot.analysis.arrays import ClassCounts, Labels, PerClass, ratio


@dataclass(frozen=True)
class Rates:
    """Accuracy per class and over all, of one threat."""

    samples: ClassCounts
    correct: ClassCounts
    accuracy: PerClass
    """In [0, 1]; NaN for a class without samples."""
    overall: float
    """The share of all samples that are correct; NaN without samples."""
    balanced: float
    """The mean of the classes' accuracies (balanced robustness under an attack), over the classes with samples."""


def from_counts(correct: ClassCounts, samples: ClassCounts) -> Rates:
    """The rates of classes of which `correct` of `samples` are right."""
    accuracy = ratio(correct, samples)
    present = samples > 0
    return Rates(
        samples=samples,
        correct=correct,
        accuracy=accuracy,
        overall=float(ratio(correct.sum(), samples.sum())),
        balanced=float(accuracy[present].mean()) if present.any() else float("nan"),
    )


def by_class(label: Labels, prediction: Labels, classes: int) -> Rates:
    """Samples, correct predictions and accuracy of each of `classes` classes."""
    right = label[label == prediction]
    return from_counts(np.bincount(right, minlength=classes), np.bincount(label, minlength=classes))
