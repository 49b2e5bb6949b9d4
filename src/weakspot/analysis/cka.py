"""Do two models see the same? Linear centred kernel alignment of their features (CKA, Kornblith et al., 2019).

arXiv:1905.00414, equation 4: |X'Y|^2 / (|X'X| |Y'Y|) of centred features, in Frobenius norms: 1 for features that are
equal up to rotation and scale. With fewer images than features it tends to 1 whatever the models see; the figure from
unbiased estimates of the three terms (Song et al., 2012, Feature selection via dependence maximization, equation 5)
has no such tendency, and it carries the interval.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri

from weakspot.analysis.arrays import Number, ratio
from weakspot.analysis.latent import Features
from weakspot.errors import InputError

NAN = float("nan")
Others = Float[np.ndarray, "samples others"]
"""Features of the same images in another model."""


@dataclass(frozen=True)
class Alignment:
    """Linear CKA of two models on the same images; NaN where a model's features do not vary, or below five images."""

    value: float
    """As published, in [0, 1]; biased upwards with few images."""
    unbiased: float
    """1 for equal features, 0 on average for unrelated ones; it may be negative."""
    low: float
    """With `high`: the jackknife's interval of `unbiased`, over images."""
    high: float


@dataclass(frozen=True, eq=False)
class Looked:
    """What one model made of some images."""

    sample: Int[np.ndarray, " samples"]
    """Positions in the split, ascending."""
    label: Int[np.ndarray, " samples"]
    features: Features


def align(first: Looked, second: Looked) -> tuple[int, Alignment]:
    """How alike two models see the images that both have looked at: their number, and linear CKA.

    Raises:
        InputError: they have looked at no common image, or call one by two labels.

    """
    common, one, two = np.intersect1d(first.sample, second.sample, return_indices=True)
    if not len(common):
        raise InputError("two models are aligned on common images, got none; look at the same data with the same seed")
    if (first.label[one] != second.label[two]).any():
        raise InputError("two models are aligned on the same data, got other labels; look at the same data with both")
    return len(common), linear_cka(first.features[one], second.features[two])


def linear_cka(first: Features, second: Others, level: float = 0.95) -> Alignment:
    """Compare two models' features of the same images, row by row; the numbers of features may differ."""
    n = len(first)
    if n < 5:  # the unbiased form needs four images, also without any one of them
        return Alignment(NAN, NAN, NAN, NAN)
    x, y = _centred(first), _centred(second)
    pairs = ((x, y), (x, x), (y, y))
    plain = [float((np.square(a.T @ b)).sum()) for a, b in pairs]
    value = float(ratio(plain[0], np.sqrt(plain[1] * plain[2])))
    terms = [_dependence(a, b) for a, b in pairs]
    unbiased = float(_share(*(np.array(whole) for whole, _ in terms)))
    left = _share(*(without for _, without in terms))
    half = ndtri(0.5 + level / 2) * np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    low, high = np.clip([unbiased - half, unbiased + half], -1, 1)  # max() would turn NaN into a limit
    return Alignment(value, unbiased, float(low), float(high))


def _centred(features: Features) -> Features:
    """In float64, around 0, of length 1: the figure has no scale, and squares of squares would overflow."""
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(centred)
    # What rounding leaves of constant features is no variation.
    return centred / length if length > 1e-10 * np.linalg.norm(features.astype(np.float64)) else 0 * centred


def _share(cross: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Both own terms must be positive; then the share is cut to [-1, 1]."""
    product = np.where((one > 0) & (other > 0), one * other, 0)
    return np.asarray(np.clip(ratio(cross, np.sqrt(product)), -1, 1))


def _dependence(x: Features, y: Others) -> tuple[float, Float[np.ndarray, " samples"]]:
    """The unbiased dependence (HSIC with linear kernels, times n(n - 3)), of all images and without each in turn.

    Centred features make the sums over the kernels' rows vanish, so no kernel of n x n is built: with p and q the
    squared lengths it is |X'Y|^2 - n/(n - 2) sum(p q) + sum(p) sum(q) / ((n - 1)(n - 2)). Leaving an image out moves
    the centre of the others by u = 1/(n - 1) of that image.
    """
    n, u = len(x), 1 / (len(x) - 1)
    product, p, q = x.T @ y, (x**2).sum(axis=1), (y**2).sum(axis=1)
    crossed, lengths = (product**2).sum(), (p * q).sum()
    whole = _unbiased(n, crossed, lengths, p.sum(), q.sum())
    c = n / (n - 1)
    along = ((x @ product) * y).sum(axis=1)  # x_m' X'Y y_m, which is also sum_i (x_i x_m)(y_i y_m)
    sides = y @ (p @ y) + x @ (q @ x)  # sum_i p_i (y_i y_m) + sum_i q_i (x_i x_m)
    # sum_i |x_i + u x_m|^2 |y_i + u y_m|^2, less the term of m itself.
    others = lengths + 2 * u * sides + u**2 * (q * p.sum() + p * q.sum() + 4 * along) + n * u**4 * p * q
    others = others - (1 + u) ** 4 * p * q
    crossed = crossed - 2 * c * along + c**2 * p * q
    return float(whole), _unbiased(n - 1, crossed, others, p.sum() - c * p, q.sum() - c * q)


def _unbiased(n: int, crossed: Number, lengths: Number, p: Number, q: Number) -> np.ndarray:
    return np.asarray(crossed - n / (n - 2) * lengths + p * q / ((n - 1) * (n - 2)))
