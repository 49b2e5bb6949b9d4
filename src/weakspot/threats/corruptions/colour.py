"""Colour: grey values and HSV for 3 channels, and what stands for them where there are 1, 2, 4 or more."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from weakspot.threats.corruptions.levels import Levels

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601, as OpenCV's RGB2GRAY and JPEG's Y."""

Grey = Float[Tensor, "batch 1 height width"]


def grey(levels: Levels) -> Grey:
    """The luma of 3 channels, the value itself of 1, the mean of any other number."""
    if levels.shape[1] == 3:
        # Products and sums are separate on purpose: fused, their rounding would depend on the device.
        red, green, blue = (weight * levels[:, i : i + 1] for i, weight in enumerate(LUMA))
        return red + green + blue
    return levels.sum(1, keepdim=True) / levels.shape[1]


def in_channels(colour: Sequence[float], channels: int) -> tuple[float, ...]:
    """An RGB colour for images of so many channels: its luma unless there are 3."""
    if channels == 3:
        return tuple(colour)
    return (sum(weight * part for weight, part in zip(LUMA, colour, strict=True)),) * channels


def with_value(levels: Levels, shift: float) -> Levels:
    """Raise HSV's V, the largest channel, by `shift` levels up to white; hue and saturation stay.

    All channels scale by one factor, whatever their number; 1 channel is its own V; black has no hue and turns grey.
    """
    value = levels.amax(1, keepdim=True)
    raised = (value + shift).clamp_(0, 255)
    return torch.where(value > 0, levels * (raised / value.clamp(min=1)), raised)


def with_saturation(levels: Levels, factor: float, shift: float) -> Levels:
    """Map HSV's saturation S, (largest - smallest) / largest, to S factor + shift, clipped to [0, 1]; hue and V stay.

    A grey pixel has the hue 0, red, by the published code's convention: a shift lowers all channels but the first. So
    one channel stays as it is.
    """
    value, least = levels.amax(1, keepdim=True), levels.amin(1, keepdim=True)
    saturation = (value - least) / value.clamp(min=1)
    wanted = (saturation * factor + shift).clamp_(0, 1)
    out = value - (value - levels) * (wanted / torch.where(saturation > 0, saturation, torch.ones_like(saturation)))
    red = value.expand_as(levels) * (1 - wanted)
    red[:, :1] = value
    return torch.where(saturation > 0, out, red)
