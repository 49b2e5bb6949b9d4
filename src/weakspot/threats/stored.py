"""Found images that a user brings: another tool's, an earlier run's, or a competitor's submission.

An `.npz` archive (or a folder of them, such as a run's `adversarial/THREAT`) holds `attacked` or `images`, shape
(n, channels, height, width), floats in [0, 1] or bytes, and optionally `sample`, each image's number in the split (the
first n samples in order, else), and `label`, which is compared with the data's. The audit measures distance, range and
prediction of each by itself, like those of any threat.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels
from weakspot.errors import InputError
from weakspot.threats.archive import check_labels, digest_of, files_of, read_arrays, whole_numbers
from weakspot.threats.measure import inside_set
from weakspot.threats.search import Search


@dataclass(frozen=True)
class Found:
    """The images of all archives: entry i belongs to sample `sample[i]`, and is its image number `turn[i]`, from 0."""

    images: np.ndarray
    sample: np.ndarray
    label: np.ndarray
    """-1 where the archive does not say."""
    turn: np.ndarray


@lru_cache(maxsize=1)
def load(path: Path, digest: str) -> Found:
    """Read what lies at `path` once for all blocks of an audit; `digest` says that it is still the same.

    Raises:
        InputError: an archive is damaged, or its arrays do not fit each other.

    """
    images, sample, label = [], [], []
    for file in files_of(path):
        arrays = read_arrays(file)
        key = next((key for key in ("attacked", "images") if key in arrays), None)
        if key is None or arrays[key].ndim != 4 or (arrays[key].dtype != np.uint8 and arrays[key].dtype.kind != "f"):
            came = f"{arrays[key].dtype} of shape {arrays[key].shape}" if key else ", ".join(arrays) or "nothing"
            raise InputError(
                f"{file}: expected attacked or images, floats or bytes, (n, channels, height, width), got {came}"
            )
        count = len(arrays[key])
        images.append(arrays[key])
        sample.append(whole_numbers(arrays, "sample", np.arange(count), file))
        label.append(whole_numbers(arrays, "label", np.full(count, -1), file))
    if len({(part.shape[1:], part.dtype) for part in images}) > 1:
        raise InputError(f"the archives in {path} hold images of different shapes or types")
    numbers = np.concatenate(sample)
    order = np.argsort(numbers, kind="stable")
    first = np.searchsorted(numbers[order], numbers[order])
    turn = np.empty_like(numbers)
    turn[order] = np.arange(len(numbers)) - first
    return Found(np.concatenate(images), numbers, np.concatenate(label), turn)


@settings
class Stored:
    """Show the model what is stored for a sample. It prints as `stored(path=x.npz,digest=...)@linf:8/255`.

    `digest` is that of the archives' bytes: where they change, it is another threat, and no run mixes the two.
    """

    radius: RadiusField
    path: Path
    digest: str = ""
    name: ClassVar[str] = "stored"
    kind: ClassVar[Kind] = "adversarial"

    def __post_init__(self) -> None:
        now = digest_of(self.path)
        if self.digest not in ("", now):
            raise InputError(f"{self.path} has changed: its digest is {now}, expected {self.digest}")
        object.__setattr__(self, "digest", now)

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin stored point in the threat's set, the clean image included.

        Where nothing in the set broke a sample and something stored for it lies outside, that is returned: the audit
        refuses it, and the row says so.

        Raises:
            InputError: the archive was made from other data.

        """
        found, search = load(self.path, self.digest), Search(model, images, labels, sample, seed)
        place = {number: row for row, number in enumerate(sample.tolist())}
        row_of = np.array([place.get(number, -1) for number in found.sample.tolist()], dtype=np.int64)
        here = row_of >= 0
        if here.any() and found.images.shape[1:] != images.shape[1:]:
            raise InputError(
                f"{self.path} holds images of shape {found.images.shape[1:]}, the data have {tuple(images.shape[1:])}"
            )
        check_labels(found.label[here], found.sample[here], labels.cpu().numpy()[row_of[here]], self.path)
        for turn in range(int(found.turn[here].max(initial=-1)) + 1):
            chosen = np.flatnonzero(here & (found.turn == turn))
            rows = torch.from_numpy(row_of[chosen]).to(images.device)
            x = torch.from_numpy(found.images[chosen]).to(images.device)
            x = (x.float() / 255 if x.dtype == torch.uint8 else x).to(images.dtype)
            held = inside_set(self, x, images[rows])
            search.logits(x[held], rows[held])
            outside = ~held & (search.lowest[rows] >= 0)
            search.best[rows[outside]] = x[outside]
        return search.best
