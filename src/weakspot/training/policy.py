"""What a class policy is: pure functions from what training and validation showed to the knobs of each class.

A policy holds no state: what it learned is a dictionary of tensors that the loop hands from hook to hook and stores in
the checkpoint. It sees training batches and held-out training images; the loop has no test data to give it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from weakspot.contracts import Labels, Logits, PerSample
from weakspot.training.objective import Knob, Knobs, PerClass
from weakspot.training.validation import Validation

State = dict[str, Tensor]
"""Tensors of fixed names and shapes, on the device of the training; hooks return new ones and change none in place."""


@dataclass(frozen=True)
class Given:
    """What is fixed for a run."""

    base: Knobs
    """Of an objective without a policy: weights 1 and the asked-for radius for every class."""
    counts: PerClass
    """Training images of each class."""
    epochs: int
    draws: int
    """Images that the whole run will draw."""
    method: str
    """The name of the objective that owns the loss, such as "trades"."""
    carries: frozenset[Knob]
    trade_off: float
    """The objective's own beta; 0 where it has none."""

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.counts)

    def zeros(self, *shape: int) -> Tensor:
        """float64 zeros on the device of the training, for counts and sums."""
        return self.counts.new_zeros(shape, dtype=torch.float64)

    def acts_from(self, share: float) -> int:
        """The first epoch (from 0) that a policy with a late start acts in: the nearest to `share` of the run.

        It is the second at the earliest, since something must be learned first, and the last one at the latest.
        """
        return max(1, min(round(share * self.epochs), self.epochs - 1))


@dataclass(frozen=True)
class Batch:
    """One training step, as it was before the weights changed."""

    epoch: int
    labels: Labels
    logits: Logits
    """Of the attacked images, with batch statistics."""
    per_sample: PerSample


@dataclass(frozen=True)
class Epoch:
    """The end of an epoch (from 0)."""

    epoch: int
    validation: Validation | None
    """Of the live weights, before any averaging; None for a policy that does not look at it."""


class Policy(ABC):
    """A frozen configuration; the loop calls `draw`, `knobs` and `after_batch` in turn, then `after_epoch`."""

    name: ClassVar[str]
    paper: ClassVar[frozenset[str]]
    """The methods, such as "trades" or "trades+awp", over which its paper defines it; others are combinations of ours.
    """
    acts_at_once: ClassVar[bool] = False
    """Whether it acts in the first epoch already; others need a second one."""

    @property
    @abstractmethod
    def needs(self) -> frozenset[Knob]:
        """The knobs that an objective must carry."""

    @property
    def looks(self) -> bool:
        """Whether it needs held-out images."""
        return False

    @property
    def averages(self) -> bool:
        """Whether `keep` rules the averaged weights, epoch by epoch, instead of the loop's decay per step."""
        return False

    def start(self, given: Given) -> State:
        """What it knows before the first step."""
        return {}

    def draw(self, state: State, given: Given) -> Float[Tensor, " classes"] | None:
        """The probability of each class to be drawn for the next batch; None draws each image once in an epoch."""
        return None

    @abstractmethod
    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """The knobs for a batch with these labels."""

    def after_batch(self, state: State, given: Given, seen: Batch) -> State:
        """The state after a training step."""
        return state

    def after_epoch(self, state: State, given: Given, seen: Epoch) -> State:
        """The state after an epoch."""
        return state

    def keep(self, state: State) -> float:
        """The share of the average that this epoch's weights leave: 0 copies them, 1 leaves them out."""
        return 0.0
