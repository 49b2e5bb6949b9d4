"""Any map-style data set of (image, label) pairs, torch's or alike, read batch by batch and never held whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

from weakspot.contracts import Data, Images
from weakspot.data.arrays import ArrayData, channels_first, check_unit, to_numpy, to_unit
from weakspot.data.digest import digest
from weakspot.data.labels import check_classes, check_labels
from weakspot.errors import InputError

_NAME = "dataset"


@dataclass(frozen=True, eq=False, kw_only=True)
class DatasetData:
    """A data set of the user's; each batch calls its `__getitem__`. Made by `from_dataset`."""

    dataset: Any
    labels: Int[Tensor, " samples"]
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    name: str = _NAME
    split: str = "all"
    radius: str | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, rows: Sequence[int]) -> Images:
        """float32 images in [0, 1] of these positions, contiguous.

        Raises:
            InputError: an image has another shape, NaN or values outside [0, 1], or its label has changed.

        """
        images = [self._image(row) for row in rows]
        return torch.cat(images) if images else torch.zeros((0, *self.shape))

    def _image(self, row: int) -> Images:
        image, label = _pair(self.dataset, row)
        if label != int(self.labels[row]):
            raise InputError(
                f"{self.name}: sample {row} had label {int(self.labels[row])} and now has {label}; "
                "a data set must give the same sample each time"
            )
        array = _array(image, row)
        if array.shape[1:] != self.shape:
            raise InputError(
                f"{self.name}: all images must have one shape (C, H, W), sample 0 has {self.shape} and "
                f"sample {row} {array.shape[1:]}"
            )
        check_unit(array, row, self.name)
        return to_unit(array)

    @cached_property
    def _digest(self) -> str:
        return digest(self)

    def digest(self) -> str:
        """SHA-256 (hex) of images, labels and class names; computed once, by one pass over the data set."""
        return self._digest


def from_dataset(dataset: Any, *, classes: Sequence[str] | None = None) -> Data:
    """A torch Dataset, anything else with `__len__` and `__getitem__`, or a DataLoader's data set.

    A DataLoader's order, batches and workers are not used.

    Images are tensors, arrays or PIL images: (C, H, W) or (H, W), floats in [0, 1] or uint8; uint8 is (H, W, C) by
    the rule of `arrays.py`. Labels are taken from `.targets` or `.labels` where these agree with the samples, else by
    one pass. Class names are `classes`, else the data set's own `.classes`, else numbers.

    Raises:
        InputError: a stream without positions, no samples, samples that are no (image, label) pairs, or bad ones.

    """
    if isinstance(dataset, DataLoader):
        dataset = dataset.dataset
    if isinstance(dataset, IterableDataset) or not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise InputError(
            f"{_NAME}: expected a data set with __len__ and __getitem__, got {type(dataset).__name__}, "
            "which can only be read in its own order; collect it into arrays"
        )
    samples = len(dataset)
    if samples == 0:
        raise InputError(f"{_NAME}: expected at least one sample, got none")
    names = classes if classes is not None else _own_classes(dataset)
    if type(dataset) is TensorDataset and len(dataset.tensors) == 2:
        return ArrayData.of(*dataset.tensors, classes=names, name=_NAME)
    labels = check_labels(_labels(dataset, samples), samples, _NAME)
    first = _array(_pair(dataset, 0)[0], 0)
    check_unit(first, 0, _NAME)
    channels, height, width = first.shape[1:]
    return DatasetData(
        dataset=dataset,
        labels=labels,
        classes=check_classes(names, labels, _NAME),
        shape=(channels, height, width),
    )


def _pair(dataset: Any, row: int) -> tuple[Any, int]:
    """The image and label at `row`."""
    sample = dataset[row]
    if not isinstance(sample, tuple | list) or len(sample) != 2:
        got = f"{type(sample).__name__} of {len(sample)}" if isinstance(sample, tuple | list) else type(sample).__name__
        raise InputError(f"{_NAME}: expected (image, label) pairs, sample {row} is a {got}; wrap the data set")
    image, label = sample
    return image, int(check_labels(np.atleast_1d(_plain(label)), 1, f"{_NAME}: sample {row}")[0])


def _array(image: Any, row: int) -> np.ndarray:
    """One image as (1, C, H, W), uint8 or floats."""
    if isinstance(image, Image.Image):
        image = np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB"))
    array = to_numpy(image, f"{_NAME}: sample {row}")
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise InputError(f"{_NAME}: expected images of shape (C, H, W) or (H, W), sample {row} has {array.shape}")
    return channels_first(array[None], None, _NAME)


def _plain(label: Any) -> Any:
    return label.detach().cpu().numpy() if isinstance(label, Tensor) else label


def _own_classes(dataset: Any) -> Sequence[str] | None:
    """The names under `.classes`, also of what a torch Subset was made from."""
    names = getattr(dataset, "classes", None)
    if isinstance(dataset, Subset):
        return _own_classes(dataset.dataset)
    return names if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names) else None


def _labels(dataset: Any, samples: int) -> object:
    """All labels: the data set's own list where it agrees with three samples, else read one by one."""
    listed = _listed(dataset)
    if listed is not None and len(listed) == samples:
        probes = {0, samples // 2, samples - 1}
        if all(np.atleast_1d(_plain(listed[row])).tolist() == [_pair(dataset, row)[1]] for row in probes):
            return listed
    return [_pair(dataset, row)[1] for row in range(samples)]


def _listed(dataset: Any) -> Any:
    """`.targets` or `.labels` as an array, also of what a torch Subset was made from; None when there is neither."""
    if isinstance(dataset, Subset):
        inner = _listed(dataset.dataset)
        return None if inner is None else inner[np.asarray(dataset.indices)]
    for name in ("targets", "labels"):
        found = getattr(dataset, name, None)
        if isinstance(found, Tensor | np.ndarray | list | tuple):
            try:
                return np.asarray(_plain(found))
            except ValueError:
                return None
    return None
