"""Frost with procedural textures: NOT comparable with published frost, which lays photographs over the image.

The photographs are not ours to ship. In their place stand five periodic textures: noise whose amplitude falls with
frequency, ridges as of crystals, and the photographs' mean colours and contrasts. Strengths are the published ones
(levels.Table), so that the mean brightening is alike; the structure is not. Results are marked `comparable=False`.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.rng import integers
from weakspot.threats.corruptions.colour import in_channels
from weakspot.threats.corruptions.draws import normals
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit, is_small, truncate_

FROST = Table(
    small=((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    large=((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
)
"""Shares of image and frost."""

SIDE = 640
"""Of a texture, in pixels."""
SMALLER = 5
"""For small images the published code takes every fifth pixel of its photographs."""


class Look(NamedTuple):
    """Mean colour (red, green, blue) and standard deviation in levels, as measured on the published photographs."""

    colour: tuple[float, float, float]
    deviation: float


LOOKS = (
    Look((78.0, 149.0, 166.0), 20.0),
    Look((201.0, 205.0, 214.0), 22.0),
    Look((201.0, 205.0, 214.0), 22.0),
    Look((138.0, 153.0, 165.0), 29.0),
    Look((112.0, 123.0, 135.0), 43.0),
)
"""The five photographs that the published code draws from, the second and third alike; its sixth is never drawn."""


def _coloured_noise(white: np.ndarray, decay: float, length: float) -> np.ndarray:
    """Periodic noise whose amplitude falls as frequency^-decay for waves shorter than `length`; mean 0, deviation 1."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij"))
    field = np.fft.irfft2(np.fft.rfft2(white) / (1 + (frequency * length) ** 2) ** (decay / 2), s=white.shape)
    return (field - field.mean()) / field.std()


@lru_cache(maxsize=1)
def textures() -> Float[np.ndarray, "looks side side"]:
    """Five periodic textures of mean 0 and deviation 1."""
    made = []
    for look in range(len(LOOKS)):
        white = normals((3, SIDE, SIDE), torch.tensor([look]), 0, "frost/texture")[0].double().numpy()
        cloud, veins, grain = (
            _coloured_noise(*part) for part in zip(white, (2.0, 2.5, 2.0), (300.0, 60.0, 8.0), strict=True)
        )
        ridges = 1 - np.abs(veins)  # sharp where the noise crosses 0: lines that branch like crystals
        field = 0.65 * cloud + 0.45 * (ridges - ridges.mean()) / ridges.std() + 0.6 * grain
        made.append((field - field.mean()) / field.std())
    return np.stack(made)


@lru_cache(maxsize=16)
def _rows(channels: int, columns: int, small: bool, device: torch.device) -> tuple[UInt8[Tensor, " levels"], int, int]:
    """The textures as flattened 8-bit levels, each row followed by its first `columns` values, with side and row."""
    field = textures()
    if small:
        field = field[:, SMALLER // 2 :: SMALLER, SMALLER // 2 :: SMALLER]
    side = field.shape[1]
    made = []
    for texture, look in zip(field, LOOKS, strict=True):
        colour = np.array(in_channels(look.colour, channels))[:, None, None]
        made.append((colour + look.deviation * texture).clip(0, 255))
    repeated = np.take(np.stack(made), np.arange(side + columns), axis=3, mode="wrap")
    return torch.from_numpy(np.rint(repeated).astype(np.uint8).ravel()).to(device), side, side + columns


@eight_bit
def frost(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """A weighted sum of the image and a random part of a random texture. Grey textures unless there are 3 channels."""
    image, ice = FROST.at(levels, severity)
    batch, channels, rows, columns = levels.shape
    flat, side, width = _rows(channels, columns, is_small(levels), levels.device)
    look = integers(len(LOOKS), (1,), sample, seed, "frost/look")
    top, left = integers(side, (2,), sample, seed, "frost/place").unbind(1)
    plane = look * channels + torch.arange(channels, device=levels.device)
    row = (top[:, None] + torch.arange(rows, device=levels.device)) % side
    start = (plane[:, :, None] * side + row[:, None]) * width + left[:, None, None]
    # Every run of `columns` values is a row of this view, so that an image row is one contiguous copy.
    runs = flat.as_strided((len(flat) - columns + 1, columns), (1, 1))
    layer = runs.index_select(0, start.view(-1)).view(levels.shape)
    return truncate_(levels.mul_(image).add_(layer.float().mul_(ice)))
