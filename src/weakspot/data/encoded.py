"""Images stored as PNG, JPEG, WebP, ...: decoded by Pillow, once into memory where they fit, else for each batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from weakspot.contracts import Data, Images
from weakspot.data.arrays import ArrayData, to_unit
from weakspot.data.digest import digest
from weakspot.data.labels import check_classes, check_labels
from weakspot.errors import InputError, reason

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""What Pillow may try: some of its other formats start programs."""
KEPT = 2**30
"""Decoded bytes up to which a set is held in memory as uint8; beyond, each batch is decoded when it is read."""


@dataclass(frozen=True, eq=False, kw_only=True)
class EncodedData:
    """A set too large to hold decoded: each batch is decoded anew."""

    sources: Sequence[Path | bytes]
    called: Sequence[str]
    """What an error calls each image, such as its path."""
    labels: Int[Tensor, " samples"]
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    name: str
    split: str = "all"
    radius: str | None = None

    def __len__(self) -> int:
        return len(self.sources)

    def batch(self, rows: Sequence[int]) -> Images:
        """float32 images in [0, 1] of these positions, contiguous.

        Raises:
            InputError: an image cannot be decoded.

        """
        return to_unit(self.pixels(rows))

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        """uint8 images of these positions, (rows, C, H, W).

        Raises:
            InputError: an image cannot be decoded.

        """
        found = np.empty((len(rows), *self.shape), np.uint8)
        for place, row in enumerate(rows):
            found[place] = _decode(self.sources[row], self.called[row], self.shape)
        return found

    @cached_property
    def _digest(self) -> str:
        return digest(self)

    def digest(self) -> str:
        """SHA-256 (hex) of images, labels and class names; computed once."""
        return self._digest


def from_encoded(
    sources: Sequence[Path | bytes],
    labels: object,
    *,
    called: Sequence[str],
    classes: Sequence[str] | None,
    name: str,
    split: str,
) -> Data:
    """A set of encoded images of one size; grey ones stay one channel unless others are coloured.

    Transparency and palettes become plain RGB; rotation notes of cameras are ignored.

    Raises:
        InputError: no images, two sizes, an image that cannot be read, or labels that do not fit.

    """
    if not sources:
        raise InputError(f"{name}: expected at least one image, found none")
    checked = check_labels(labels, len(sources), name)
    heads = [_head(source, called[row]) for row, source in enumerate(sources)]
    for row, head in enumerate(heads):
        if head[1:] != heads[0][1:]:
            raise InputError(
                f"{name}: all images must have one size, but {called[0]} is {heads[0][2]}x{heads[0][1]} and "
                f"{called[row]} is {head[2]}x{head[1]} (width x height); resize them"
            )
    shape = (max(head[0] for head in heads), *heads[0][1:])
    data = EncodedData(
        sources=sources,
        called=called,
        labels=checked,
        classes=check_classes(classes, checked, name),
        shape=shape,
        name=name,
        split=split,
    )
    if len(sources) * shape[0] * shape[1] * shape[2] > KEPT:
        return data
    return ArrayData(
        images=data.pixels(range(len(data))), labels=data.labels, classes=data.classes, name=name, split=split
    )


def _head(source: Path | bytes, called: str) -> tuple[int, int, int]:
    """(channels, height, width), read from the image's head."""
    image = _open(source, called)
    with image:
        if image.mode[0] in "IF":
            raise InputError(f"{called}: expected 8 bits for each channel, got mode {image.mode}; convert the image")
        return (1 if image.mode in ("1", "L", "LA", "La") else 3), image.height, image.width


def _decode(source: Path | bytes, called: str, shape: tuple[int, int, int]) -> np.ndarray:
    image = _open(source, called)
    with image:
        try:
            pixels = np.asarray(image.convert("L" if shape[0] == 1 else "RGB"))
        except Exception as error:  # Pillow raises many kinds of errors on damaged content
            raise InputError(f"{called}: damaged image ({reason(error)}); replace or remove it") from error
    if pixels.shape[:2] != shape[1:]:
        raise InputError(f"{called}: the image changed while it was read; start again")
    return pixels[None] if shape[0] == 1 else pixels.transpose(2, 0, 1)


def _open(source: Path | bytes, called: str) -> Image.Image:
    try:
        return Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS)
    except Exception as error:  # as above; a false size is refused by Pillow's own limit
        raise InputError(f"{called}: no readable image ({reason(error)}); replace or remove it") from error
