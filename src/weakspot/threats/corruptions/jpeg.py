"""JPEG compression without a codec: what a baseline encoder and decoder do to the pixels, in batches.

ITU-T T.81 (1992) for the transform and annex K's tables; libjpeg's choices, which Pillow's default inherits: quality
scaling, 4:2:0 chroma by means of four, smooth chroma enlargement with weights 3 and 1, integer transform and colour
conversion. Entropy coding loses nothing and is left out. All sums are of whole numbers and exact, so that the result is
libjpeg's to the last level, whatever the device and the batch size. 3 channels are coloured; any other number is coded
channel by channel as grey images.
"""

from functools import lru_cache
from math import ceil

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit

JPEG_COMPRESSION = Table(small=(80, 65, 58, 50, 40), large=(25, 18, 15, 10, 7))
"""libjpeg's quality."""

LUMA_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Annex K, table K.1: steps of the quantiser at quality 50, lowest frequency first."""
CHROMA_STEPS = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
"""Annex K, table K.2."""

# libjpeg's conversion in 16-bit fixed point: the constants round(c 2^16) and the half, or just less, that rounds.
_Y = (19595, 38470, 7471, 32768)
_CB = (-11059, -21709, 32768, (128 << 16) + 32767)
_CR = (32768, -27439, -5329, (128 << 16) + 32767)
_ONE = 2.0**16


def steps(table: tuple[tuple[int, ...], ...], quality: int) -> list[int]:
    """The 64 steps at a quality, as libjpeg scales them, limited to a baseline file's 1..255."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(max((base * scale + 50) // 100, 1), 255) for row in table for base in row]


def transform() -> Float64[np.ndarray, "8 8"]:
    """The accurate integer DCT of 8 values in libjpeg (Loeffler, Ligtenberg and Moschytz, 1989,
    doi:10.1109/ICASSP.1989.266596) as a matrix: sqrt(8) times the cosines, in units of 2^-13.

    Its twelve constants are rounded one by one, and the matrix holds what they come to together. Its inverse is the
    transpose.
    """
    identity = np.eye(8)
    plus, minus = identity[:4] + identity[:3:-1], identity[:4] - identity[:3:-1]
    outer, inner = plus[0] - plus[3], plus[1] - plus[2]
    shared = 4433 * (outer + inner)
    (a, b, c, d), both = minus, 9633 * minus.sum(0)
    bd, ac = both - 16069 * (b + d), both - 3196 * (a + c)
    ad, bc = -7373 * (a + d), -20995 * (b + c)
    even = (8192 * plus.sum(0), shared + 6270 * outer, 8192 * (plus[[0, 3]].sum(0) - plus[[1, 2]].sum(0)))
    odd = (12299 * a + ad + ac, 25172 * b + bc + bd, 16819 * c + bc + ac, 2446 * d + ad + bd)
    return np.stack((even[0], odd[0], even[1], odd[1], even[2], odd[2], shared - 15137 * inner, odd[3]))


