"""How per-class figures go together: rank correlations and a small regression, with their uncertainty.

Two questions hide in one correlation. Resampling classes asks what other classes would show; with ten classes the
answer is wide. Resampling images asks what other images of the same classes would show. Every result says which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri, stdtrit
from scipy.stats import rankdata

from weakspot.analysis.arrays import PerClass, ratio
from weakspot.analysis.bootstrap import percentiles

NAN = float("nan")
FEWEST = 4
"""Of fewer classes no rank correlation is given: two give -1 or 1, three one of four values, whatever is ranked."""


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation with its interval; NaN where undefined."""

    value: float
    low: float
    high: float
    count: int
    """How many classes (or models) it rests on."""
    resampled: Literal["classes", "images", "models"]
    """What the interval takes as a sample."""


def spearman(x: Float[np.ndarray, "... classes"], y: Float[np.ndarray, "... classes"]) -> Float[np.ndarray, "..."]:
    """Spearman's rank correlation along the last axis, ties at their mean rank; NaN where one side is constant.

    NaN also with fewer than four classes. Classes that are NaN on one side in all leading entries are left out; an
    entry with any other NaN is NaN.
    """
    x, y = np.broadcast_arrays(x, y)
    known = ~(np.isnan(x) | np.isnan(y)).all(axis=tuple(range(x.ndim - 1)))
    if known.sum() < FEWEST:
        return np.full(x.shape[:-1], np.nan)
    a, b = rankdata(x[..., known], axis=-1), rankdata(y[..., known], axis=-1)
    a, b = a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True)
    value = ratio((a * b).sum(axis=-1), np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1)))
    return np.asarray(np.clip(value, -1, 1))


def rank_correlation(x: PerClass, y: PerClass, level: float = 0.95) -> Correlation:
    """Spearman's correlation over classes; the interval takes the classes as a sample of classes.

    Fisher's z with the standard error sqrt((1 + r^2/2)/(n - 3)) (Bonett and Wright, 2000); [-1, 1] below 5 classes or
    at a correlation of -1 or 1, where it says nothing.
    """
    count = int(np.count_nonzero(~(np.isnan(x) | np.isnan(y))))
    value = float(spearman(x, y))
    if np.isnan(value):
        return Correlation(NAN, NAN, NAN, count, "classes")
    if count < 5 or abs(value) > 1 - 1e-12:
        return Correlation(value, -1.0, 1.0, count, "classes")
    half = ndtri(0.5 + level / 2) * np.sqrt((1 + value**2 / 2) / (count - 3))
    centre = np.arctanh(value)
    return Correlation(value, float(np.tanh(centre - half)), float(np.tanh(centre + half)), count, "classes")


def image_correlation(
    x: PerClass,
    y: PerClass,
    x_draws: Float[np.ndarray, "draws classes"],
    y_draws: Float[np.ndarray, "draws classes"],
    level: float = 0.95,
) -> Correlation:
    """Spearman's correlation over these very classes; the interval is of resamples of their images.

    `x_draws` and `y_draws` hold both figures in the same resamples (`weakspot.analysis.bootstrap`).
    """
    count = int(np.count_nonzero(~(np.isnan(x) | np.isnan(y))))
    found = percentiles(spearman(x_draws, y_draws), level)
    return Correlation(float(spearman(x, y)), float(found.low), float(found.high), count, "images")


def over_models(correlations: Sequence[Correlation], level: float = 0.95) -> Correlation:
    """The mean correlation over models, with a t interval that takes the models as a sample of models.

    Computed on Fisher's z; undefined ones are left out; NaN limits with fewer than two models.
    """
    # 1 and -1 would be infinite; ranks of ten classes cannot come nearer to them than 0.994 otherwise.
    values = np.array([each.value for each in correlations if not np.isnan(each.value)])
    z = np.arctanh(np.clip(values, -0.999, 0.999))
    if len(z) == 0:
        return Correlation(NAN, NAN, NAN, 0, "models")
    centre = z.mean()
    half = stdtrit(len(z) - 1, 0.5 + level / 2) * z.std(ddof=1) / np.sqrt(len(z)) if len(z) > 1 else NAN
    low, high = float(np.tanh(centre - half)), float(np.tanh(centre + half))
    return Correlation(float(np.tanh(centre)), low, high, len(z), "models")


