"""TRADES (Zhang et al., 2019, arXiv:1901.08573, Algorithm 1): CE(clean) + beta KL(clean || attacked)."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.maths.losses import kl
from weakspot.training.inner import ascend, attack_mode, near_start
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective


@settings
class Trades(Objective):
    """Minimise CE(f(x), y) + beta KL(p(x) || p(x')), where x' climbs the same KL from x + 0.001 N(0, 1).

    `step` is a share of the radius (0.007 of 0.031 in the authors' code). Batch norm is in eval mode inside the
    attack; the loss makes two forward passes in training mode, and its gradient also flows through p(x).
    """

    name: ClassVar[str] = "trades"
    adversarial: ClassVar[bool] = True
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "natural", "robust", "beta", "target"})
    beta: Annotated[float, Field(ge=0)] = 6.0
    """The paper's 1/lambda."""
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 7 / 31

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """KL ascent from small normal noise."""
        radius = knobs.radius[labels]
        start = near_start(images, radius, knobs.norm, sample, seed, step)
        with attack_mode(model) as quiet:
            with torch.no_grad():
                reference = quiet(images)
            found = ascend(
                quiet,
                images,
                start,
                radius,
                knobs.norm,
                steps=self.steps,
                share=self.step,
                loss=knobs.aimed(lambda logits: kl(reference, logits), labels, sample, seed, step),
            )
        return Attacked(found)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """CE(clean) + beta KL(clean || attacked)."""
        clean, logits = model(images), model(attacked.images)
        natural = knobs.natural[labels] * knobs.cross_entropy(clean, labels)
        robust = knobs.robust[labels] * self.beta * knobs.beta[labels] * kl(clean, logits)
        return knobs.reduced(natural + robust, logits, labels)
