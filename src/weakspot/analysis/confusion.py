"""Who is mistaken for whom: the confusion matrix of one threat, dense or as its filled cells, and its directed pairs.

Stacked over threats, the matrices are the confusion cube: class x predicted class x threat.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from weakspot.analysis.arrays import Labels, Square, ratio


@dataclass(frozen=True)
class Cells:
    """The cells of a confusion matrix that hold a sample, ordered by label, then prediction."""

    label: Int[np.ndarray, " cells"]
    prediction: Int[np.ndarray, " cells"]
    count: Int[np.ndarray, " cells"]


@dataclass(frozen=True)
class Confusions:
    """Directed pairs of classes with at least one confusion, most frequent first; ties by source, then target."""

    source: Int[np.ndarray, " pairs"]
    target: Int[np.ndarray, " pairs"]
    count: Int[np.ndarray, " pairs"]
    share_of_source: Float[np.ndarray, " pairs"]
    """Of the source class's samples, those predicted as the target."""
    share_of_errors: Float[np.ndarray, " pairs"]
    """Of all errors; sums to 1 over the pairs."""


def confusion_matrix(label: Labels, prediction: Labels, classes: int) -> Square:
    """Counts of shape (K, K): row = true class, column = predicted class."""
    cell = label.astype(np.int64) * classes + prediction
    return np.bincount(cell, minlength=classes**2).reshape(classes, classes)


def confusion_cells(label: Labels, prediction: Labels, classes: int) -> Cells:
    """The same counts without the empty cells: at most one entry per sample, whatever the number of classes."""
    cell, count = np.unique(label.astype(np.int64) * classes + prediction, return_counts=True)
    return Cells(label=cell // classes, prediction=cell % classes, count=count)


def ranked_confusions(label: Labels, prediction: Labels, classes: int) -> Confusions:
    """All directed pairs that were confused, both directions apart, the most frequent first."""
    cells = confusion_cells(label, prediction, classes)
    samples = np.bincount(label, minlength=classes)
    off = cells.label != cells.prediction
    source, target, count = cells.label[off], cells.prediction[off], cells.count[off]
    rank = np.lexsort((target, source, -count))
    source, target, count = source[rank], target[rank], count[rank]
    return Confusions(
        source=source,
        target=target,
        count=count,
        share_of_source=ratio(count, samples[source]),
        share_of_errors=ratio(count, count.sum()),
    )
