"""GAIRAT (Zhang et al., 2021, arXiv:2010.01736, eq. 6): adversarial training that weighs samples near the boundary."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels, PerSample
from weakspot.maths.balls import start_noise
from weakspot.maths.losses import cross_entropy
from weakspot.training.inner import attack_mode, gradient_at, moved
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective
from weakspot.training.team import ALONE, Team


@settings
class Gairat(Objective):
    """Minimise the weighted mean of CE(f(x'), y), with w = (1 + tanh(lam + 5 (1 - 2 kappa / K))) / 2.

    kappa is the number of the K PGD steps before which the sample was still classified correctly. The weights are
    scaled to mean 1 in each batch, as in the authors' code; before the share `burn_in` of the run they are all 1. Such
    weights gain under PGD and lose under AutoAttack. Batch norm is in eval mode inside the attack.
    """

    name: ClassVar[str] = "gairat"
    adversarial: ClassVar[bool] = True
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust"})
    lam: float = -1.0
    burn_in: Annotated[float, Field(ge=0, le=1)] = 0.5
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 0.25

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """PGD that counts the steps survived."""
        radius = knobs.radius[labels]
        attacked = (images + start_noise(images, radius, knobs.norm, sample, seed, step)).clamp(0, 1)
        survived = torch.zeros_like(radius)
        with attack_mode(model) as quiet:
            for _ in range(self.steps):
                gradient, logits = gradient_at(quiet, attacked, lambda logits: cross_entropy(logits, labels))
                survived = survived + (logits.argmax(1) == labels)
                attacked = moved(images, attacked, self.step * radius, gradient, radius, knobs.norm)
        return Attacked(attacked, survived)

    def weights(self, survived: PerSample, team: Team = ALONE) -> PerSample:
        """The samples' weights, mean 1 in the whole batch."""
        raw = (1 + torch.tanh(self.lam + 5 * (1 - 2 * survived / self.steps))) / 2
        return raw / team.gather(raw).mean()

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The weighted cross-entropy at the attacked images."""
        assert attacked.survived is not None, "this attack counts"
        logits = model(attacked.images)
        losses = knobs.robust[labels] * knobs.cross_entropy(logits, labels)
        weighted = losses if knobs.progress < self.burn_in else self.weights(attacked.survived, knobs.team) * losses
        return knobs.reduced(weighted, logits, labels)
