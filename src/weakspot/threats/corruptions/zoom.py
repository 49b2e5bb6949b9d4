"""Zoom blur: the mean of an image and its magnified centres, as one sparse linear map; and a zoom of random fields.

The published zoom cuts out the centre and magnifies it with scipy.ndimage.zoom(order=1), which maps the corners of the
cut to the corners of the result. imagecorruptions keeps the upper left part of what is then too large; the
published code, and this one, the middle.
"""

from functools import lru_cache
from math import ceil

import numpy as np
import torch
from jaxtyping import Float, Float64, Int32
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.threats.corruptions.filters import GRID
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit, truncate_

ZOOM_BLUR = Table(
    small=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    large=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
)
"""(stop, step) of numpy.arange(1, stop, step), whose own rounding decides whether `stop` is among the factors: at
severity 1 of 32x32 it is."""


def zoom_matrix(n: int, factor: float) -> Float64[np.ndarray, "n n"]:
    """Linear interpolation of n pixels from their magnified centre."""
    cut = ceil(n / factor)
    first, large = (n - cut) // 2, round(cut * factor)
    source = np.arange(large) * ((cut - 1) / max(large - 1, 1))
    lower = source.astype(int).clip(0, max(cut - 2, 0))
    matrix = np.zeros((large, n))
    matrix[np.arange(large), first + lower] = 1 - (source - lower)
    matrix[np.arange(large), first + np.minimum(lower + 1, cut - 1)] += source - lower
    trim = (large - n) // 2
    return matrix[trim : trim + n]


@lru_cache(maxsize=64)
def _mean_of_zooms(
    rows: int, columns: int, stop: float, step: float, device: torch.device
) -> tuple[Int32[Tensor, " entries"], Int32[Tensor, " pixels"], Float[Tensor, " entries"]]:
    """The map of flattened images: sources, where each target's sources begin, and weights, multiples of 2^-16.

    It takes some 8 bytes for each of the sources of each pixel: about 10 at 32x32, 30 at 224x224.
    """
    from scipy import sparse  # scipy is slow to import, and only a table's first use needs it

    factors = np.arange(1, stop, step)
    total = sparse.identity(rows * columns, format="csr")
    for factor in factors:
        down, along = (sparse.csr_matrix(zoom_matrix(n, factor)) for n in (rows, columns))
        total = total + sparse.kron(down, along, format="csr")
    units = sparse.csr_matrix(total * (GRID / (len(factors) + 1)))
    units.sum_duplicates()
    units.data = np.rint(units.data)
    # Each target's largest weight takes up what rounding leaves, so that the weights sum to 1.
    rest = GRID - np.add.reduceat(units.data, units.indptr[:-1])
    for target, missing in enumerate(rest):
        part = slice(units.indptr[target], units.indptr[target + 1])
        units.data[part.start + units.data[part].argmax()] += missing
    units.eliminate_zeros()
    parts = units.indices.astype(np.int32), units.indptr[:-1].astype(np.int32), (units.data / GRID).astype(np.float32)
    source, start, weight = (torch.from_numpy(part).to(device) for part in parts)
    return source, start, weight


@eight_bit
def zoom_blur(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """The mean of the image and of its zooms by 1, 1.01, 1.02, ... (larger steps for large images)."""
    rows, columns = levels.shape[-2:]
    source, start, weight = _mean_of_zooms(rows, columns, *ZOOM_BLUR.at(levels, severity), levels.device)
    # A weighted sum of rows of a table is what embedding_bag computes; here a row is one pixel of all images.
    pixels = levels.flatten(2).flatten(0, 1).T.contiguous()
    mean = torch.nn.functional.embedding_bag(source, pixels, start, mode="sum", per_sample_weights=weight)
    return truncate_(mean.T.reshape(levels.shape))


@lru_cache(maxsize=64)
def _zoom_tensor(n: int, factor: float, device: torch.device) -> Float64[Tensor, "n n"]:
    return torch.from_numpy(zoom_matrix(n, factor)).to(device)


def zoom_field(field: Float[Tensor, "batch height width"], factor: float) -> Float64[Tensor, "batch height width"]:
    """The magnified centre of each random field, in float64 so that its rounding never shows."""
    down = _zoom_tensor(field.shape[1], factor, field.device)
    along = _zoom_tensor(field.shape[2], factor, field.device)
    # Two plain matrix products and a transposition are faster than one product per field.
    return ((field.double() @ along.T).transpose(1, 2).contiguous() @ down.T).transpose(1, 2)
