"""Noise of each value alone: Gaussian, shot (Poisson), impulse (salt and pepper) and speckle.

Sources of the constants: levels.Table. Any number of channels; each value draws for itself, also in colour images.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Int32
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.threats.corruptions.channel import Channel, additive, alias_table, draw_levels, multiplicative, photons
from weakspot.threats.corruptions.draws import halves
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit

GAUSSIAN_NOISE = Table(small=(0.04, 0.06, 0.08, 0.09, 0.10), large=(0.08, 0.12, 0.18, 0.26, 0.38))
"""Standard deviation; images are in [0, 1]."""
SHOT_NOISE = Table(small=(500.0, 250.0, 100.0, 75.0, 50.0), large=(60.0, 25.0, 12.0, 5.0, 3.0))
"""Photons that white stands for."""
IMPULSE_NOISE = Table(small=(0.01, 0.02, 0.03, 0.05, 0.07), large=(0.03, 0.06, 0.09, 0.17, 0.27))
"""Share of values that become black or white."""
SPECKLE_NOISE = Table(small=(0.06, 0.1, 0.12, 0.16, 0.2), large=(0.15, 0.2, 0.35, 0.45, 0.6))
"""Standard deviation as a share of the value itself."""


@lru_cache(maxsize=64)
def _table(channel: Callable[[float], Channel], constant: float, device: torch.device) -> Int32[Tensor, " entries"]:
    return alias_table(channel(constant)).to(device)


@eight_bit
def gaussian_noise(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Make x to x + N(0, sigma^2)."""
    table = _table(additive, GAUSSIAN_NOISE.at(levels, severity), levels.device)
    return draw_levels(levels, table, sample, seed, "gaussian_noise")


@eight_bit
def shot_noise(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Make x to Poisson(x scale) / scale, from the exact Poisson distribution at any mean."""
    table = _table(photons, SHOT_NOISE.at(levels, severity), levels.device)
    return draw_levels(levels, table, sample, seed, "shot_noise")


@eight_bit
def speckle_noise(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Make x to x + x N(0, sigma^2)."""
    table = _table(multiplicative, SPECKLE_NOISE.at(levels, severity), levels.device)
    return draw_levels(levels, table, sample, seed, "speckle_noise")


@eight_bit
def impulse_noise(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Black or white, equally often, in the given share of values."""
    random = (halves(levels[0].numel(), sample, seed, "impulse_noise") >> 1).bitwise_and_(2**31 - 1).view_as(levels)
    struck = round(IMPULSE_NOISE.at(levels, severity) * 2**30)  # half of the struck among 2^31 bit patterns
    # All bits set where a value is struck: the lowest patterns turn it black, the highest white.
    others = (struck - 1 - random).bitwise_right_shift_(31)
    white = (2**31 - 1 - struck - random).bitwise_right_shift_(31)
    return levels.int().bitwise_and_(others).bitwise_or_(white.bitwise_and_(255)).float()
