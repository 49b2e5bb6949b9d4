"""Fog: a plasma fractal by the diamond-square algorithm (Fournier, Fussell and Carpenter, 1982,
doi:10.1145/358523.358553) over the image. Constants: levels.Table.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.threats.corruptions.draws import uniforms
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit, truncate_

FOG = Table(
    small=((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
    large=((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
)
"""(strength, decay of the fractal's wibble from one scale to the next)."""


def plasma(draws: Float[Tensor, "batch n n"], decay: float) -> Float[Tensor, "batch n n"]:
    """A fractal in [0, 1] for each image; n is a power of 2; `draws` are uniform in [-1, 1) and each is used once.

    The published code's noise is wibble * U(-wibble, wibble): its amplitude is the *square* of a wibble that starts at
    100, so it falls by decay^2 per scale. The map is periodic.
    """
    n = draws.shape[-1]
    height = torch.zeros_like(draws)
    left = draws.flatten(1)
    step, amplitude = n, 100.0**2
    while step >= 2:
        half, count = step // 2, n // step
        square, top, side = left[:, : 3 * count**2].view(-1, 3, count, count).unbind(1)
        left = left[:, 3 * count**2 :]
        corner = height[:, ::step, ::step]
        pairs = corner + corner.roll(-1, 1)
        middle = (pairs + pairs.roll(-1, 2)) / 4 + square * amplitude
        height[:, half::step, half::step] = middle
        height[:, ::step, half::step] = (middle + middle.roll(1, 1) + corner + corner.roll(-1, 2)) / 4 + top * amplitude
        height[:, half::step, ::step] = (middle + middle.roll(1, 2) + pairs) / 4 + side * amplitude
        step, amplitude = half, amplitude / decay**2
    height = height - height.amin((1, 2), keepdim=True)
    return height / height.amax((1, 2), keepdim=True).clamp(min=1e-12)


@eight_bit
def fog(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Add the fractal (on a map of the next power of 2) to all channels; scale back to the image's largest value."""
    strength, decay = FOG.at(levels, severity)
    rows, columns = levels.shape[-2:]
    n = 1 << (max(rows, columns) - 1).bit_length()
    haze = plasma(uniforms((n, n), sample, seed, "fog") * 2 - 1, decay)[:, None, :rows, :columns]
    largest = levels.amax((1, 2, 3), keepdim=True)
    return truncate_(levels.add_(haze * (255 * strength)).mul_(largest / (largest + 255 * strength)))
