"""Corrupted images that a user brings: a folder of `.npy` files as CIFAR-10-C has them (doi:10.5281/zenodo.2535967).

One file per corruption, uint8, (5 n, height, width[, channels]): the n test images in test order at severity 1, then at
severity 2, and so on; `labels.npy` holds the 5 n labels, or n.
"""

from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field

from weakspot.addresses import ThreatAddress
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels
from weakspot.errors import InputError, unknown
from weakspot.threats.corruptions.levels import SEVERITIES, severity_of


@settings
class StoredCorruption:
    """The stored image of each sample at one severity. It prints as `stored:fog(folder=PATH)@3`."""

    folder: Path
    corruption: str
    severity: Annotated[int, Field(ge=1, le=5)]
    kind: ClassVar[Kind] = "corruption"

    @property
    def name(self) -> str:
        """`stored:` and the corruption's name."""
        return f"stored:{self.corruption}"

    @property
    def address(self) -> ThreatAddress:
        """`stored:fog(folder=PATH)@3`."""
        return ThreatAddress(self.name, (("folder", str(self.folder)),), str(self.severity))

    @classmethod
    def of(cls, address: str) -> "StoredCorruption":
        """Read `stored:fog(folder=PATH)@3`.

        Raises:
            InputError: it is no such address.

        """
        parts = ThreatAddress.of(address)
        prefix, _, corruption = parts.name.partition(":")
        options = dict(parts.options)
        if prefix != "stored" or not corruption or options.keys() != {"folder"}:
            raise InputError(f"a stored corruption is written stored:fog(folder=PATH)@3, got {address!r}")
        return cls(folder=Path(options["folder"]), corruption=corruption, severity=severity_of(parts))

    def check(self, classes: int) -> None:
        """Refuse a folder without the files, before anything is computed.

        Raises:
            InputError: a file is missing or damaged.

        """
        _open(self.folder, self.corruption)
        _open(self.folder, "labels")

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """The stored images of these samples, in [0, 1].

        Raises:
            InputError: a file is missing or has another form, a sample is not in it, or shapes or labels differ from
                those given: then these are not the same test images in the same order.

        """
        stored = _open(self.folder, self.corruption)
        count, rest = divmod(len(stored), len(SEVERITIES))
        if rest or stored.dtype != np.uint8 or stored.ndim not in (3, 4):
            raise InputError(
                f"{self.corruption}.npy must be uint8 of shape (5 n, height, width, channels), "
                f"got {stored.dtype} of shape {stored.shape}"
            )
        rows = sample.cpu().numpy()
        if len(rows) and not 0 <= rows.min() <= rows.max() < count:
            raise InputError(
                f"{self.corruption}.npy holds samples 0 to {count - 1}, got {rows.min()} to {rows.max()}; "
                "give the split it was made from"
            )
        _check_labels(_open(self.folder, "labels"), count, self.severity, rows, labels.cpu().numpy())
        found = torch.from_numpy(stored[rows + (self.severity - 1) * count])
        found = found.permute(0, 3, 1, 2) if found.ndim == 4 else found[:, None]
        if found.shape != images.shape:
            raise InputError(
                f"{self.corruption}.npy holds images of shape {tuple(found.shape[1:])}, the data have "
                f"{tuple(images.shape[1:])}; give the data set it was made from"
            )
        return (found.to(images.device).float() / 255).to(images.dtype)

    def __str__(self) -> str:
        return str(self.address)


def _open(folder: Path, stem: str) -> np.ndarray:
    """A file of the folder, mapped and not read."""
    path = folder / f"{stem}.npy"
    if not path.is_file():
        known = [other.stem for other in folder.glob("*.npy")]
        if not known:
            raise InputError(f"expected a folder of .npy files such as fog.npy and labels.npy, got {str(folder)!r}")
        raise unknown("file of stored corruptions", stem, known)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"expected a NumPy array in {path.name}, which cannot be read: {error}") from error


def _check_labels(stored: np.ndarray, count: int, severity: int, rows: np.ndarray, labels: np.ndarray) -> None:
    """Refuse labels other than the stored ones."""
    if stored.shape not in ((count,), (len(SEVERITIES) * count,)):
        raise InputError(f"labels.npy must hold {count} or {5 * count} labels, got {stored.shape}")
    offset = (severity - 1) * count if len(stored) > count else 0
    wrong = np.flatnonzero(stored[rows + offset] != labels)
    if len(wrong):
        first = wrong[0]
        raise InputError(
            f"labels.npy says class {stored[rows[first] + offset]} for sample {rows[first]}, the data say "
            f"{labels[first]}; {len(wrong)} of {len(rows)} differ; give the split that the files were made from"
        )
