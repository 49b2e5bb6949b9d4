"""RandAugment (Cubuk et al., 2020, arXiv:1909.13719): two operations out of fourteen on each image, drawn by name.

Ranges are those of the usual 31 levels; AT-BSL (arXiv:2403.10073) takes two operations at level 8. Operations work on
values in 0..255 as Pillow's do; what moves in from outside is 0.
"""

from collections.abc import Callable
from math import pi

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from weakspot.contracts import Images, Labels, PerSample
from weakspot.rng import integers, signs

OPERATIONS, LEVEL, LEVELS = 2, 8, 30
SHARE = LEVEL / LEVELS
Bytes = Float[Tensor, "batch channels height width"]
"""Values in [0, 255]."""


def rand_augment(images: Images, sample: Labels, seed: int, epoch: int) -> Images:
    """Each image after its two operations; what happens to a sample depends on (seed, epoch, sample) alone."""
    which = integers(len(OPERATORS), (OPERATIONS,), sample, seed, "randaugment", epoch)
    turn = signs((OPERATIONS,), sample, seed, "randaugment/sign", epoch)
    values = images * 255
    for place in range(OPERATIONS):
        done = values.clone()
        for number in torch.unique(which[:, place]).tolist():
            rows = torch.nonzero(which[:, place] == number)[:, 0]
            done[rows] = OPERATORS[number](values[rows], turn[rows, place]).clamp(0, 255)
        values = done
    return values / 255


def affine(values: Bytes, matrix: Float[Tensor, "batch 2 3"]) -> Bytes:
    """The value at the pixel that holds `matrix` (x, y, 1), for each pixel's centre (x, y); 0 from outside."""
    batch, _, height, width = values.shape
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    centres = torch.stack([x, y, torch.ones_like(x)]).flatten(1).to(matrix)
    column, row = (matrix @ centres).floor().long().view(batch, 2, height, width).unbind(1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    place = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    found = values.flatten(2).gather(2, place.flatten(1)[:, None].expand(-1, values.shape[1], -1))
    return found.view_as(values) * inside[:, None]


def plane(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor, f: Tensor) -> Float[Tensor, "batch 2 3"]:
    """The matrices with rows (a, b, c) and (d, e, f), in float64."""
    return torch.stack([a, b, c, d, e, f], 1).double().view(-1, 2, 3)


def shear_x(values: Bytes, sign: PerSample) -> Bytes:
    """Rows shifted by up to 0.3 of their height."""
    one, none = torch.ones_like(sign), torch.zeros_like(sign)
    return affine(values, plane(one, 0.3 * SHARE * sign, none, none, one, none))


def shear_y(values: Bytes, sign: PerSample) -> Bytes:
    """Columns shifted likewise."""
    one, none = torch.ones_like(sign), torch.zeros_like(sign)
    return affine(values, plane(one, none, none, 0.3 * SHARE * sign, one, none))


def translate_x(values: Bytes, sign: PerSample) -> Bytes:
    """Shifted by up to 150 / 331 of the width, in whole pixels."""
    one, none = torch.ones_like(sign), torch.zeros_like(sign)
    return affine(values, plane(one, none, sign * int(150 / 331 * values.shape[3] * SHARE), none, one, none))


def translate_y(values: Bytes, sign: PerSample) -> Bytes:
    """Shifted down or up likewise."""
    one, none = torch.ones_like(sign), torch.zeros_like(sign)
    return affine(values, plane(one, none, none, none, one, sign * int(150 / 331 * values.shape[2] * SHARE)))


def rotate(values: Bytes, sign: PerSample) -> Bytes:
    """Turned around the centre by up to 30 degrees."""
    angle = sign.double() * (30 * SHARE * pi / 180)
    cos, sin, (x, y) = angle.cos(), angle.sin(), (values.shape[3] / 2, values.shape[2] / 2)
    return affine(values, plane(cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y))


def blend(values: Bytes, other: Tensor, sign: PerSample) -> Bytes:
    """Away from `other` or towards it, by up to 0.9 of the difference."""
    return other + (1 + 0.9 * SHARE * sign)[:, None, None, None] * (values - other)


def grey(values: Bytes) -> Float[Tensor, "batch 1 height width"]:
    """The luminance (ITU-R 601), of one channel."""
    if values.shape[1] != 3:
        return values.mean(1, keepdim=True)
    return (values * values.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True).round()


def sharpness(values: Bytes, sign: PerSample) -> Bytes:
    """Blended with the smoothed image, whose border stays."""
    kernel = values.new_tensor([[1, 1, 1], [1, 5, 1], [1, 1, 1]]).div(13).expand(values.shape[1], 1, 3, 3)
    smooth = values.clone()
    smooth[..., 1:-1, 1:-1] = F.conv2d(values, kernel, groups=values.shape[1]).round()
    return blend(values, smooth, sign)


def auto_contrast(values: Bytes, sign: PerSample) -> Bytes:
    """Each channel stretched to 0..255; a constant one stays."""
    low, high = values.amin((2, 3), keepdim=True), values.amax((2, 3), keepdim=True)
    return torch.where(high > low, ((values - low) * 255 / (high - low).clamp(min=1e-6)).floor(), values)


def equalize(values: Bytes, sign: PerSample) -> Bytes:
    """Each channel with a histogram as flat as a table of 256 values makes it (Pillow's rule)."""
    levels: Int[Tensor, "rows pixels"] = values.round().long().flatten(2).flatten(0, 1)
    counts = torch.zeros(len(levels), 256, dtype=torch.int64, device=values.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    step = (levels.shape[1] - counts.gather(1, levels.amax(1, keepdim=True))) // 255
    table = ((step // 2 + counts.cumsum(1) - counts) // step.clamp(min=1)).clamp(max=255)
    return torch.where(step > 0, table.gather(1, levels), levels).to(values).view_as(values)


OPERATORS: tuple[Callable[[Bytes, PerSample], Bytes], ...] = (
    lambda values, _: values, shear_x, shear_y, translate_x, translate_y, rotate,
    lambda values, sign: blend(values, torch.zeros_like(values), sign),  # brightness
    lambda values, sign: blend(values, grey(values), sign),  # colour
    lambda values, sign: blend(values, (grey(values).mean((1, 2, 3), keepdim=True) + 0.5).floor(), sign),  # contrast
    sharpness,
    lambda values, _: values.round() - values.round() % 2 ** round(4 * SHARE),  # posterize
    lambda values, _: torch.where(values >= round(255 * (1 - SHARE)), 255 - values, values),  # solarize
    auto_contrast, equalize,
)  # fmt: skip
"""What is drawn from, with equal chances."""
