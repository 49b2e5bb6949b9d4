"""What all corruptions share: 8-bit levels in and out, severities, tables of constants, and chunks that fit a cache.

The published corruptions (Hendrycks and Dietterich, 2019, arXiv:1903.12261) take an 8-bit image and store 8 bits:
CIFAR-10-C and CIFAR-100-C as uint8 arrays, ImageNet-C as JPEG files of uint8 arrays. So here: images are rounded to
whole levels 0..255 first, which changes nothing where they came from 8 bits, and the result is whole levels again, cut
down (`truncate_`) where the published code casts to uint8 and rounded where its image library rounds. ImageNet-C's
last step, a JPEG of quality 85 around every corrupted image, is a matter of storage and is left out.

The levels travel as float32. Linear filters have weights that are multiples of 2^-16 (see filters.py), so that their
sums are exact and no order of summation, batch size or device can change a level.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from weakspot.addresses import ThreatAddress
from weakspot.contracts import Images, Labels
from weakspot.errors import InputError

SEVERITIES = (1, 2, 3, 4, 5)

SMALL_SIDE = 64
"""Images with no side above this take the constants of CIFAR-10-C (32x32), larger ones those of ImageNet-C (224x224).

Constants are in pixels as published and never scaled with the size. At 64 pixels the blurs of ImageNet-C, 21 pixels
wide, would leave little to see. Tiny ImageNet-C has a third set of constants, for 64x64, which is not offered.
"""

CHUNK = 3 * 2**16
"""Values of images that are corrupted at a time on a CPU: 64 images of 3 x 32 x 32. Fewer cost more calls; more outgrow
the cache and what the allocator keeps between calls."""
CHUNK_ON_DEVICE = 2**24
"""The same elsewhere, where memory is the limit: 64 MB of float32."""

_JUST_BELOW = 2.0**-10

Levels = Float[Tensor, "batch channels height width"]
"""Whole numbers 0..255 in float32."""
Corrupt = Callable[[Tensor, int, Tensor, int], Tensor]
"""(images, severity, sample, seed) -> images; all in [0, 1], of one shape."""

T = TypeVar("T")


@dataclass(frozen=True)
class Table(Generic[T]):
    """The constants of one corruption, for severities 1 to 5."""

    small: tuple[T, T, T, T, T]
    """CIFAR-10-C's, from ImageNet-C/create_c/make_cifar_c.py of github.com/hendrycks/robustness."""
    large: tuple[T, T, T, T, T]
    """ImageNet-C's, from ImageNet-C/create_c/make_imagenet_c.py of the same repository."""

    def at(self, levels: Tensor, severity: int) -> T:
        """The constants for images of this size."""
        return (self.small if is_small(levels) else self.large)[severity - 1]


def is_small(images: Tensor) -> bool:
    """Whether the constants for 32x32 apply."""
    return max(images.shape[-2:]) <= SMALL_SIDE


def severity_of(parts: ThreatAddress) -> int:
    """The severity of `name@severity`.

    Raises:
        InputError: there is none, or it is not 1 to 5.

    """
    if parts.place not in {str(severity) for severity in SEVERITIES}:
        raise InputError(f"a severity is 1, 2, 3, 4 or 5, got {parts.place!r} in '{parts}'; write {parts.name}@3")
    return int(parts.place)


def truncate_(levels: Tensor) -> Tensor:
    """Whole levels as a cast to uint8 makes them: cut down, in place.

    A level that misses a whole number by less than a thousandth is taken for it: there the published float64 code
    itself goes either way.
    """
    return levels.add_(_JUST_BELOW).floor_().clamp_(0, 255)


def round_(levels: Tensor) -> Tensor:
    """The nearest whole levels, halves upwards, in place."""
    return levels.add_(0.5).floor_().clamp_(0, 255)


def eight_bit(body: Corrupt) -> Corrupt:
    """Make a public corruption of `body`, which maps whole levels, a copy it may write to, to whole levels."""

    @wraps(body, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def corrupt(images: Images, severity: int, sample: Labels, seed: int) -> Images:
        if severity not in SEVERITIES:
            raise InputError(f"a severity is 1, 2, 3, 4 or 5, got {severity!r}")
        size = CHUNK if images.device.type == "cpu" else CHUNK_ON_DEVICE
        step = max(1, size // max(1, images[0].numel())) if len(images) else 1
        sample = sample.to(images.device)
        out = torch.empty(images.shape, dtype=torch.float32, device=images.device)
        with torch.autocast(images.device.type, enabled=False):  # sums must be exact, whatever precision searches
            for first in range(0, len(images), step):
                part = slice(first, first + step)
                levels = (images[part].detach().float().contiguous() * 255).round_().clamp_(0, 255)
                torch.div(body(levels, severity, sample[part], seed), 255, out=out[part])
        return out.to(images.dtype)

    return corrupt
