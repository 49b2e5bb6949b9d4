"""Input-gradient regularisation (Ross and Doshi-Velez, 2018, arXiv:1711.09404, eq. 4): a defence without attacks."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective


@settings
class GradReg(Objective):
    """Minimise CE(f(x), y) + strength |grad_x CE(f(x), y)|_2^2 at the clean images, by double backpropagation.

    Both terms are at clean images, so `knobs.natural` weighs both and `knobs.beta` the penalty alone. With batch norm a
    sample's gradient includes its effect on the others' losses through the batch statistics.
    """

    name: ClassVar[str] = "grad-reg"
    adversarial: ClassVar[bool] = False
    carries: ClassVar[frozenset[Knob]] = frozenset({"beta", "natural"})
    strength: Annotated[float, Field(ge=0)] = 1.0

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """None: the clean images."""
        return Attacked(images)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The cross-entropy and its gradient's squared length."""
        at = images.detach().requires_grad_()
        logits = model(at)
        entropy = knobs.cross_entropy(logits, labels)
        (gradient,) = torch.autograd.grad(entropy.sum(), at, create_graph=True)
        penalty = self.strength * knobs.beta[labels] * gradient.flatten(1).square().sum(1)
        return knobs.reduced(knobs.natural[labels] * (entropy + penalty), logits, labels)
