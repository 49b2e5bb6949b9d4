"""The shortest way from an image to a hyperplane without leaving [0, 1] (Croce and Hein, 2020, arXiv:1907.02044, 2.1).

Every pixel moves in the direction that helps until the border of [0, 1] stops it. How far the others go is one number
per image, the root of a concave, piecewise linear function. Newton's steps rise to it and end exactly, because each one
stops at least one more pixel: some four rounds over the pixels, a quarter of the time of sorting the places where they
stop and searching among them.
"""

import torch

from weakspot.addresses import Norm
from weakspot.contracts import Images, PerSample
from weakspot.maths.balls import TINY, spread


def to_hyperplane(points: Images, weight: Images, gap: PerSample, norm: Norm) -> Images:
    """The delta of least norm (linf, l2) with sum(weight * delta) = gap and points + delta in [0, 1].

    Where [0, 1] does not reach the hyperplane, delta leads to the corner that comes nearest to it. A pixel of weight 0
    does not move.
    """
    if norm not in ("linf", "l2"):
        raise ValueError(f"no projection for {norm}; linf and l2 have one")
    largest = weight.flatten(1).abs().amax(1).clamp(min=TINY)
    size = (weight / spread(largest, weight)).flatten(1).abs()
    direction = weight.sign() * spread(gap.sign(), weight)
    room = torch.where(direction > 0, 1 - points, points).clamp(min=0).flatten(1)
    lean = torch.ones_like(size) if norm == "linf" else size  # how far a pixel goes for each unit of the multiplier
    gain, most, needed = size * lean, size * room, gap.abs() / largest
    multiplier = needed / gain.sum(1).clamp(min=TINY)
    while True:
        stopped = multiplier[:, None] * lean >= room
        still_needed = needed - (most * stopped).sum(1)
        raised = (still_needed / (gain * ~stopped).sum(1).clamp(min=TINY)).maximum(multiplier)
        if not (raised > multiplier).any():  # so asked, a NaN ends it as well
            break
        multiplier = raised
    reach = torch.minimum(multiplier[:, None] * lean, room)
    return direction * reach.view_as(points)
