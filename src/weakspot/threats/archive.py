"""Arrays of `.npz` archives that others made. Nothing is ever unpickled."""

from hashlib import sha256
from pathlib import Path

import numpy as np

from weakspot.errors import InputError, reason


def files_of(path: Path) -> list[Path]:
    """`path` itself, or all archives in the folder `path`, by name.

    Raises:
        InputError: there is none.

    """
    found = sorted(path.glob("*.npz")) if path.is_dir() else [path] if path.is_file() else []
    if not found:
        raise InputError(f"expected an .npz archive or a folder of them, found none at {path}")
    return found


def digest_of(path: Path) -> str:
    """The first 12 hex digits of the SHA-256 of all archives at `path`."""
    made = sha256()
    for file in files_of(path):
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                made.update(chunk)
    return made.hexdigest()[:12]


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """All arrays of an archive by name.

    Raises:
        InputError: it is damaged or no archive, or holds pickled objects.

    """
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds of errors on damaged members
        raise InputError(f"{file}: no readable .npz archive of plain arrays ({reason(error)}); save it again") from None


def whole_numbers(arrays: dict[str, np.ndarray], key: str, absent: np.ndarray, file: Path) -> np.ndarray:
    """The array `key`, int64, as long as `absent`, which stands for it where the archive has none.

    Raises:
        InputError: it holds no whole numbers from 0 on, or not so many.

    """
    if key not in arrays:
        return absent
    found = arrays[key]
    if found.shape != absent.shape or found.dtype.kind not in "iu" or (len(found) and found.min() < 0):
        raise InputError(
            f"{file}: {key} must hold {len(absent)} whole numbers from 0 on, got {found.dtype} of shape {found.shape}"
        )
    return found.astype(np.int64)


def check_labels(stored: np.ndarray, sample: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """Refuse `stored` labels that differ from the data's `labels` of the same samples; -1 says nothing.

    Raises:
        InputError: so the archive was made from other data.

    """
    wrong = np.flatnonzero((stored >= 0) & (stored != labels))
    if len(wrong):
        raise InputError(
            f"{path} was made from other data: {len(wrong)} of {len(sample)} labels differ, "
            f"the first one at sample {sample[wrong[0]]}"
        )
