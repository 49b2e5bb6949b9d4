"""Operations on images that augmentation policies draw from: on values in 0..255, as Pillow's; 0 moves in from outside.

Each takes a signed share of its range for each image, in float64: -1 or 1 is as far as it goes, 0 is nothing (where
there is a range at all; where there is no direction the sign plays no part).
"""

from collections.abc import Callable
from math import pi

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from weakspot.contracts import Labels, PerSample

Bytes = Float[Tensor, "batch channels height width"]
"""Values in [0, 255]."""


def operate(values: Bytes, which: Labels, share: PerSample) -> Bytes:
    """Each image after its operation, a position in `NAMES`, by its share; in [0, 255] again."""
    done = values.clone()
    for number in torch.unique(which).tolist():
        rows = torch.nonzero(which == number)[:, 0]
        done[rows] = OPERATIONS[NAMES[number]](values[rows], share[rows]).clamp(0, 255)
    return done


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


def shear_x(values: Bytes, share: PerSample) -> Bytes:
    """Rows shifted by up to 0.3 of their height."""
    one, none = torch.ones_like(share), torch.zeros_like(share)
    return affine(values, plane(one, 0.3 * share, none, none, one, none))


def shear_y(values: Bytes, share: PerSample) -> Bytes:
    """Columns shifted likewise."""
    one, none = torch.ones_like(share), torch.zeros_like(share)
    return affine(values, plane(one, none, none, 0.3 * share, one, none))


def translate_x(values: Bytes, share: PerSample) -> Bytes:
    """Shifted by up to 150 / 331 of the width, in whole pixels."""
    one, none = torch.ones_like(share), torch.zeros_like(share)
    return affine(values, plane(one, none, (150 / 331 * values.shape[3] * share).trunc(), none, one, none))


def translate_y(values: Bytes, share: PerSample) -> Bytes:
    """Shifted down or up likewise."""
    one, none = torch.ones_like(share), torch.zeros_like(share)
    return affine(values, plane(one, none, none, none, one, (150 / 331 * values.shape[2] * share).trunc()))


def rotate(values: Bytes, share: PerSample) -> Bytes:
    """Turned around the centre by up to 30 degrees."""
    angle = share.double() * (30 * pi / 180)
    cos, sin, (x, y) = angle.cos(), angle.sin(), (values.shape[3] / 2, values.shape[2] / 2)
    return affine(values, plane(cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y))


def blend(values: Bytes, other: Tensor, share: PerSample) -> Bytes:
    """Away from `other` or towards it, by up to 0.9 of the difference, down to whole values."""
    factor = (1 + 0.9 * share).to(values)[:, None, None, None]
    return (other + factor * (values - other)).clamp(0, 255).floor()


def grey(values: Bytes) -> Float[Tensor, "batch 1 height width"]:
    """The luminance (ITU-R 601) as Pillow's whole numbers make it, of one channel."""
    if values.shape[1] != 3:
        return values.mean(1, keepdim=True)
    parts = values.round() * values.new_tensor([19595, 38470, 7471])[:, None, None]
    return ((parts.sum(1, keepdim=True) + 2**15) / 2**16).floor()


def brightness(values: Bytes, share: PerSample) -> Bytes:
    """Blended with black."""
    return blend(values, torch.zeros_like(values), share)


def color(values: Bytes, share: PerSample) -> Bytes:
    """Blended with its luminance, which changes nothing in an image of one channel."""
    return blend(values, grey(values), share)


def contrast(values: Bytes, share: PerSample) -> Bytes:
    """Blended with the mean of its luminance."""
    return blend(values, (grey(values).mean((1, 2, 3), keepdim=True) + 0.5).floor(), share)


def sharpness(values: Bytes, share: PerSample) -> Bytes:
    """Blended with the smoothed image, whose border stays."""
    kernel = values.new_tensor([[1, 1, 1], [1, 5, 1], [1, 1, 1]]).div(13).expand(values.shape[1], 1, 3, 3)
    smooth = values.clone()
    smooth[..., 1:-1, 1:-1] = F.conv2d(values, kernel, groups=values.shape[1]).round()
    return blend(values, smooth, share)


def posterize(values: Bytes, share: PerSample) -> Bytes:
    """Without the last up to 4 of 8 bits."""
    unit = 2 ** (4 * share.abs()).round().to(values)[:, None, None, None]
    return values.round() - values.round() % unit


def solarize(values: Bytes, share: PerSample) -> Bytes:
    """Inverted from a value on, between 255 and 0."""
    # Rounded: 255 x (1 - 1 / 3) shall be 170 in any arithmetic, as pixels of just that value exist.
    start = (255 * (1 - share.abs())).round(decimals=3).to(values)[:, None, None, None]
    return torch.where(values >= start, 255 - values, values)


def auto_contrast(values: Bytes, share: PerSample) -> Bytes:
    """Each channel stretched to 0..255; a constant one stays."""
    exact = values.double()
    low, high = exact.amin((2, 3), keepdim=True), exact.amax((2, 3), keepdim=True)
    scale = exact.new_tensor(255) / (high - low).clamp(min=1e-6)  # a number over a tensor is rounded twice
    return torch.where(high > low, (exact * scale - low * scale).floor(), exact).to(values)


def equalize(values: Bytes, share: PerSample) -> Bytes:
    """Each channel with a histogram as flat as a table of 256 values makes it (Pillow's rule)."""
    levels: Int[Tensor, "rows pixels"] = values.round().long().flatten(2).flatten(0, 1)
    counts = torch.zeros(len(levels), 256, dtype=torch.int64, device=values.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    step = (levels.shape[1] - counts.gather(1, levels.amax(1, keepdim=True))) // 255
    table = ((step // 2 + counts.cumsum(1) - counts) // step.clamp(min=1)).clamp(max=255)
    return torch.where(step > 0, table.gather(1, levels), levels).to(values).view_as(values)


OPERATIONS: dict[str, Callable[[Bytes, PerSample], Bytes]] = {
    "identity": lambda values, _: values,
    "shear_x": shear_x,
    "shear_y": shear_y,
    "translate_x": translate_x,
    "translate_y": translate_y,
    "rotate": rotate,
    "brightness": brightness,
    "color": color,
    "contrast": contrast,
    "sharpness": sharpness,
    "posterize": posterize,
    "solarize": solarize,
    "auto_contrast": auto_contrast,
    "equalize": equalize,
    "invert": lambda values, _: 255 - values,
}
"""By their names in the papers; in this order draws name them, so that new ones go to the end."""
NAMES = tuple(OPERATIONS)
