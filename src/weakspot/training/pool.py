"""The training samples as tensors on the device, and what is counted rather than drawn: split and order.

Everything here is a function of (seed, epoch, sample), so resuming a run needs no generator's state.
"""

from dataclasses import dataclass
from math import floor

import torch
from jaxtyping import Float, Int
from torch import Tensor

from weakspot.contracts import Data, Images, Labels
from weakspot.errors import InputError
from weakspot.rng import bits, uniform

CHUNK = 2048


@dataclass(frozen=True)
class Pool:
    """All images of a set: uint8 where they came from bytes (value / 255), else float32."""

    values: Tensor
    labels: Labels

    @classmethod
    def of(cls, data: Data, device: torch.device | str) -> "Pool":
        """Read `data` once and keep it on the device."""
        exact = True
        parts: list[Tensor] = []
        for start in range(0, len(data), CHUNK):
            images = data.batch(range(start, min(start + CHUNK, len(data))))
            levels = (images * 255).round().to(torch.uint8)
            if exact and not torch.equal(levels.float() / 255, images):
                exact, parts = False, [part.float() / 255 for part in parts]
            parts.append(levels if exact else images)
        return cls(torch.cat(parts).to(device), data.labels.long().to(device))

    def images(self, rows: Labels) -> Images:
        """float32 images in [0, 1] of these positions."""
        picked = self.values[rows]
        return picked.float() / 255 if picked.dtype == torch.uint8 else picked


def order(rows: Labels, seed: int, purpose: str, epoch: int = 0) -> Labels:
    """The rows in a random order."""
    return rows[bits((1,), rows, seed, purpose, epoch)[:, 0].argsort(stable=True)]


def split(labels: Labels, classes: int, share: float, seed: int) -> tuple[Int[Tensor, " kept"], Int[Tensor, " held"]]:
    """Positions for training and for validation, both rising: `share` of each class, at least one, is held out.

    With share 0 nothing is held out. A class without samples is skipped: it can neither be learned nor validated.

    Raises:
        InputError: a class is too small to be in both parts.

    """
    held = torch.zeros(len(labels), dtype=torch.bool)
    for c in range(classes if share > 0 else 0):
        members = torch.nonzero(labels.cpu() == c)[:, 0]
        if len(members) == 1:
            raise InputError(
                f"class {c} (from 0) has one sample, too few to train and to validate on; set validation to 0"
            )
        if len(members):
            held[order(members, seed, "validation")[: max(1, floor(share * len(members)))]] = True
    return torch.nonzero(~held)[:, 0], torch.nonzero(held)[:, 0]


def batches(rows: Labels, size: int, seed: int, epoch: int) -> list[Int[Tensor, " part"]]:
    """The batches of one epoch: every row at most once; a smaller rest is left out, another one in each epoch."""
    return cut(order(rows, seed, "order", epoch), size)


def cut(rows: Labels, size: int) -> list[Int[Tensor, " part"]]:
    """Consecutive parts of this size; a smaller rest is left out, unless it is all."""
    return [rows[start : start + size] for start in range(0, max(1, len(rows) - size + 1), size)]


def drawn(
    rows: Labels, labels: Labels, chances: Float[Tensor, " classes"], size: int, seed: int, step: int
) -> Int[Tensor, " size"]:
    """`size` of the `rows`, which have these labels: each draws a class by its chance, then one of the class's rows.

    The draws are those of training step `step`. A row may come twice. A class without rows is not drawn.
    """
    grouped, counts = rows[labels.argsort(stable=True)], torch.bincount(labels, minlength=len(chances))
    slot = torch.arange(size, device=rows.device)
    sums = torch.where(counts > 0, chances.double(), 0.0).cumsum(0)
    which = (uniform((1,), slot, seed, "class", step).double() * sums[-1] >= sums).sum(1)
    place = (uniform((1,), slot, seed, "member", step)[:, 0].double() * counts[which]).long()
    return grouped[(counts.cumsum(0) - counts)[which] + place]
