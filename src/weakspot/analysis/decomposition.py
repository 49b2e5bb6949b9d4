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
    """Errors of the samples that have both a clean and an attacked row; shares are of all samples of the class."""

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
        attacked: The rows of one attack or of the worst case, one per sample; other samples than in `clean` are left
            out, and so are the clean ones that were not attacked.
        classes: K.

    """
    _, at, by = np.intersect1d(clean.sample, attacked.sample, return_indices=True)
    assert len(np.unique(attacked.sample)) == len(attacked), "one row per sample: reduce targets by worst_case first"
    label, right, survived = clean.label[at], clean.correct[at], attacked.correct[by]
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
