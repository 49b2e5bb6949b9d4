"""Brightness, contrast, saturation and pixelation. Constants: levels.Table."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.threats.corruptions.colour import with_saturation, with_value
from weakspot.threats.corruptions.filters import on_grid
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit, round_, truncate_

BRIGHTNESS = Table(small=(0.05, 0.1, 0.15, 0.2, 0.3), large=(0.1, 0.2, 0.3, 0.4, 0.5))
"""Added to HSV's V in [0, 1]."""
CONTRAST = Table(small=(0.75, 0.5, 0.4, 0.3, 0.15), large=(0.4, 0.3, 0.2, 0.1, 0.05))
"""Factor of the difference to each channel's mean."""
SATURATE = Table(
    small=((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
    large=((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
)
"""(factor, shift) of HSV's saturation in [0, 1]."""
PIXELATE = Table(small=(0.95, 0.9, 0.85, 0.75, 0.65), large=(0.6, 0.5, 0.4, 0.3, 0.25))
"""Factor of the side, which is cut down to whole pixels."""


@eight_bit
def brightness(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Raise HSV's V (the largest channel; the value itself in 1 channel)."""
    return truncate_(with_value(levels, 255 * BRIGHTNESS.at(levels, severity)))


@eight_bit
def contrast(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Draw each channel of each image towards its mean."""
    factor = CONTRAST.at(levels, severity)
    # Whole levels sum without rounding in float64, in any order.
    mean = levels.sum((2, 3), keepdim=True, dtype=torch.float64) / levels[0, 0].numel()
    return truncate_(levels.mul_(factor).add_((mean * (1 - factor)).float()))


@eight_bit
def saturate(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Scale and shift HSV's saturation; 1 channel has none and stays as it is."""
    return truncate_(with_saturation(levels, *SATURATE.at(levels, severity)))


@lru_cache(maxsize=64)
def _boxes(n: int, small: int, device: torch.device) -> tuple[Float64[Tensor, "n small"], Int64[Tensor, " n"]]:
    """Pillow's BOX filter from n pixels down to `small`, as a matrix of exact sums, and the way back as indices.

    A target pixel is the plain mean of the source pixels whose centres lie in its box, the upper end included.
    """
    matrix = np.zeros((n, small))
    centre = np.arange(n) + 0.5
    for target in range(small):
        low, high = target * n / small, (target + 1) * n / small
        box = (centre > low) & (centre <= high)
        matrix[:, target] = on_grid(box / box.sum())
    back = np.floor(centre * small / n + 1e-9).astype(int)  # on the way up each box holds one centre
    return torch.from_numpy(matrix).to(device), torch.from_numpy(back).to(device)


@eight_bit
def pixelate(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Shrink by means over boxes, rounding after each axis as Pillow does, and enlarge by repetition."""
    rows, columns = levels.shape[-2:]
    factor = PIXELATE.at(levels, severity)
    down, back_down = _boxes(rows, max(1, int(rows * factor)), levels.device)
    along, back_along = _boxes(columns, max(1, int(columns * factor)), levels.device)
    # In float64, since a GPU may be set to multiply float32 matrices with fewer bits.
    small = round_(down.T @ round_(levels.double() @ along)).float()
    pixels = back_down[:, None] * small.shape[3] + back_along
    return small.flatten(2).flatten(0, 1).index_select(1, pixels.view(-1)).view(levels.shape)
