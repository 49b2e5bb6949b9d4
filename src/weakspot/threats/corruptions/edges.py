"""The image processing that the published spatter borrows from OpenCV, in batches: edges, distances, equalisation.

Images have one channel of whole levels, shape (B, 1, H, W). Sums are of multiples of 2^-16, hence exact.
"""

from functools import reduce

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from weakspot.threats.corruptions.filters import Taps, correlate

Plane = Float[Tensor, "batch 1 height width"]

_ACROSS: Taps = tuple((y, x, float(x * (2 - abs(y)))) for y in (-1, 0, 1) for x in (-1, 1))  # Sobel
_DOWN: Taps = tuple((x, y, weight) for y, x, weight in _ACROSS)
_TANGENT = 13573  # tan(22.5 degrees) * 2^15
_BOX: Taps = tuple((y, x, 1.0) for y in (-1, 0, 1) for x in (-1, 0, 1))
# Borgefors, 1986, doi:10.1016/S0734-189X(86)80047-0; OpenCV's 5x5 mask in 16-bit fixed point.
_STEPS = {(0, 1): 65536 / 65536, (1, 1): 91750 / 65536, (1, 2): 143976 / 65536}


def box(levels: Plane) -> Plane:
    """The means of 3x3 neighbours, border mirrored; not rounded."""
    return correlate(levels, _BOX, "mirror") / 9


def _neighbour(plane: Tensor, down: int, right: int, outside: float) -> Tensor:
    """The value so many rows down and columns right (up to 2) of each pixel."""
    rows, columns = plane.shape[-2:]
    return pad(plane, (2, 2, 2, 2), value=outside)[..., 2 + down :, 2 + right :][..., :rows, :columns]


def canny(levels: Plane, low: float, high: float) -> Bool[Tensor, "batch 1 height width"]:
    """Edges (Canny, 1986, doi:10.1109/TPAMI.1986.4767851): crests of the L1 gradient above `low` that reach `high`."""
    across, down = (correlate(levels, sobel, "nearest").int() for sobel in (_ACROSS, _DOWN))
    size = (across.abs() + down.abs()).float()
    flat, steep = down.abs() * 2**15, across.abs() * _TANGENT
    horizontal = flat < steep
    vertical = flat > steep + across.abs() * 2**16  # tan(67.5 degrees) = tan(22.5 degrees) + 2
    falling = (across ^ down) >= 0
    crest = torch.zeros_like(horizontal)
    # A crest is above the pixel before it; a tie with the one behind is allowed along the axes, as in OpenCV.
    for where, (y, x), tie in (
        (horizontal, (0, 1), True),
        (vertical & ~horizontal, (1, 0), True),
        (~horizontal & ~vertical & falling, (1, 1), False),
        (~horizontal & ~vertical & ~falling, (1, -1), False),
    ):
        behind = _neighbour(size, y, x, 0.0)
        crest |= where & (size > _neighbour(size, -y, -x, 0.0)) & (size >= behind if tie else size > behind)
    weak = crest & (size > low)
    strong = weak & (size > high)
    while True:
        grown = weak & (max_pool2d(strong.float(), 3, 1, 1) > 0)
        if torch.equal(grown, strong):
            return strong
        strong = grown


def distance(edges: Bool[Tensor, "batch 1 height width"], most: float) -> Plane:
    """The distance of each pixel to the nearest edge by steps to 16 neighbours, no more than `most`."""
    rows, columns = edges.shape[-2:]
    found = (~edges).float() * most
    while True:
        wide = pad(found, (2, 2, 2, 2), value=most)
        nearer = found
        for (a, b), length in _STEPS.items():
            steps = {(y * down, x * right) for y, x in ((a, b), (b, a)) for down in (-1, 1) for right in (-1, 1)}
            around = [wide[..., 2 + y : 2 + y + rows, 2 + x : 2 + x + columns] for y, x in sorted(steps)]
            nearer = torch.minimum(nearer, reduce(torch.minimum, around).add_(length))
        if torch.equal(nearer, found):
            return found
        found = nearer


def equalized(levels: Plane) -> Plane:
    """Each image's levels spread by their cumulative histogram, its least level to 0; one level alone stays."""
    whole = levels.flatten(1).long()
    counts = torch.zeros(len(levels), 256, device=levels.device).scatter_add_(1, whole, levels.flatten(1) * 0 + 1)
    least = whole.amin(1, keepdim=True)
    above = whole.shape[1] - counts.gather(1, least)
    reached = counts.cumsum(1) - counts.gather(1, least)  # whole numbers: exact
    spread = (reached * (255 / above.clamp(min=1))).round().clamp_(0, 255)
    return torch.where(above > 0, spread.gather(1, whole), levels.flatten(1)).view_as(levels)
