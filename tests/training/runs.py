"""Small real data and short settings for whole training runs; imported by the tests and by the processes they kill."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

from weakspot.data.arrays import ArrayData
from weakspot.models.heads import head_of
from weakspot.models.zoo.initial import draw
from weakspot.training import Objective, train
from weakspot.training.objectives.pgd_at import PgdAt


def digits(samples: int = 240, split: str = "all", radius: str | None = "linf:0.1") -> ArrayData:
    """Real 8x8 digits (scikit-learn's copy of the UCI set) as bytes."""
    read = load_digits()
    images = (read.images[:samples] * 255 / 16).round().astype(np.uint8)
    return ArrayData.of(images, read.target[:samples], name="digits", split=split, radius=radius)


def mlp(head: str = "linear", *, norm: bool = True) -> nn.Module:
    """A small network, with or without batch norm, and first weights that depend on names alone."""
    last = head_of(head).make(32, 10)
    middle = nn.BatchNorm1d(32) if norm else nn.Identity()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), middle, nn.ReLU(), last)
    draw(model[1], "first", 0)
    draw(last, "last", 0)
    return model


def short_run(out: Path, objective: str | Objective | None = None) -> Path:
    """Three epochs of PGD-AT with everything switched on: crops, flips, averaging, validation, selection."""
    return train(
        objective or PgdAt(steps=1), digits(120), epochs=3, batch=32, lr=0.05, average=0.9, validation_steps=2, out=out,
        device="cpu",
    )  # fmt: skip


STEPS = 3
"""Batches per epoch of `short_run`: 120 digits less the held-out ones, in batches of 32."""
