"""PGD adversarial training (Madry et al., 2018, arXiv:1706.06083, eq. 2.1)."""

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.maths.balls import start_noise
from weakspot.maths.losses import cross_entropy
from weakspot.training.inner import ascend, attack_mode
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective


@settings
class PgdAt(Objective):
    """Minimise CE(f(x'), y), where x' climbs the cross-entropy from a random start; settings of Pang et al. (2021).

    `step` is a share of the radius (2/255 of 8/255). Batch norm is in eval mode inside the attack.
    """

    name: ClassVar[str] = "pgd-at"
    adversarial: ClassVar[bool] = True
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust", "target"})
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 0.25

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """Cross-entropy ascent from a random point of the ball."""
        radius = knobs.radius[labels]
        with attack_mode(model) as quiet:
            start = (images + start_noise(images, radius, knobs.norm, sample, seed, step)).clamp(0, 1)
            found = ascend(
                quiet,
                images,
                start,
                radius,
                knobs.norm,
                steps=self.steps,
                share=self.step,
                loss=knobs.aimed(lambda logits: cross_entropy(logits, labels), labels, sample, seed, step),
            )
        return Attacked(found)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The cross-entropy at the attacked images."""
        logits = model(attacked.images)
        return knobs.reduced(knobs.robust[labels] * knobs.cross_entropy(logits, labels), logits, labels)
