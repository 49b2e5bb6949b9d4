"""Images and labels as arrays in memory or memory-mapped, in any memory layout; floats are made per batch only.

Which axis holds the channels is decided by rule and never by looking at values:

- (N, H, W) is grey;
- float images are (N, C, H, W);
- uint8 images are (N, H, W, C) when the last axis is 1 or 3 and the second is not, else (N, C, H, W);
- `layout` overrules both. Float images whose shape looks like (N, H, W, C) are refused until it is given.
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from weakspot.contracts import Images
from weakspot.data.digest import blocks, digest
from weakspot.data.labels import check_classes, check_labels
from weakspot.errors import InputError, reason

Layout = Literal["NCHW", "NHWC"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ArrayData:
    """Images as one array: uint8 (0 to 255) or float ([0, 1]), kept as it is; made by `ArrayData.of`."""

    images: np.ndarray
    """(N, C, H, W), a view of what was given: nothing is copied, a memory map stays one."""
    labels: Int[Tensor, " samples"]
    classes: tuple[str, ...]
    name: str = "arrays"
    split: str = "all"
    radius: str | None = None

    @classmethod
    def of(
        cls,
        images: object,
        labels: object,
        *,
        classes: Sequence[object] | None = None,
        layout: Layout | None = None,
        name: str = "arrays",
        split: str = "all",
        radius: str | None = None,
    ) -> "ArrayData":
        """Check arrays or tensors and view them as (N, C, H, W).

        Args:
            images: uint8, or float in [0, 1]; array or tensor of shape (N, C, H, W), (N, H, W, C) or (N, H, W).
            labels: whole numbers in [0, K), shape (N,) or (N, 1).
            classes: K class names; numbers when None.
            layout: which axis holds the channels; see this file's head when None.
            name: the address of the set; errors begin with it.
            split: "train", "test" or "all".
            radius: the customary radius, such as "linf:8/255".

        Raises:
            InputError: a wrong shape, type or range, NaN, no samples, or labels that do not fit.

        """
        array = to_numpy(images, name)
        if array.ndim not in (3, 4):
            raise InputError(f"{name}: expected images of shape (N, C, H, W) or (N, H, W), got {array.shape}")
        if 0 in array.shape:
            raise InputError(f"{name}: expected at least one image, got shape {array.shape}")
        view = channels_first(array, layout, name)
        _check_values(view, name)
        checked = check_labels(labels, len(view), name)
        names = check_classes(classes, checked, name)
        return cls(images=view, labels=checked, classes=names, name=name, split=split, radius=radius)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: Sequence[int]) -> Images:
        """float32 images in [0, 1] of these positions, contiguous; a copy."""
        images = to_unit(self.images[np.asarray(rows, dtype=np.int64)])
        _let_go(self.images)
        return images

    @cached_property
    def _digest(self) -> str:
        return digest(self)

    def digest(self) -> str:
        """SHA-256 (hex) of images, labels and class names; computed once."""
        return self._digest


def _let_go(images: np.ndarray) -> None:
    """Give the pages of a memory map back, so that reading a file once through does not hold all of it in memory.

    They stay in the system's cache as long as nobody else needs the room. Only a map that was opened for reading alone:
    of a copy-on-write map (mode "c") this would throw away what its owner has written.
    """
    base: object = images
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.mode != "r":
            return
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def to_numpy(images: object, where: str) -> np.ndarray:
    """`images` (a tensor, an array, a nest of lists) as an array of uint8 or floats, without a copy where possible.

    Raises:
        InputError: they form no array, or one of another type.

    """
    if isinstance(images, Tensor):
        images = images.detach().cpu()
        images = (images.float() if images.dtype == torch.bfloat16 else images).numpy()
    try:
        array = np.asarray(images)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: images must have one shape; {reason(error)}") from error
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{where}: images must be uint8 or floats in [0, 1], got {array.dtype}; convert them")
    return array


def channels_first(array: np.ndarray, layout: Layout | None, where: str) -> np.ndarray:
    """A view of shape (N, C, H, W), by the rule of this file's head.

    Raises:
        InputError: float images that look like (N, H, W, C), without a `layout`.

    """
    if array.ndim == 3:
        return array[:, None]
    if layout is None:
        looks_last = array.shape[3] in (1, 3) and array.shape[1] not in (1, 3)
        if looks_last and array.dtype != np.uint8:
            raise InputError(
                f"{where}: float images are read as (N, C, H, W), and shape {array.shape} would have "
                f"{array.shape[1]} channels; transpose them, or say layout='NHWC' or 'NCHW'"
            )
        layout = "NHWC" if looks_last else "NCHW"
    return array.transpose(0, 3, 1, 2) if layout == "NHWC" else array


def to_unit(array: np.ndarray) -> Images:
    """uint8 / 255, or the floats, as a contiguous float32 tensor."""
    array = np.ascontiguousarray(array)
    if array.dtype == np.uint8:
        return torch.from_numpy(array).float().div_(255)
    return torch.from_numpy(array.astype(np.float32, copy=False))


def check_unit(array: np.ndarray, first: int, where: str) -> None:
    """Refuse floats that are NaN or outside [0, 1]; `first` is the number of the first sample of `array`.

    Raises:
        InputError: it names the first wrong sample.

    """
    if array.dtype == np.uint8:
        return
    axes = tuple(range(1, array.ndim))
    low, high = array.min(axis=axes), array.max(axis=axes)
    if np.isnan(low).any():
        raise InputError(f"{where}: images must not hold NaN, sample {first + int(np.isnan(low).argmax())} does")
    wrong = (low < 0) | (high > 1)
    if wrong.any():
        bad = int(wrong.argmax())
        raise InputError(
            f"{where}: images must lie in [0, 1], sample {first + bad} spans [{low[bad]:.3g}, {high[bad]:.3g}]; "
            "divide by 255, or move Normalize from the data into the model"
        )


def _check_values(view: np.ndarray, where: str) -> None:
    if view.dtype != np.uint8:
        for rows in blocks(len(view)):
            check_unit(view[rows.start : rows.stop], rows.start, where)
