"""What a long-tailed loss is: a function of logits, labels and class sizes that takes the cross-entropy's place.

It changes what is minimised, never what attacks climb, and so combines with every objective whose loss has a
cross-entropy with the labels.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import nn

from weakspot.contracts import Labels, Logits, PerSample
from weakspot.errors import InputError
from weakspot.training.objective import PerClass

Bias = Literal["free", "frozen", "log-odds"]


class Loss(ABC):
    """A frozen configuration; `counts` are the training images of each class, `progress` the share that is done."""

    name: ClassVar[str]
    bias: ClassVar[Bias] = "free"
    """What becomes of a zoo model's last bias: it learns; it keeps its first values; it begins at log(pi / (1 - pi)),
    pi the class's share of the training images."""
    every_class: ClassVar[bool] = True
    """Whether it is undefined where a class has no training images."""

    @property
    def head(self) -> str:
        """The last layer that it is defined on: an address in `weakspot.models.heads`; "" for the objective's own."""
        return ""

    @abstractmethod
    def __call__(self, logits: Logits, labels: Labels, counts: PerClass, progress: float) -> PerSample:
        """The loss of each sample."""


def prepare_bias(loss: Loss, head: nn.Module, counts: PerClass) -> None:
    """Do what the loss wants with the last layer's bias, in place; a layer without one stays as it is."""
    bias = getattr(head, "bias", None)
    if bias is None or loss.bias == "free":
        return
    if loss.bias == "frozen":
        bias.requires_grad_(False)
        return
    share = counts / counts.sum()
    with torch.no_grad():
        bias.copy_((share / (1 - share)).log())


def check_counts(what: str, counts: PerClass, classes: tuple[str, ...]) -> None:
    """Refuse data that leave a class without training images, for what divides by them.

    Raises:
        InputError: they do.

    """
    empty = [name for name, number in zip(classes, counts.tolist(), strict=True) if number == 0]
    if empty:
        more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
        raise InputError(
            f"{what} needs training images of each class, there are none of {', '.join(empty[:3])}{more}; "
            "leave those classes out of the data, or use another method, --loss or --adjust"
        )