def shared_worst(x: PerClass, y: PerClass, k: int) -> int | None:
    """How many of the k lowest classes of `x` are among the k lowest of `y`; by chance k^2/K on average.

    None where the k-th and the next lowest of a side are equal: then which classes are the k lowest is undefined.
    Classes that are NaN on either side are left out.
    """
    known = ~(np.isnan(x) | np.isnan(y))
    sides = (x[known], y[known])
    orders = [np.argsort(side) for side in sides]
    if any(k < len(side) and side[order[k - 1]] == side[order[k]] for side, order in zip(sides, orders, strict=True)):
        return None
    return len(np.intersect1d(orders[0][:k], orders[1][:k]))


@dataclass(frozen=True)
class Regression:
    """A linear regression over classes, all variables scaled to standard deviation 1; NaN where it is not determined.

    With ten classes it rests on very few degrees of freedom: the intervals and `r2_left_out` say how little it knows.
    """

    names: tuple[str, ...]
    coefficient: Float[np.ndarray, " variables"]
    """Standard deviations of the response per standard deviation of the variable, the others held fixed."""
    low: Float[np.ndarray, " variables"]
    high: Float[np.ndarray, " variables"]
    """t interval; it takes the classes as a sample of classes."""
    unique: Float[np.ndarray, " variables"]
    """How much of R^2 is lost without the variable: what it explains and the others do not."""
    r2: float
    r2_left_out: float
    """1 - the error of predicting each class from the others / the variance; below 0: worse than the mean."""
    classes: int
    freedom: int
    """Classes - variables - 1."""


def regress(response: PerClass, variables: Mapping[str, PerClass], level: float = 0.95) -> Regression:
    """Ordinary least squares of a per-class figure on others; classes with a NaN anywhere are left out."""
    names = tuple(variables)
    table = np.stack([response, *variables.values()], axis=1)
    table = table[~np.isnan(table).any(axis=1)]
    n, freedom = len(table), len(table) - len(names) - 1
    deviation = table.std(axis=0, ddof=1) if n > 1 else np.zeros(table.shape[1])
    blank = np.full(len(names), np.nan)
    undetermined = Regression(names, blank, blank, blank, blank, NAN, NAN, n, freedom)
    if freedom < 1 or (deviation < 1e-12 * np.maximum(1e-300, np.abs(table).max(axis=0))).any():
        return undetermined
    scaled = (table - table.mean(axis=0)) / deviation
    y, x = scaled[:, 0], scaled[:, 1:]
    if np.linalg.matrix_rank(x) < len(names):
        return undetermined
    inverse = np.linalg.inv(x.T @ x)
    coefficient = inverse @ x.T @ y
    residual = y - x @ coefficient
    variance = residual @ residual / freedom
    half = stdtrit(freedom, 0.5 + level / 2) * np.sqrt(variance * np.diag(inverse))
    # Leaving one class out needs no refit: its error is residual / (1 - leverage), the intercept's 1/n included.
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x) + 1 / n
    left_out = ratio(residual, 1 - leverage)
    return Regression(
        names=names,
        coefficient=coefficient,
        low=coefficient - half,
        high=coefficient + half,
        # The rise of the residual sum of squares when variable j leaves is b_j^2 / (X'X)^-1_jj.
        unique=coefficient**2 / np.diag(inverse) / (n - 1),
        r2=float(1 - residual @ residual / (n - 1)),
        # Each class is compared with the mean of the others, which is n/(n-1) times as far as the mean of all.
        r2_left_out=float(1 - (left_out @ left_out) / (y @ y * (n / (n - 1)) ** 2)),
        classes=n,
        freedom=freedom,
    )
