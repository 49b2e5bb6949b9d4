"""A user's own loss, and gradients from a stand-in for what cannot be differentiated (BPDA; arXiv:1802.00420, 4.1).

A defence must be attacked with a loss that fits it. One that rounds, counts or sorts has no useful gradient: its
backward pass is then taken from a differentiable stand-in, and every point is still judged by the model itself.
"""

from collections.abc import Callable
from dataclasses import field
from typing import ClassVar

import torch
from pydantic import InstanceOf, PositiveInt

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Logits, PerSample, Rows
from weakspot.errors import InputError
from weakspot.maths.losses import finite_or_zero, scaled_cross_entropy
from weakspot.threats.apgd import from_restarts
from weakspot.threats.search import Loss, Search, run_parts
from weakspot.threats.transfer import Word

Layer = Callable[[Images], Images]


def straight_through(exact: Layer, smooth: Layer) -> Layer:
    """A layer that computes `exact` and has the gradient of `smooth`: put it into the stand-in of a model."""

    def layer(images: Images) -> Images:
        soft = smooth(images)
        return soft + (exact(images) - soft).detach()

    return layer


class StandInSearch(Search):
    """A search that takes losses and gradients from a stand-in, and verdicts from the model."""

    def __init__(
        self, model: Classifier, stand_in: Classifier, images: Images, labels: Labels, sample: Labels, seed: int
    ):
        super().__init__(model, images, labels, sample, seed)
        self.stand_in = stand_in

    def look(self, x: Images, rows: Rows, loss: Loss) -> tuple[PerSample, Images, Logits]:
        """The stand-in's loss and gradient, and the model's logits."""
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            values = loss(self.stand_in(x), self.labels[rows])
            (gradient,) = torch.autograd.grad(values.sum(), x)
        return values.detach(), finite_or_zero(gradient), self.ask(x.detach(), rows)


def checked(loss: Loss) -> Loss:
    """`loss`, which must give one number per sample, as float."""

    def per_sample(logits: Logits, labels: Labels) -> PerSample:
        values = loss(logits, labels)
        if not isinstance(values, torch.Tensor) or values.shape != labels.shape:
            came = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
            raise InputError(f"a loss returns one value per sample, shape {tuple(labels.shape)}, got {came}")
        if logits.requires_grad and not values.requires_grad:
            raise InputError("the loss does not depend on the logits: it has no gradient; use torch operations only")
        return values

    return per_sample


@settings
class Custom:
    """APGD on `loss(logits, labels)`, one value per sample that rises as the attack succeeds.

    `stand_in` maps images to logits like the model and is differentiated in its place. Made in Python; `named` stands
    for both in addresses and decides whether a unit of a run is the same, so give another loss another name.
    """

    radius: RadiusField
    named: Word
    loss: Callable[..., torch.Tensor] = field(default=scaled_cross_entropy, repr=False)
    stand_in: InstanceOf[Classifier] | None = field(default=None, repr=False)
    steps: PositiveInt = 100
    restarts: PositiveInt = 1
    name: ClassVar[str] = "custom"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all iterates of all restarts, the clean image included.

        Raises:
            InputError: the loss gives no number per sample, or none with a gradient.

        """
        if self.stand_in is None:
            return run_parts([self], Search(model, images, labels, sample, seed))
        return run_parts([self], StandInSearch(model, self.stand_in, images, labels, sample, seed))

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows; fooled samples leave between restarts, never within one."""
        from_restarts(search, rows, self.radius, checked(self.loss), self.steps, self.restarts, self.name)
