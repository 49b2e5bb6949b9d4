"""Motion blur as ImageMagick's: a half Gaussian along a line of whole pixels, at an angle of each image's own.

The published corruptions call ImageMagick's MotionBlurImage, from which the rule is: 2 radius + 1 samples, at
ceil(distance * direction - 1/2) for the distances 0, 1, 2, ..., weighted by a Gaussian of the distance; beyond the
border the last pixel is repeated; results are rounded to whole levels.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.threats.corruptions.draws import angles
from weakspot.threats.corruptions.filters import on_grid
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit, round_

MOTION_BLUR = Table(
    small=((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
    large=((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
)
"""(radius, sigma)."""


@lru_cache(maxsize=64)
def half_gaussian(radius: int, sigma: float) -> tuple[float, ...]:
    """The weights at the distances 0, 1, ..., on the grid of exact sums, without the vanishing ones at the end."""
    weights = np.exp(-0.5 * (np.arange(2 * radius + 1) / sigma) ** 2)
    return tuple(np.trim_zeros(on_grid(weights / weights.sum()), "b").tolist())


def drag(levels: Levels, angle: Float64[Tensor, " batch"], weights: tuple[float, ...]) -> Levels:
    """Blur each image in the direction `angle` (degrees, clockwise from the right)."""
    batch, channels, rows, columns = levels.shape
    reach = len(weights) - 1
    padded = torch.nn.functional.pad(levels, (reach, reach, 0, 0), mode="replicate")
    width = columns + 2 * reach
    # Every run of `columns` values is a row of this view, so that a shifted image row is one contiguous copy.
    runs = padded.as_strided((padded.numel() - columns + 1, columns), (1, 1))
    plane = torch.arange(batch * channels, device=levels.device).view(batch, channels, 1) * (rows * width) + reach
    row = torch.arange(rows, device=levels.device)
    distance = torch.arange(len(weights), device=levels.device)[:, None, None, None]
    radians = angle.deg2rad()[:, None, None]
    down = (distance * radians.sin() - 0.5).ceil().long()
    right = (distance * radians.cos() - 0.5).ceil().long()
    starts = (row + down).clamp_(0, rows - 1).mul_(width).add_(right) + plane  # (distance, batch, channel, row)
    out = levels.new_zeros(batch * channels * rows, columns)
    moved = torch.empty_like(out)
    for start, weight in zip(starts.flatten(1), weights, strict=True):
        torch.index_select(runs, 0, start, out=moved)
        out.add_(moved, alpha=weight)
    return out.view(levels.shape)


@eight_bit
def motion_blur(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Motion at an angle uniform in [-45, 45) degrees."""
    weights = half_gaussian(*MOTION_BLUR.at(levels, severity))
    return round_(drag(levels, angles(-45.0, 45.0, sample, seed, "motion_blur"), weights))
