"""Defocus, glass and Gaussian blur. Any number of channels, which are blurred alike. Constants: levels.Table."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.threats.corruptions.draws import halves
from weakspot.threats.corruptions.filters import Taps, correlate, fold, gaussian, taps
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit, truncate_

DEFOCUS_BLUR = Table(
    small=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
    large=((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
)
"""(radius of the disk, sigma of the Gaussian that smooths its edge)."""
GLASS_BLUR = Table(
    small=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    large=((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
)
"""(sigma of the blur before and after, farthest copy in pixels, rounds of copying)."""
GAUSSIAN_BLUR = Table(small=(0.4, 0.6, 0.7, 0.8, 1.0), large=(1.0, 2.0, 3.0, 4.0, 6.0))
"""Sigma."""


@lru_cache(maxsize=64)
def disk(radius: float, sigma: float) -> Taps:
    """A disk whose edge is smoothed by a Gaussian of 3x3 pixels, 5x5 for a radius above 8."""
    side = max(8, int(radius))
    grid = np.arange(-side, side + 1)
    kernel = (grid[:, None] ** 2 + grid**2 <= radius**2).astype(float)
    reach = np.arange(-1, 2) if radius <= 8 else np.arange(-2, 3)
    smooth = np.exp(-0.5 * (reach / sigma) ** 2)
    kernel /= kernel.sum()
    # The published kernel is blurred on its own grid, whose border OpenCV mirrors: where the disk touches it, for a
    # radius of 8 or 10, the weights come to more than 1, and the image brightens by up to a hundredth.
    for axis in (0, 1):
        parts = [np.take(kernel, fold(np.arange(len(grid)) + r, len(grid), "mirror"), axis) for r in reach]
        kernel = sum(weight * part for weight, part in zip(smooth / smooth.sum(), parts, strict=True))
    return taps(kernel)


@eight_bit
def defocus_blur(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Correlate with a smoothed disk; the image is mirrored at its border."""
    return truncate_(correlate(levels, disk(*DEFOCUS_BLUR.at(levels, severity)), "mirror"))


@eight_bit
def gaussian_blur(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """A Gaussian blur, cut off at 4 sigma; the image's border is repeated."""
    return truncate_(gaussian(levels, GAUSSIAN_BLUR.at(levels, severity))).float()


@lru_cache(maxsize=64)
def _copied(rows: int, columns: int, farthest: int, device: torch.device) -> Tensor:
    """Which pixels, in raster order, are overwritten by a copy; a border stays as it is."""
    inside = torch.zeros(rows, columns, dtype=torch.bool)
    inside[farthest + 1 : rows - farthest + 1, farthest + 1 : columns - farthest + 1] = True
    return inside.view(-1).to(device)


def copy_round(
    rows: int, columns: int, farthest: int, sample: Labels, seed: int, number: int
) -> Int64[Tensor, "batch pixels"]:
    """For each pixel after one round of copying, the pixel whose value it then holds.

    The published loop visits the pixels from the last to the first, and means to swap each with a random neighbour of
    -d..d-1 rows and columns; as its two sides are views of one array, the neighbour's value is copied and nothing comes
    back. A neighbour that lies before the pixel still has its old value; one that lies behind was visited, so its *new*
    value is copied, and so on along a chain that ends at an old value. All chains are followed at once, by doubling.
    """
    random = halves(rows * columns, sample, seed, f"glass_blur/{number}")
    down = ((random & 0xFFFF) * (2 * farthest) >> 16) - farthest
    right = (((random >> 16) & 0xFFFF) * (2 * farthest) >> 16) - farthest
    here = torch.arange(rows * columns, device=sample.device)
    inside = _copied(rows, columns, farthest, sample.device)
    target = torch.where(inside, down.mul_(columns).add_(right) + here, here)
    if farthest == 1:  # the offsets -1 and 0 lead to no pixel behind
        return target
    waiting = (target > here) & inside[target]
    while waiting.any():
        onward = waiting & waiting.gather(1, target)
        target = torch.where(waiting, target.gather(1, target), target)
        waiting = onward
    return target


@eight_bit
def glass_blur(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Blur, copy each pixel from a random near one (in rounds), blur again. All channels move together."""
    sigma, farthest, rounds = GLASS_BLUR.at(levels, severity)
    rows, columns = levels.shape[-2:]
    source = copy_round(rows, columns, farthest, sample, seed, 0)
    for number in range(1, rounds):
        source = source.gather(1, copy_round(rows, columns, farthest, sample, seed, number))
    blurred = truncate_(gaussian(levels, sigma)).float().flatten(2)
    moved = blurred.gather(2, source[:, None].expand_as(blurred)).view_as(levels)
    return truncate_(gaussian(moved, sigma)).float()
