"""What every zoo model is: normalisation inside, `features`, and a last layer called `head` that can be exchanged."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weakspot.contracts import Images, Logits
from weakspot.errors import InputError

Features = Float[Tensor, "batch features"]
"""What the last layer sees."""


@dataclass(frozen=True)
class Shape:
    """What a model is made for: images of `channels` x `size` x `size`, and a number of classes."""

    channels: int
    classes: int
    size: int

    def __post_init__(self) -> None:
        if self.channels < 1 or self.classes < 2 or self.size < 4:
            raise InputError(
                "a zoo model needs at least 1 channel, 2 classes and 4x4 pixels, "
                f"got {self.channels} channels, {self.classes} classes and size {self.size}"
            )


class Normalize(nn.Module):
    """Subtracts `mean` and divides by `std`, per channel: part of the model, so that radii stay in pixels of [0, 1].

    One number serves all channels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, mean: Sequence[float] = (0.0,), std: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        for what, values in (("mean", mean), ("std", std)):
            if len(values) not in (1, channels):
                raise InputError(f"{what} needs 1 or {channels} numbers, one per channel, got {len(values)}")
        if min(std) <= 0:
            raise InputError(f"std must be positive, got {min(std)}")
        self.register_buffer("mean", torch.tensor([*mean], dtype=torch.float32).expand(channels).clone())
        self.register_buffer("std", torch.tensor([*std], dtype=torch.float32).expand(channels).clone())

    def forward(self, images: Images) -> Images:
        """(images - mean) / std."""
        return (images - self.mean[:, None, None]) / self.std[:, None, None]


class ZooModel(nn.Module, ABC):
    """Images in [0, 1] to logits, by way of `features`; the last layer's name is free, so that public weights load."""

    head_name: ClassVar[str]
    """The attribute that holds the last layer. Exchange it by `weakspot.models.heads.set_head`: assigning to `head`
    would add a second module beside it, because torch registers modules before it looks at properties."""
    initialisation: ClassVar[Literal["fan_in", "he_fan_out"]] = "fan_in"
    normalize: Normalize

    @abstractmethod
    def features(self, images: Images) -> Features:
        """The last layer's input, shape (B, D), for images in [0, 1]."""

    @property
    def head(self) -> nn.Module:
        """The last layer, from features to logits."""
        return self.get_submodule(self.head_name)

    def forward(self, images: Images) -> Logits:
        """Logits of shape (B, K) for images in [0, 1]."""
        return self.head(self.features(images))


def check_size(images: Images, size: int) -> None:
    """Refuse images of another size, for the models whose first linear layer fixes it.

    Raises:
        InputError: the images are not `size` x `size`.

    """
    height, width = images.shape[2:]
    if (height, width) != (size, size):
        raise InputError(f"this model is built for {size}x{size} images, got {height}x{width}; build it for that size")
