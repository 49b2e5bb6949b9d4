"""Snow: magnified noise above a threshold, dragged like motion, over a paler image. Constants: levels.Table."""

from typing import NamedTuple

import torch

from weakspot.contracts import Labels
from weakspot.threats.corruptions.colour import grey
from weakspot.threats.corruptions.draws import angles, normals
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit, round_, truncate_
from weakspot.threats.corruptions.motion import drag, half_gaussian
from weakspot.threats.corruptions.zoom import zoom_field


class Flakes(NamedTuple):
    """The constants of one severity."""

    mean: float
    deviation: float
    zoom: float
    threshold: float
    radius: int
    sigma: float
    mix: float


SNOW = Table(
    small=(
        Flakes(0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
        Flakes(0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
        Flakes(0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
        Flakes(0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
        Flakes(0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
    ),
    large=(
        Flakes(0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
        Flakes(0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
        Flakes(0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
        Flakes(0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
        Flakes(0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
    ),
)
"""Mean and deviation of the noise, its zoom, the threshold, radius and sigma of the motion, share of the image."""


@eight_bit
def snow(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """A layer of flakes and the same turned by 180 degrees, over the image mixed with a bright grey of itself."""
    flakes = SNOW.at(levels, severity)
    field = normals((levels.shape[2], levels.shape[3]), sample, seed, "snow") * flakes.deviation + flakes.mean
    field = zoom_field(field, flakes.zoom)
    # The layer is stored as 8 bits before ImageMagick drags it, and comes back as 8 bits.
    field = field * (field >= flakes.threshold)
    layer = truncate_(field.clamp_(0, 1).mul_(255)).float()[:, None]
    weights = half_gaussian(flakes.radius, flakes.sigma)
    layer = round_(drag(layer, angles(-135.0, -45.0, sample, seed, "snow"), weights))
    pale = torch.maximum(levels, grey(levels) * 1.5 + 127.5).mul_(1 - flakes.mix)
    return truncate_(levels.mul_(flakes.mix).add_(pale).add_(layer + layer.flip(2, 3)))
