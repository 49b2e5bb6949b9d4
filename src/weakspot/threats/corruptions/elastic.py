"""Elastic transform: a random affine map, then a smooth random displacement of each pixel. Constants: levels.Table.

The constants for large images are ImageNet-C's own. imagecorruptions replaced them by others without the affine map, so
that its elastic_transform is not the published one.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.threats.corruptions.draws import uniforms
from weakspot.threats.corruptions.filters import smooth_field
from weakspot.threats.corruptions.levels import Levels, Table, eight_bit, truncate_

ELASTIC_TRANSFORM = Table(
    small=((0.0, 0.0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)),
    large=((488.0, 170.8, 24.4), (488.0, 19.52, 48.8), (12.2, 2.44, 4.88), (17.08, 2.44, 4.88), (29.28, 2.44, 4.88)),
)
"""(alpha: factor of the displacement, sigma: its smoothness, farthest move of the affine map's points); pixels."""

Coordinates = Float[Tensor, "batch height width"]


def affine_source(
    rows: int, columns: int, farthest: float, sample: Labels, seed: int
) -> tuple[Coordinates, Coordinates]:
    """Where each pixel comes from (y, x) when three points around the centre move by up to `farthest` pixels."""
    reach = max(min(rows, columns) // 3, 1)
    around = torch.tensor([[reach, reach], [reach, -reach], [-reach, -reach]], device=sample.device).double()
    still = around + torch.tensor([columns // 2, rows // 2], device=sample.device)
    moves = uniforms((3, 2), sample, seed, "elastic_transform/affine").double()
    moved = still + (moves * 2 - 1) * farthest
    # The map of the two edges that meet in the middle point, (old edges) (new edges)^-1, in closed form.
    (a, c), (b, d) = ((moved[:, i] - moved[:, 1]).unbind(1) for i in (0, 2))
    (ea, ec), (eb, ed) = ((still[i] - still[1]).unbind() for i in (0, 2))
    area = a * d - b * c
    area = torch.where(area.abs() < 1e-3, 1e-3, area)  # points on a line, which only tiny images can yield
    right, down = moved[:, 1].unbind(1)
    y = (torch.arange(rows, device=sample.device) - down[:, None]).float()[:, :, None]
    x = (torch.arange(columns, device=sample.device) - right[:, None]).float()[:, None]
    source = []
    for p, q, middle in ((ec, ed, still[1, 1]), (ea, eb, still[1, 0])):
        along_x, along_y = (p * d - q * c) / area, (q * a - p * b) / area
        along_x, along_y = (part.float()[:, None, None] for part in (along_x, along_y))
        source.append((along_x * x + middle.float()) + along_y * y)
    return source[0], source[1]


def resample(levels: Levels, y: Coordinates, x: Coordinates, *, mirror: bool) -> Levels:
    """Bilinear values at the coordinates; beyond the border the image is mirrored at its outer pixels' centres
    (OpenCV's REFLECT_101) or, without `mirror`, at their edges (scipy's "reflect").
    """
    rows, columns = levels.shape[-2:]
    # To torch's coordinates: the outer pixels' centres, or their edges, are at -1 and 1.
    sizes = [max(side - 1, 1) if mirror else side for side in (columns, rows)]
    parts = [
        (axis * (2 / size)).add_((0 if mirror else 1 / size) - 1) for axis, size in zip((x, y), sizes, strict=True)
    ]
    return torch.nn.functional.grid_sample(
        levels, torch.stack(parts, -1), mode="bilinear", padding_mode="reflection", align_corners=mirror
    )


@eight_bit
def elastic_transform(levels: Levels, severity: int, sample: Labels, seed: int) -> Levels:
    """The affine map (mirrored border), then uniform noise, smoothed and scaled, as displacement."""
    alpha, sigma, farthest = ELASTIC_TRANSFORM.at(levels, severity)
    rows, columns = levels.shape[-2:]
    warped = resample(levels, *affine_source(rows, columns, farthest, sample, seed), mirror=True)
    if alpha == 0:  # severity 1 of small images is the affine map alone
        return truncate_(warped)
    noise = uniforms((2, rows, columns), sample, seed, "elastic_transform") * 2 - 1
    shift = smooth_field(noise.flatten(0, 1), sigma, 3.0, "reflect").reshape(noise.shape).float() * alpha
    y = torch.arange(rows, device=levels.device)[:, None] + shift[:, 1]
    x = torch.arange(columns, device=levels.device) + shift[:, 0]
    return truncate_(resample(warped, y, x, mirror=False))
