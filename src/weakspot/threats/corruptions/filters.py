"""Linear filters whose sums are exact, and the ways images go on beyond their border.

Weights are positive multiples of 2^-16, so that a weighted sum of 8-bit levels below 256 fits the 24 bits of a float32:
no rounding occurs, whatever the order of summation. The rounded weights change a level by less than a tenth.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import pad

GRID = 2.0**16

Border = Literal["nearest", "mirror", "reflect"]
"""aaa|abc, cb|abc and cba|abc: scipy's names; OpenCV's are REPLICATE, REFLECT_101 and REFLECT."""
Taps = tuple[tuple[int, int, float], ...]
"""(rows down, columns right, weight): out[y, x] is the sum of weight * in[y + down, x + right]."""


def fold(position: Int64[np.ndarray, " positions"], n: int, border: Border) -> Int64[np.ndarray, " positions"]:
    """The pixel in 0..n-1 that stands for each position, however far outside."""
    if border == "nearest":
        return position.clip(0, n - 1)
    if border == "mirror":
        period = max(2 * n - 2, 1)
        inside = position % period
        return np.where(inside < n, inside, period - inside)
    inside = position % (2 * n)
    return np.where(inside < n, inside, 2 * n - 1 - inside)


def on_grid(weights: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """The weights as multiples of 2^-16, up or down so that the sum stays."""
    units = np.floor(weights * GRID)
    missing = int(np.rint(weights.sum() * GRID - units.sum()))
    units.flat[np.argsort((units - weights * GRID).flat, kind="stable")[:missing]] += 1
    return units / GRID


def gaussian_weights(sigma: float, truncate: float = 4.0) -> Float64[np.ndarray, " taps"]:
    """Samples of a Gaussian up to `truncate` standard deviations, as scipy takes them; they sum to 1."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return np.ones(1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()


def taps(kernel: Float64[np.ndarray, "rows columns"]) -> Taps:
    """The taps of a kernel of odd sides around its centre; weights that vanish on the grid are left out."""
    down, right = kernel.shape[0] // 2, kernel.shape[1] // 2
    grid = on_grid(kernel)
    return tuple((int(y) - down, int(x) - right, float(grid[y, x])) for y, x in np.argwhere(grid))


def padded(
    images: Float[Tensor, "batch channels height width"], margins: tuple[int, int, int, int], border: Border
) -> Float[Tensor, "batch channels height2 width2"]:
    """The images with (left, right, top, bottom) pixels more, however many."""
    rows, columns = images.shape[-2:]
    if border == "nearest":
        return pad(images, margins, mode="replicate")
    if border == "mirror" and max(margins) < min(rows, columns):
        return pad(images, margins, mode="reflect")
    left, right, top, bottom = margins  # torch mirrors no farther than to the other side
    y = torch.from_numpy(fold(np.arange(-top, rows + bottom), rows, border)).to(images.device)
    x = torch.from_numpy(fold(np.arange(-left, columns + right), columns, border)).to(images.device)
    return images.index_select(2, y).index_select(3, x)


def shifted_sum(flat: Float[Tensor, " pixels"], shifts: Sequence[int], weights: Sequence[float]) -> Tensor:
    """The sum of weight * flat[i + shift] for each i, as far as there are pixels; shifts are not negative.

    A stack of padded images, flattened, is filtered like one long line: one contiguous pass per weight. What runs over
    from one image row into the next lands in the padding, which the caller cuts off.
    """
    out = torch.zeros_like(flat)
    for shift, weight in zip(shifts, weights, strict=True):
        out[: len(flat) - shift].add_(flat[shift:], alpha=weight)
    return out


def correlate(
    images: Float[Tensor, "batch channels height width"], kernel: Taps, border: Border
) -> Float[Tensor, "batch channels height width"]:
    """Each image correlated with the taps; exact for whole levels."""
    rows, columns = images.shape[-2:]
    downs, rights = [tap[0] for tap in kernel], [tap[1] for tap in kernel]
    top, left = max(0, -min(downs)), max(0, -min(rights))
    wide = padded(images, (left, max(0, max(rights)), top, max(0, max(downs))), border)
    shifts = [(down + top) * wide.shape[3] + right + left for down, right, _ in kernel]
    return shifted_sum(wide.flatten(), shifts, [tap[2] for tap in kernel]).view(wide.shape)[..., :rows, :columns]


def gaussian(
    levels: Float[Tensor, "batch channels height width"], sigma: float
) -> Float[Tensor, "batch channels height width"]:
    """A Gaussian blur as scikit-image's: cut off at 4 sigma, the border repeated.

    Exact, and float64 where it takes it: a narrow kernel is applied at once; of a wide one, the pass down the rows fits
    float32, and the one along them, whose sums need 40 bits, float64.
    """
    weights = _symmetric(sigma)
    radius = len(weights) // 2
    if radius <= 1:
        return correlate(levels, taps(np.outer(weights, weights)), "nearest") if radius else levels
    rows, columns = levels.shape[-2:]
    wide = padded(levels, (radius,) * 4, "nearest")
    down = shifted_sum(wide.flatten(), [i * wide.shape[3] for i in range(len(weights))], weights)
    both = shifted_sum(down.double(), range(len(weights)), weights)
    return both.view(wide.shape)[..., :rows, :columns]


@lru_cache(maxsize=256)
def _symmetric(sigma: float) -> tuple[float, ...]:
    """Gaussian weights on the grid, without those that vanish there."""
    return tuple(np.trim_zeros(on_grid(gaussian_weights(sigma))).tolist())


@lru_cache(maxsize=64)
def _gaussian_matrix(n: int, sigma: float, truncate: float, border: Border, device: torch.device) -> Tensor:
    weights = gaussian_weights(sigma, truncate)
    reach = np.arange(len(weights)) - len(weights) // 2
    matrix = np.zeros((n, n))
    for row in range(n):
        np.add.at(matrix[row], fold(row + reach, n, border), weights)
    return torch.from_numpy(matrix).to(device)


def smooth_field(
    field: Float[Tensor, "batch height width"], sigma: float, truncate: float, border: Border
) -> Float64[Tensor, "batch height width"]:
    """A Gaussian blur of any width: a matrix product, in float64 so that its rounding never shows."""
    down = _gaussian_matrix(field.shape[1], sigma, truncate, border, field.device)
    along = _gaussian_matrix(field.shape[2], sigma, truncate, border, field.device)
    # Two plain matrix products and a transposition are faster than one product per field.
    return ((field.double() @ along.T).transpose(1, 2).contiguous() @ down.T).transpose(1, 2)
