"""CIFAR-10 and CIFAR-100 in their binary version: the `.tar.gz` as published, or a folder of its `.bin` files.

A record is the label (CIFAR-100: coarse, then fine) and 3 x 32 x 32 bytes (https://www.cs.toronto.edu/~kriz/cifar.html).
Archives are read member by member and never unpacked to disk. The pixels are held in memory as uint8. The python
version of the sets consists of pickles and is not read.
"""

import gzip
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import IO, cast

import numpy as np

from weakspot.data.arrays import ArrayData
from weakspot.errors import InputError, reason

_PIXELS = 3 * 32 * 32
_MOST = 2**28
"""No file of either set has more bytes; a larger member is hostile."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which files hold a split, how many label bytes a record begins with, and where the class names stand."""

    splits: Mapping[str, tuple[str, ...]]
    labels: int
    names: str


CIFAR10 = Layout(
    splits={"train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test": ("test_batch.bin",)},
    labels=1,
    names="batches.meta.txt",
)
CIFAR100 = Layout(splits={"train": ("train.bin",), "test": ("test.bin",)}, labels=2, names="fine_label_names.txt")


def read_cifar(
    path: Path, split: str, layout: Layout, *, classes: Sequence[str] | None = None, radius: str | None = None
) -> ArrayData:
    """One split; the last label byte of a record is the label.

    Args:
        path: the archive, or a folder (or the folder above it) of `.bin` files.
        split: "train" or "test".
        layout: CIFAR10 or CIFAR100.
        classes: class names; those of the names file, else numbers, when None.
        radius: the customary radius.

    Raises:
        InputError: a missing or truncated file, or an archive that is damaged or hostile.

    """
    wanted = {*layout.splits[split], layout.names}
    if path.is_dir():
        contents = _from_folder(path, wanted)
    elif path.is_file():
        contents = _from_archive(path, wanted)
    else:
        raise InputError(f"{_reader(layout)}: no file or folder {path}")
    if missing := [name for name in layout.splits[split] if name not in contents]:
        raise InputError(f"{path}: expected {', '.join(layout.splits[split])}, {missing[0]} is missing; fetch it again")
    records = np.concatenate([_records(contents[name], layout, f"{path}: {name}") for name in layout.splits[split]])
    if classes is None and layout.names in contents:
        classes = contents[layout.names].decode(errors="replace").split()
    return ArrayData.of(
        records[:, layout.labels :].reshape(-1, 3, 32, 32),
        records[:, layout.labels - 1],
        classes=classes,
        layout="NCHW",
        name=f"{_reader(layout)}:{path}",
        split=split,
        radius=radius,
    )


read_cifar10 = partial(read_cifar, layout=CIFAR10)
read_cifar100 = partial(read_cifar, layout=CIFAR100)


def _reader(layout: Layout) -> str:
    return "cifar10-bin" if layout is CIFAR10 else "cifar100-bin"


def _records(content: bytes, layout: Layout, where: str) -> np.ndarray:
    size = layout.labels + _PIXELS
    if not content or len(content) % size:
        raise InputError(f"{where}: expected records of {size} bytes, got {len(content):,} bytes; fetch it again")
    return np.frombuffer(content, np.uint8).reshape(-1, size)


def _from_folder(path: Path, wanted: set[str]) -> dict[str, bytes]:
    inner = [path, *(entry for entry in sorted(path.iterdir()) if entry.is_dir())]
    root = next((folder for folder in inner if any((folder / name).is_file() for name in wanted)), path)
    try:
        return {name: (root / name).read_bytes() for name in wanted if (root / name).is_file()}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or reason(error)})") from error


def _from_archive(path: Path, wanted: set[str]) -> dict[str, bytes]:
    contents = {}
    try:
        # tarfile asks for a whole file object; reading uses read, seek and tell alone.
        with (
            _unpacked(path) as stream,
            tarfile.open(fileobj=cast(IO[bytes], _Bounded(stream, path)), mode="r:") as archive,
        ):
            for member in archive:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
                    raise InputError(f"{path}: hostile archive, it holds {member.name!r}; fetch the published one")
                content = archive.extractfile(member) if name.name in wanted else None
                if content is not None:
                    contents[name.name] = _Bounded(cast(BufferedIOBase, content), path).read(member.size)
    except InputError:
        raise
    except Exception as error:  # tarfile and gzip raise many kinds of errors on damaged content
        raise InputError(f"{path}: truncated or no tar archive ({reason(error)}); fetch it again") from error
    return contents


def _unpacked(path: Path) -> BufferedIOBase:
    """The archive's bytes, through gzip where it is packed."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


@dataclass(frozen=True)
class _Bounded:
    """A stream that refuses to read a piece larger than any that the sets have: false sizes would fill the memory.

    tarfile itself reads the long heads of members whole, before anyone can look at their size.
    """

    stream: BufferedIOBase
    path: Path

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        if size > _MOST:
            raise InputError(f"{self.path}: hostile archive, a part claims {size:,} bytes; fetch the published one")
        return self.stream.read(size)

    def seek(self, place: int) -> int:
        """Go to a place."""
        return self.stream.seek(place)

    def tell(self) -> int:
        """The place."""
        return self.stream.tell()
