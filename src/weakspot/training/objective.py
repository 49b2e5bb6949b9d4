"""What an objective is: it owns the inner maximisation and the loss; the loop owns everything else."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weakspot.addresses import Norm, Radius
from weakspot.contracts import Images, Labels, Logits, PerSample

PerClass = Float[Tensor, " classes"]


@dataclass(frozen=True)
class Knobs:
    """What may differ between classes; a policy turns them, without one they are uniform. Entry c is class c's.

    `radius` is the size of the training ball in `norm`, images in [0, 1]. `natural` weighs the loss terms at clean
    images, `robust` those that involve attacked ones. `beta` multiplies an objective's own trade-off, so that 1
    leaves it as its paper has it.
    """

    norm: Norm
    radius: PerClass
    natural: PerClass
    robust: PerClass
    beta: PerClass

    @classmethod
    def uniform(cls, classes: int, radius: Radius | None, device: torch.device | str = "cpu") -> "Knobs":
        """The same for every class: weights 1 and the given radius; without one 0, for methods that attack nothing."""
        one = torch.ones(classes, device=device)
        norm: Norm = radius.norm if radius else "linf"
        return cls(norm, one * (float(radius) if radius else 0.0), one, one, one)


@dataclass(frozen=True)
class Losses:
    """What a training step gives: `total` is minimised; the others are detached, for policies and the log."""

    total: Float[Tensor, ""]
    per_sample: PerSample
    """Each sample's part of the loss, weights included; `total` is their mean unless a loss is of the whole batch."""
    logits: Logits
    """Of the attacked images, as the model is in training; of the clean ones for an objective that attacks nothing."""


@runtime_checkable
class Objective(Protocol):
    """A frozen configuration that is called once per batch, with the model in training mode.

    Random draws depend on `seed`, `sample` (positions in the data set) and `step` (batches seen so far) alone.
    """

    name: ClassVar[str]
    adversarial: ClassVar[bool]
    """Whether it needs a radius."""

    @property
    def reach(self) -> float:
        """The training images lie within so many radii of the clean ones."""
        ...

    def __call__(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Losses:
        """The loss of one batch; gradients reach the parameters by `total` only."""
        ...


def mean_of(per_sample: PerSample, logits: Logits) -> Losses:
    """Losses whose total is the mean over the batch."""
    return Losses(per_sample.mean(), per_sample.detach(), logits.detach())


def options_of(objective: Any) -> dict[str, object]:
    """The objective's options that differ from their defaults, in the order of its fields."""
    changed = (field for field in fields(objective) if getattr(objective, field.name) != field.default)
    return {field.name: getattr(objective, field.name) for field in changed}
