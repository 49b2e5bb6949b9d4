"""Friendly adversarial training (Zhang et al., 2020, arXiv:2002.11242, Algorithm 1): attacks that stop early."""

from bisect import bisect_right
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.maths.balls import spread, start_noise
from weakspot.maths.losses import cross_entropy
from weakspot.training.inner import attack_mode, gradient_at, moved
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective

CURRICULUM = (50 / 120, 90 / 120)
"""Where tau grows by one: after epochs 50 and 90 of 120 in the authors' code (from memory, not checked)."""


@settings
class Fat(Objective):
    """Minimise CE(f(x'), y), where PGD stops a sample `tau` steps after it is misclassified for the first time.

    tau grows from 0 to `tau` along the run. `step` is a share of the radius. Batch norm is in eval mode inside the
    attack; a sample that is wrong at its random start takes tau steps from there.
    """

    name: ClassVar[str] = "fat"
    adversarial: ClassVar[bool] = True
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust"})
    tau: Annotated[int, Field(ge=0, le=len(CURRICULUM))] = 2
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 0.25

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """PGD with a budget of steps behind the boundary."""
        radius = knobs.radius[labels]
        attacked = (images + start_noise(images, radius, knobs.norm, sample, seed, step)).clamp(0, 1)
        left = torch.full_like(labels, min(self.tau, bisect_right(CURRICULUM, knobs.progress)))
        going = torch.ones_like(labels, dtype=torch.bool)
        with attack_mode(model) as quiet:
            for _ in range(self.steps):
                gradient, logits = gradient_at(quiet, attacked, lambda logits: cross_entropy(logits, labels))
                wrong = logits.argmax(1) != labels
                going &= ~(wrong & (left == 0))
                if not going.any():
                    break
                left -= (wrong & going).long()
                ahead = moved(images, attacked, self.step * radius, gradient, radius, knobs.norm)
                attacked = torch.where(spread(going, images), ahead, attacked)
        return Attacked(attacked)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The cross-entropy at the attacked images."""
        logits = model(attacked.images)
        return knobs.reduced(knobs.robust[labels] * knobs.cross_entropy(logits, labels), logits, labels)
