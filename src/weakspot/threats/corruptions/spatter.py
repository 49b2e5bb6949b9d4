"""Spatter: drops of water that shine at their rims, or mud. Constants: levels.Table."""

from typing import NamedTuple

import torch

from weakspot.contracts import Labels
from weakspot.threats.corruptions.colour import in_channels
from weakspot.threats.corruptions.draws import normals
from weakspot.threats.corruptions.edges import Plane, box, canny, distance, equalized
from weakspot.threats.corruptions.filters import Taps, correlate, gaussian, smooth_field
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit, round_, truncate_


class Liquid(NamedTuple):
    """The constants of one severity."""

    mean: float
    deviation: float
    sigma: float
    threshold: float
    strength: float
    """Of water: its greatest share of the colour. Of mud: the sigma that smooths its edge."""
    mud: bool


SPATTER = Table(
    small=(
        Liquid(0.62, 0.1, 0.7, 0.7, 0.5, mud=False),
        Liquid(0.65, 0.1, 0.8, 0.7, 0.5, mud=False),
        Liquid(0.65, 0.3, 1.0, 0.69, 0.5, mud=False),
        Liquid(0.65, 0.1, 0.7, 0.69, 0.6, mud=True),
        Liquid(0.65, 0.1, 0.5, 0.68, 0.6, mud=True),
    ),
    large=(
        Liquid(0.65, 0.3, 4.0, 0.69, 0.6, mud=False),
        Liquid(0.65, 0.3, 3.0, 0.68, 0.6, mud=False),
        Liquid(0.65, 0.3, 2.0, 0.68, 0.5, mud=False),
        Liquid(0.65, 0.3, 1.0, 0.65, 1.5, mud=True),
        Liquid(0.67, 0.4, 1.0, 0.65, 1.5, mud=True),
    ),
)
"""Mean and deviation of the noise, sigma that smooths it, threshold, strength, kind of liquid."""

WATER = (175.0, 238.0, 238.0)
MUD = (63.0, 42.0, 20.0)
_RELIEF: Taps = tuple(
    (y - 1, x - 1, float(weight))
    for y, line in enumerate(((-2, -1, 0), (-1, 1, 1), (0, 1, 2)))
    for x, weight in enumerate(line)
)


def water(liquid: Plane, strength: float) -> Plane:
    """The share of the water's colour: thickness times a relief of the distance to its edges, at most `strength`."""
    rim = box(distance(canny(liquid, 50.0, 150.0), 20.0)).floor()
    relief = correlate(equalized(rim), _RELIEF, "mirror").clamp(0, 255)
    shine = liquid * round_(box(relief))
    return shine / shine.amax((1, 2, 3), keepdim=True).clamp(min=1) * strength


@eight_bit
def spatter(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """Water is added (severities 1 to 3), or mud covers the image (4, 5); their luma unless there are 3 channels."""
    liquid = SPATTER.at(levels, severity)
    noise = normals((levels.shape[2], levels.shape[3]), sample, seed, "spatter")
    field = smooth_field(noise, liquid.sigma, 4.0, "nearest") * liquid.deviation + liquid.mean
    thick = torch.where(field < liquid.threshold, 0, field)[:, None]
    colour = levels.new_tensor(in_channels(MUD if liquid.mud else WATER, levels.shape[1])).view(-1, 1, 1)
    if not liquid.mud:
        return truncate_(levels.add_(water(truncate_(thick * 255).float(), liquid.strength) * colour))
    share = gaussian((thick > liquid.threshold).float(), liquid.strength)
    share = torch.where(share < 0.8, 0, share).float()
    return truncate_(levels * (1 - share) + colour * share)
