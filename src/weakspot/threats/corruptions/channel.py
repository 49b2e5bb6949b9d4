"""Pixelwise noise as a channel between 8-bit levels: 256 x 256 exact probabilities, drawn from in one look-up.

Noise that acts on each value alone, followed by clipping and storage in 8 bits, maps an input level to a random output
level. Its probabilities are computed once in float64 from the noise's distribution function, so that Poisson noise
with a mean of 500 costs what any other costs, and is drawn by Walker's alias method (Walker, 1977,
doi:10.1145/355744.355749): a column, and a threshold that decides between the column and its alias.
"""

import numpy as np
import torch
from jaxtyping import Float, Float64, Int32
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.threats.corruptions.draws import halves

LEVELS = 256
_COLUMN = 0xFF
_THRESHOLD = 2**23  # 8 bits for the column and 23 for the threshold: each probability is right to 2^-31


Channel = Float64[np.ndarray, "256 256"]
"""P(output level | input level), one row per input level."""


def _normal(spread: Float64[np.ndarray, "256"]) -> Channel:
    """The level + spread z with z standard normal, clipped to 0..255 and cut to whole levels."""
    from scipy.special import ndtr  # scipy is slow to import, and only a table's first use needs it

    ends = np.arange(1, LEVELS) - np.arange(LEVELS)[:, None]  # an output below j is a noise below j - level
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.where(spread[:, None] > 0, ndtr(ends / spread[:, None]), ends > 0)
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def additive(deviation: float) -> Channel:
    """Of x + N(0, deviation^2) for x in [0, 1]."""
    return _normal(np.full(LEVELS, 255 * deviation))


def multiplicative(deviation: float) -> Channel:
    """Of x + x N(0, deviation^2) for x in [0, 1]."""
    return _normal(np.arange(LEVELS) * deviation)


def photons(scale: float) -> Channel:
    """Of Poisson(x scale) / scale for x in [0, 1]; clipped and cut to 8 bits in float64, like the published code."""
    from scipy.stats import poisson

    counts = np.arange(int(np.ceil(scale)) + 1)
    outputs = np.floor(np.clip(counts / scale, 0, 1) * 255).astype(int)
    mass = poisson.pmf(counts[None], np.arange(LEVELS)[:, None] / 255 * scale)
    table = np.zeros((LEVELS, LEVELS))
    for count, output in enumerate(outputs):
        table[:, output] += mass[:, count]
    table[:, -1] += 1 - table.sum(1)  # counts above the scale are clipped to white
    return table.clip(0)


def alias_table(probability: Channel) -> Int32[Tensor, " entries"]:
    """Threshold and alias of each (level, column), packed as threshold * 256 + alias.

    The poorest column is filled up by the richest one and leaves, until none is left: 256 steps over all rows at once.
    """
    rows = np.arange(len(probability))
    weight = probability / probability.sum(1, keepdims=True) * LEVELS
    threshold = np.ones_like(weight)
    alias = np.tile(np.arange(LEVELS), (len(weight), 1))
    poor, rich = weight.copy(), weight.copy()
    for _ in range(LEVELS - 1):
        low, high = poor.argmin(1), rich.argmax(1)
        share = poor[rows, low]
        threshold[rows, low], alias[rows, low] = share, high
        rich[rows, high] -= 1 - share
        poor[rows, high] = rich[rows, high]
        poor[rows, low], rich[rows, low] = np.inf, -np.inf
    cut = np.minimum(np.rint(threshold.clip(0, 1) * _THRESHOLD), _THRESHOLD - 1).astype(np.int32)
    return torch.from_numpy((cut * 256 + alias.astype(np.int32)).ravel())


def draw_levels(
    levels: Float[Tensor, "batch channels height width"],
    table: Int32[Tensor, " entries"],
    sample: Labels,
    seed: int,
    purpose: str,
) -> Float[Tensor, "batch channels height width"]:
    """A random output level for each input level, by an alias table; integer arithmetic, the same on every device."""
    random = halves(levels[0].numel(), sample, seed, purpose)
    column = random & _COLUMN
    entry = table.index_select(0, levels.flatten(1).int().mul_(LEVELS).add_(column).view(-1)).view_as(column)
    # -1, all bits set, where the draw is below the threshold; a select by bits is much faster than torch.where here.
    stays = (random >> 9).bitwise_and_(_THRESHOLD - 1).sub_(entry >> 8).bitwise_right_shift_(31)
    alias = entry.bitwise_and_(_COLUMN)
    return column.bitwise_xor_(alias).bitwise_and_(stays).bitwise_xor_(alias).float().view_as(levels)