@lru_cache(maxsize=64)
def _constants(quality: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The transform and the steps of luma and chroma, 8x8 each."""
    parts = transform(), *(np.array(steps(table, quality)).reshape(8, 8) for table in (LUMA_STEPS, CHROMA_STEPS))
    dct, luma, chroma = (torch.from_numpy(part).double().to(device) for part in parts)
    return dct, luma, chroma


def _shifted(sums: Float64[Tensor, "..."], places: int) -> Float64[Tensor, "..."]:
    """Divide by 2^places and round, halves upwards."""
    return sums.mul_(2.0**-places).add_(0.5).floor_()


def _coded(plane: Float[Tensor, "batch rows columns"], dct: Tensor, steps: Tensor) -> Tensor:
    """Whole blocks of 8x8 through transform, quantiser and back, as whole levels.

    After each pass libjpeg rounds, with 2 places more than a whole number in between.
    """
    batch, rows, columns = plane.shape
    blocks = (plane - 128).view(batch, rows // 8, 8, columns // 8, 8).transpose(2, 3).contiguous()
    waves = _shifted(dct @ _shifted(blocks.view(-1, 8, 8).double() @ dct.T, 11), 15)  # 8 times the DCT
    # The quantiser rounds halves away from 0.
    whole = waves.abs().div_(8 * steps).add_(0.5).floor_().mul_(steps).copysign_(waves)
    back = _shifted(_shifted(dct.T @ whole, 11) @ dct, 18)
    return back.float().view(blocks.shape).transpose(2, 3).reshape(plane.shape).add_(128).clamp_(0, 255)


def _extended(plane: Float[Tensor, "batch rows columns"], rows: int, columns: int) -> Tensor:
    """Up to so many rows and columns, the last ones repeated."""
    missing = (0, columns - plane.shape[2], 0, rows - plane.shape[1])
    return torch.nn.functional.pad(plane, missing, mode="replicate") if any(missing) else plane


def _halved(plane: Float[Tensor, "batch rows columns"]) -> Tensor:
    """Means of 2x2, for chroma, padded to whole blocks; a half is rounded up in odd columns and down in even ones.

    libjpeg repeats the last column before the means are taken, but the last row of means after.
    """
    rows, columns = plane.shape[1:]
    plane = _extended(plane, rows + rows % 2, 16 * ceil(columns / 16))
    total = plane[:, ::2] + plane[:, 1::2]
    total = total[..., ::2] + total[..., 1::2]
    bias = 1.0 + torch.arange(total.shape[2], device=plane.device) % 2
    return _extended(((total + bias) / 4).floor_(), 8 * ceil(rows / 16), total.shape[2])


def _doubled(plane: Float[Tensor, "batch rows columns"]) -> Tensor:
    """Twice the rows and columns: each value 9, 3, 3 and 1 sixteenths of the four nearest; 8 and 7 sixteenths round."""
    rows, columns = plane.shape[1:]
    if columns <= 2:  # libjpeg enlarges the narrowest chroma by repetition
        return plane.repeat_interleave(2, 1).repeat_interleave(2, 2)
    padded = torch.nn.functional.pad(plane, (0, 0, 1, 1), mode="replicate")
    near = padded[:, 1:-1] * 3
    tall = torch.stack((near + padded[:, :-2], near + padded[:, 2:]), 2).flatten(1, 2)
    padded = torch.nn.functional.pad(tall, (1, 1), mode="replicate")
    near = tall * 3
    wide = torch.stack(((near + padded[..., :-2]).add_(8), (near + padded[..., 2:]).add_(7)), 3).flatten(2)
    return wide.mul_(1 / 16).floor_()


def _mixed(levels: Levels, weights: tuple[int, int, int, int]) -> Float[Tensor, "batch rows columns"]:
    """A weighted sum of three channels in fixed point."""
    parts = [levels[:, i] * (weight / _ONE) for i, weight in enumerate(weights[:3])]
    return parts[0].add_(parts[1]).add_(parts[2]).add_(weights[3] / _ONE).floor_()


def _colour(levels: Levels, dct: Tensor, luma: Tensor, chroma: Tensor) -> Levels:
    rows, columns = levels.shape[2:]
    blocks = 8 * ceil(rows / 8), 8 * ceil(columns / 8)
    y = _coded(_extended(_mixed(levels, _Y), *blocks), dct, luma)[:, :rows, :columns]
    both = torch.cat([_halved(_mixed(levels, weights)) for weights in (_CB, _CR)])
    both = _coded(both, dct, chroma)[:, : ceil(rows / 2), : ceil(columns / 2)]
    cb, cr = (_doubled(both)[:, :rows, :columns] - 128).chunk(2)
    red = y + (cr * (91881 / _ONE) + 0.5).floor_()
    green = y + (cb * (-22554 / _ONE) - cr * (46802 / _ONE) + 0.5).floor_()
    blue = y + (cb * (116130 / _ONE) + 0.5).floor_()
    return torch.stack((red, green, blue), 1).clamp_(0, 255)


@eight_bit
def jpeg_compression(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Through a JPEG file of the given quality and back."""
    dct, luma, chroma = _constants(JPEG_COMPRESSION.at(levels, severity), levels.device)
    if levels.shape[1] == 3:
        return _colour(levels, dct, luma, chroma)
    rows, columns = levels.shape[2:]
    planes = _extended(levels.flatten(0, 1), 8 * ceil(rows / 8), 8 * ceil(columns / 8))
    return _coded(planes, dct, luma)[:, :rows, :columns].view(levels.shape)
