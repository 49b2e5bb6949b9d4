"""Robust error = natural error + boundary error (TRADES, arXiv:1901.08573, equation 1), per class.

The subtraction "clean accuracy - robust accuracy" is exact only if no attack corrects a sample that was wrong, so the
boundary error is counted on the samples that are correct when clean.
"""

from dataclasses import dataclass

import numpy as np

from weakspot.analysis.arrays import ClassCounts, PerClass, ratio
from weakspot.outcomes import Outcomes


@dataclass(frozen=True)
class Decomposition:
    """Errors of the rows whose sample has a clean row; shares are of all such rows of the class."""

    samples: ClassCounts
    natural: ClassCounts
    """Samples that are wrong when clean."""
    boundary: ClassCounts
    """Samples that are correct when clean and wrong under the attack."""
    natural_error: PerClass
    """NaN for a class without samples, as is `boundary_error`."""
    boundary_error: PerClass
    overall_natural_error: float
    overall_boundary_error: float


def decompose(clean: Outcomes, attacked: Outcomes, classes: int) -> Decomposition:
    """Natural and boundary error per class.

    Args:
        clean: The rows of the threat "clean".
        attacked: The rows of one attack or of the worst case, one per sample, or all rows of corruptions, each of which
            counts; samples that are not in `clean` are left out, and so are the clean ones that were not attacked.
        classes: K.

    """
    order = np.argsort(clean.sample)
    at = np.searchsorted(clean.sample, attacked.sample, sorter=order)
    at = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros(len(attacked), dtype=np.int64)
    known = clean.sample[at] == attacked.sample if len(order) else np.zeros(len(attacked), dtype=bool)
    label, right, survived = attacked.label[known], clean.correct[at[known]], attacked.correct[known]
    samples = np.bincount(label, minlength=classes)
    natural = np.bincount(label[~right], minlength=classes)
    boundary = np.bincount(label[right & ~survived], minlength=classes)
    return Decomposition(
        samples=samples,
        natural=natural,
        boundary=boundary,
        natural_error=ratio(natural, samples),
        boundary_error=ratio(boundary, samples),
        overall_natural_error=float(ratio(natural.sum(), samples.sum())),
        overall_boundary_error=float(ratio(boundary.sum(), samples.sum())),
    )
