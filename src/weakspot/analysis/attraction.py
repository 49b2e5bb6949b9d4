"""Which classes attract errors, which leak: CFPS and CFNS (Towards Class-wise Robustness Analysis, arXiv:2411.19853).

Both are shares of the errors, so they say nothing about how many errors there are: read them beside the counts. On
imbalanced data CFPS mirrors the class sizes; there the false positive rate FP / (N - n_c) says more.
"""

from dataclasses import dataclass

import numpy as np

from weakspot.analysis.arrays import ClassCounts, Labels, PerClass, ratio


@dataclass(frozen=True)
class Attraction:
    """False positives and negatives per class, of one threat; chance level of both shares is 1/K."""

    errors: int
    false_positives: ClassCounts
    """Samples of other classes that were predicted as this one."""
    false_negatives: ClassCounts
    """Samples of this class that were predicted as another one."""
    cfps: PerClass
    """Class False Positive Score: false positives / errors; sums to 1, NaN without errors."""
    cfns: PerClass
    """Class False Negative Score: false negatives / errors; sums to 1, NaN without errors and without samples."""
    false_positive_rate: PerClass
    """False positives / samples of the other classes; NaN where there are none."""
    false_negative_rate: PerClass
    """False negatives / samples of this class = 1 - accuracy; NaN for a class without samples."""


def attraction(label: Labels, prediction: Labels, classes: int) -> Attraction:
    """CFPS and CFNS with their counts and rates."""
    wrong = label != prediction
    samples = np.bincount(label, minlength=classes)
    positives = np.bincount(prediction[wrong], minlength=classes)
    negatives = np.bincount(label[wrong], minlength=classes)
    errors = int(wrong.sum())
    return Attraction(
        errors=errors,
        false_positives=positives,
        false_negatives=negatives,
        cfps=ratio(positives, errors),
        cfns=np.where(samples > 0, ratio(negatives, errors), np.nan),
        false_positive_rate=ratio(positives, len(label) - samples),
        false_negative_rate=ratio(negatives, samples),
    )
