"""`.npz` archives of numpy arrays. Nothing is ever unpickled.

Keys, for a split: `train_images` and `train_labels` (MedMNIST), `x_train` and `y_train` or `X_train` (Keras); for a
set of one split: `x` and `y`, `X` and `y`, `images` and `labels`. `classes`, an array of names, is used when there.
An array stored without compression (`np.savez`) is memory-mapped inside the archive.
"""

import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import cast

import numpy as np

from weakspot.data.arrays import ArrayData
from weakspot.data.idx import MOST_UNPACKED
from weakspot.errors import InputError, reason

_SPLIT_KEYS = (("{}_images", "{}_labels"), ("x_{}", "y_{}"), ("X_{}", "y_{}"))
_WHOLE_KEYS = (("x", "y"), ("X", "y"), ("images", "labels"))


def read_npz(path: Path, split: str, *, classes: Sequence[str] | None = None, radius: str | None = None) -> ArrayData:
    """The arrays of `path` for `split`; the layout by the rule of `arrays.py`.

    Args:
        path: the archive.
        split: "train" or "test".
        classes: class names; those in the archive, else numbers, when None.
        radius: the customary radius.

    Raises:
        InputError: it cannot be read, is pickled, promises more than it holds, or has none of the keys.

    """
    if not path.is_file():
        raise InputError(f"npz: no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
            images_key, labels_key, found = _keys(members, split, path)
            images = _member(archive, images_key, path)
            labels = _member(archive, labels_key, path)
            if classes is None and "classes" in members:
                classes = [str(name) for name in _member(archive, "classes", path).ravel()]
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds of errors on damaged or encrypted members
        raise InputError(f"{path}: truncated or no npz archive ({reason(error)}); make or fetch it again") from error
    return ArrayData.of(images, labels, classes=classes, name=f"npz:{path}", split=found, radius=radius)


def _keys(members: set[str], split: str, path: Path) -> tuple[str, str, str]:
    """The keys of images and labels, and the split they make."""
    for images, labels in _SPLIT_KEYS:
        if {images.format(split), labels.format(split)} <= members:
            return images.format(split), labels.format(split), split
    for images, labels in _WHOLE_KEYS:
        if {images, labels} <= members:
            return images, labels, "all"
    raise InputError(
        f"{path}: expected {split}_images and {split}_labels, x_{split} and y_{split}, or x and y; "
        f"found {', '.join(sorted(members)) or 'no arrays'}"
    )


def _member(archive: zipfile.ZipFile, key: str, path: Path) -> np.ndarray:
    """One array: memory-mapped where it is stored as it is, else unpacked into memory."""
    info = archive.getinfo(f"{key}.npy")
    with cast(zipfile.ZipExtFile, archive.open(info)) as stream:
        shape, fortran, dtype = _head(stream)
        head = stream.tell()
        if dtype.hasobject:
            raise InputError(f"{path}: {key} holds pickled objects, which are never loaded; save a plain numeric array")
        size = prod(shape) * dtype.itemsize
        if size != info.file_size - head:
            raise InputError(
                f"{path}: {key} says {size:,} bytes of shape {shape}, but {info.file_size - head:,} follow; "
                "make or fetch it again"
            )
        if info.compress_type == zipfile.ZIP_STORED and size:
            return _mapped(archive, info, path, head, shape, fortran, dtype)
        if size > MOST_UNPACKED:
            raise InputError(
                f"{path}: {key} would unpack to {size:,} bytes in memory; save it by np.savez, without compression, "
                "and it will be memory-mapped"
            )
        content = np.frombuffer(stream.read(), dtype)
    return content.reshape(shape, order="F" if fortran else "C")


def _head(stream: zipfile.ZipExtFile) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def _mapped(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    path: Path,
    head: int,
    shape: tuple[int, ...],
    fortran: bool,
    dtype: np.dtype,
) -> np.ndarray:
    with path.open("rb") as file:
        # The local head repeats the member's name, and its extra field may differ from the central one's.
        file.seek(info.header_offset + 26)
        lengths = file.read(4)
    start = info.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    return np.memmap(path, dtype, "r", start + head, shape, "F" if fortran else "C")
