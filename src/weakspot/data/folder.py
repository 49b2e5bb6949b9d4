"""Class folders: `PATH/CLASS/*.png`, or `PATH/train/CLASS/*.png` and `PATH/test/CLASS/*.png`."""

from itertools import chain, zip_longest
from pathlib import Path

from weakspot.contracts import Data
from weakspot.data.encoded import SUFFIXES, from_encoded
from weakspot.errors import InputError


def read_folder(path: Path, split: str) -> Data:
    """The images of the class folders; class names are the folders' names, sorted.

    Samples are ordered round by round: the first image (by file name) of each class, then the second ones, so that
    the first N samples hold all classes. Files that are no images, and hidden folders, are passed over.

    Args:
        path: a folder of class folders, or one that holds such folders under `train` or `test`.
        split: "train" or "test".

    Raises:
        InputError: no images, images of several sizes, or a damaged one.

    """
    if not path.is_dir():
        raise InputError(f"folder: no folder {path}")
    splits = [name for name in ("train", "test") if _subfolders(path / name)]
    if splits and split not in splits:
        found = ", ".join(folder.name for folder in _subfolders(path))
        raise InputError(
            f"{path}: no folder {split} with class folders, found {found}; name one, as in folder:{path}/..."
        )
    root = path / split if splits else path
    classes = _subfolders(root)
    rounds = zip_longest(*(_images(folder, label) for label, folder in enumerate(classes)))
    samples = [sample for sample in chain.from_iterable(rounds) if sample is not None]
    if not samples:
        raise InputError(f"{root}: expected class folders with images ({' '.join(SUFFIXES)}), found none")
    return from_encoded(
        [file for file, _ in samples],
        [label for _, label in samples],
        called=[str(file) for file, _ in samples],
        classes=[folder.name for folder in classes],
        name=f"folder:{path}",
        split=split if splits else "all",
    )


def _subfolders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _images(folder: Path, label: int) -> list[tuple[Path, int]]:
    return [(file, label) for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES and file.is_file()]
