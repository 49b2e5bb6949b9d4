"""Labels and class names, checked once at the border: int64, in [0, K), one each, and a name for every class."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from weakspot.errors import InputError, reason


def check_labels(labels: object, samples: int, where: str) -> Int[Tensor, " samples"]:
    """`labels` as int64 of shape (samples,); a trailing axis of 1, as MedMNIST has it, is dropped.

    Args:
        labels: an array, a tensor or a list of whole numbers from 0 up.
        samples: how many images there are.
        where: what the error names, such as a file.

    Raises:
        InputError: another shape or count, numbers that are not whole, or negative ones.

    """
    if isinstance(labels, Tensor):
        labels = labels.detach().cpu().numpy()
    try:
        array = np.asarray(labels)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: labels must be one whole number for each image; {reason(error)}") from error
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(
            f"{where}: expected one label for each image, shape ({samples},), got {array.shape}; "
            "of one-hot labels take the argmax"
        )
    if len(array) != samples:
        raise InputError(f"{where}: {samples} images but {len(array)} labels; give one label for each image")
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{where}: labels must be whole numbers from 0 up, got {array.dtype}; convert them to int64")
    if samples and (array.min() < 0 or array.max() > np.iinfo(np.int32).max):
        bad = array.min() if array.min() < 0 else array.max()
        raise InputError(f"{where}: labels count from 0 up, got {bad} for sample {int((array == bad).argmax())}")
    return torch.from_numpy(array.astype(np.int64))


def numbers(count: int) -> tuple[str, ...]:
    """The names of classes that nobody named."""
    return tuple(str(number) for number in range(count))


def numbered(classes: Sequence[str]) -> bool:
    """Whether nobody named these classes."""
    return tuple(classes) == numbers(len(classes))


def check_classes(classes: Sequence[object] | None, labels: Int[Tensor, " samples"], where: str) -> tuple[str, ...]:
    """A name for every class; numbers where `classes` is None. A class without samples is allowed.

    Raises:
        InputError: a label has no name, or two classes have one name.

    """
    highest = int(labels.max()) if len(labels) else -1
    if classes is None:
        return numbers(highest + 1)
    names = tuple(str(name) for name in classes)
    if highest >= len(names):
        raise InputError(f"{where}: label {highest} is out of range for {len(names)} class names; name every class")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{where}: class names must differ, got {twice[0]!r} more than once")
    return names
