"""A part of a data set, by positions; nothing is copied."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from weakspot import rng
from weakspot.contracts import Data, Images
from weakspot.data.digest import digest
from weakspot.errors import InputError


@dataclass(frozen=True, eq=False)
class Subset:
    """The samples of `data` at `indices`, in that order; class names, radius and split stay the whole set's."""

    data: Data
    indices: tuple[int, ...]
    """Positions in `data`, for a run to save."""
    address: str | None = None
    """The address that loads the part again; the whole set's when None."""

    def __post_init__(self) -> None:
        if not self.indices:
            raise InputError(f"{self.data.name}: a part must hold at least one sample, got none")
        if min(self.indices) < 0 or max(self.indices) >= len(self.data):
            raise InputError(f"{self.data.name}: positions must lie in 0 to {len(self.data) - 1}")

    @property
    def name(self) -> str:
        """The part's address."""
        return self.address or self.data.name

    @property
    def split(self) -> str:
        """The whole set's split."""
        return self.data.split

    @property
    def classes(self) -> tuple[str, ...]:
        """All class names of the whole set; a class may have no samples here."""
        return self.data.classes

    @cached_property
    def labels(self) -> Int[Tensor, " samples"]:
        """int64."""
        return self.data.labels[torch.tensor(self.indices)]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.data.shape

    @property
    def radius(self) -> str | None:
        """The customary radius."""
        return self.data.radius

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, rows: Sequence[int]) -> Images:
        """float32 images in [0, 1] of these positions in the part."""
        return self.data.batch([self.indices[row] for row in rows])

    @cached_property
    def _digest(self) -> str:
        return digest(self)

    def digest(self) -> str:
        """SHA-256 (hex) of the part's images and labels and of the class names; computed once."""
        return self._digest


def limit(data: Data, samples: int | None) -> Data:
    """The first `samples` samples; `data` itself when it has no more, or when None.

    Raises:
        InputError: fewer than one.

    """
    if samples is not None and samples < 1:
        raise InputError(f"a limit is at least 1 sample, got {samples}")
    if samples is None or samples >= len(data):
        return data
    if isinstance(data, Subset):
        return replace(data, indices=data.indices[:samples])
    return Subset(data, tuple(range(samples)))


def class_orders(labels: Int[Tensor, " samples"], classes: int, seed: int, purpose: str) -> list[list[int]]:
    """For each class its positions in a drawn order, which depends on each sample's position and the seed alone."""
    keys = rng.bits((), torch.arange(len(labels)), seed, purpose)
    order = keys.argsort(stable=True)
    return [order[labels[order] == number].tolist() for number in range(classes)]
