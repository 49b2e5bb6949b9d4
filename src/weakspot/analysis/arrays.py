"""The arrays that the statistics take and return, with their shapes; classes are numbered 0 to K - 1."""

import numpy as np
from jaxtyping import Bool, Float, Int

Labels = Int[np.ndarray, " samples"]
"""A class number for each sample: its label or its prediction."""
Flags = Bool[np.ndarray, " samples"]
ClassCounts = Int[np.ndarray, " classes"]
PerClass = Float[np.ndarray, " classes"]
Count = Int[np.ndarray, "..."] | np.integer | int
"""One count, or an array of them."""
Square = Int[np.ndarray, "classes classes"]
"""Counts: row = true class, column = predicted class."""


Number = np.ndarray | np.number | float | int


def ratio(part: Number, whole: Number) -> np.ndarray:
    """`part / whole` in float64, elementwise with broadcasting; NaN where `whole` is 0, which is not 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def mean(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """The mean over `axis` of the values that are defined; NaN where none is."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(axis=axis), known.sum(axis=axis))
