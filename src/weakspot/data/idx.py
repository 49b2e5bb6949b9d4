"""IDX files, plain or gzipped, as MNIST, Fashion-MNIST, Kuzushiji-MNIST and EMNIST have them.

Format: two zero bytes, a type (8: uint8), the number of axes, one big-endian uint32 for each axis, then the values
(http://yann.lecun.com/exdb/mnist/). A plain file is memory-mapped; a gzipped one is unpacked into memory as uint8.
"""

import gzip
import zlib
from collections.abc import Sequence
from io import BufferedReader
from math import prod
from pathlib import Path
from struct import unpack

import numpy as np

from weakspot.data.arrays import ArrayData
from weakspot.errors import InputError, reason

MOST_UNPACKED = 2**31
"""Bytes that a packed file may unpack into memory; larger ones are unpacked to disk by the user and memory-mapped."""
_DEFLATE_MOST = 1032
"""Deflate packs at most 1032 bytes into one (zlib's technical notes): a header that promises more is false."""
_STEMS = {"train": ("train",), "test": ("t10k", "test")}


def read_idx(path: Path, split: str, *, classes: Sequence[str] | None = None, radius: str | None = None) -> ArrayData:
    """The set of a folder (`train-images-idx3-ubyte[.gz]`, `t10k-...`), or of one images file with its labels beside.

    Args:
        path: a folder with one or both splits, or an images file, which is a set of one split.
        split: "train" or "test".
        classes: class names; numbers when None.
        radius: the customary radius.

    Raises:
        InputError: a missing, truncated or false file.

    """
    images_file = path if path.is_file() else _images_file(path, split)
    labels_file = _labels_file(images_file)
    images, labels = read_array(images_file), read_array(labels_file)
    if images.ndim != 3:
        raise InputError(f"{images_file}: expected images (3 axes), got {images.ndim} axes; are these the labels?")
    if len(images) != len(labels):
        raise InputError(f"{labels_file}: {len(labels)} labels for {len(images)} images; fetch both files again")
    return ArrayData.of(
        images,
        labels,
        classes=classes,
        layout="NCHW",
        name=f"idx:{path}",
        split="all" if path.is_file() else split,
        radius=radius,
    )


def read_array(file: Path) -> np.ndarray:
    """The uint8 array of one IDX file: a read-only memory map where the file is not gzipped.

    Raises:
        InputError: it is no IDX file of uint8, or its size is not what its head says.

    """
    try:
        with _open(file) as stream:
            shape = _head(stream, file)
            if file.suffix != ".gz":
                return _mapped(file, shape)
            return _unpacked(stream, file, shape)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{file}: truncated or no gzip file ({reason(error)}); fetch it again") from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or reason(error)})") from error


def _open(file: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")


def _head(stream: gzip.GzipFile | BufferedReader, file: Path) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= 4:
        raise InputError(
            f"{file}: no IDX file, it begins with {magic.hex() or 'nothing'}; expected 00000803 or 00000801"
        )
    if magic[2] != 8:
        raise InputError(f"{file}: expected uint8 values (type 08), got type {magic[2]:02x}; store pixels as bytes")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise InputError(f"{file}: truncated inside its head; fetch it again")
    return unpack(f">{magic[3]}I", sizes)


def _mapped(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    offset, values = 4 + 4 * len(shape), prod(shape)
    if file.stat().st_size != offset + values:
        raise InputError(
            f"{file}: its head says {values:,} values of shape {shape}, but {file.stat().st_size - offset:,} bytes "
            "follow; fetch it again"
        )
    if values == 0:
        return np.zeros(shape, np.uint8)
    return np.memmap(file, np.uint8, "r", offset, shape)


def _unpacked(stream: gzip.GzipFile | BufferedReader, file: Path, shape: tuple[int, ...]) -> np.ndarray:
    values = prod(shape)
    if values > MOST_UNPACKED or values > _DEFLATE_MOST * file.stat().st_size:
        raise InputError(
            f"{file}: its head says {values:,} values of shape {shape}, too many for a gzip file of "
            f"{file.stat().st_size:,} bytes; if that is true, gunzip it, and it will be memory-mapped"
        )
    content = stream.read(values + 1)
    if len(content) != values:
        more = "more" if len(content) > values else f"only {len(content):,}"
        raise InputError(
            f"{file}: its head says {values:,} values of shape {shape}, but it holds {more}; fetch it again"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _images_file(folder: Path, split: str) -> Path:
    if not folder.is_dir():
        raise InputError(f"idx: no file or folder {folder}")
    found = sorted(folder.glob("*images[-.]idx3-ubyte*"))
    for stem in _STEMS[split]:
        # EMNIST puts the set's name before the split's: emnist-letters-train-images-idx3-ubyte.gz.
        fitting = [file for file in found if file.name.startswith(stem) or f"-{stem}-" in file.name]
        stems = {file.name.removesuffix(".gz") for file in fitting}
        if len(stems) > 1:
            raise InputError(f"{folder}: several sets ({', '.join(sorted(stems))}); name the images file itself")
        if fitting:
            return fitting[0]
    expected = f"{_STEMS[split][0]}-images-idx3-ubyte.gz"
    names = ", ".join(file.name for file in found) or "no images"
    raise InputError(f"{folder}: no {split} images; expected {expected} (or unpacked), found {names}")


def _labels_file(images_file: Path) -> Path:
    base = images_file.name.removesuffix(".gz")
    name = base.replace("images", "labels").replace("idx3", "idx1")
    for candidate in (name, f"{name}.gz"):
        if candidate not in (base, f"{base}.gz") and (images_file.parent / candidate).is_file():
            return images_file.parent / candidate
    raise InputError(f"{images_file}: no labels beside it; expected {images_file.parent / name} or {name}.gz")
