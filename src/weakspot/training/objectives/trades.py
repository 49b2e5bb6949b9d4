"""TRADES (Zhang et al., 2019, arXiv:1901.08573, Algorithm 1): CE(clean) + beta KL(clean || attacked)."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.maths.balls import project
from weakspot.maths.losses import cross_entropy, kl
from weakspot.rng import normal
from weakspot.training.inner import ascend, attack_mode
from weakspot.training.objective import Knobs, Losses, mean_of


@settings
class Trades:
    """Minimise CE(f(x), y) + beta KL(p(x) || p(x')), where x' climbs the same KL from x + 0.001 N(0, 1).

    `step` is a share of the radius (0.007 of 0.031 in the authors' code). Batch norm is in eval mode inside the
    attack; the loss makes two forward passes in training mode, and its gradient also flows through p(x).
    """

    name: ClassVar[str] = "trades"
    adversarial: ClassVar[bool] = True
    reach: ClassVar[float] = 1.0
    beta: Annotated[float, Field(ge=0)] = 6.0
    """The paper's 1/lambda."""
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 7 / 31

    def __call__(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Losses:
        """The loss of one batch."""
        radius = knobs.radius[labels]
        noise = 0.001 * normal(tuple(images.shape[1:]), sample, seed, "start", step).to(images)
        # The authors project after each step only; projecting the start as well keeps a tiny ball's start inside.
        start = (images + project(noise, radius, knobs.norm)).clamp(0, 1)
        with attack_mode(model) as quiet:
            with torch.no_grad():
                reference = quiet(images)
            attacked = ascend(
                quiet,
                images,
                start,
                radius,
                knobs.norm,
                steps=self.steps,
                share=self.step,
                loss=lambda logits: kl(reference, logits),
            )
        clean, logits = model(images), model(attacked)
        natural = knobs.natural[labels] * cross_entropy(clean, labels)
        robust = knobs.robust[labels] * self.beta * knobs.beta[labels] * kl(clean, logits)
        return mean_of(natural + robust, logits)
