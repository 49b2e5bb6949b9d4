"""Fast adversarial training: FGSM from a random start (Wong et al., 2020, arXiv:2001.03994, Algorithm 3)."""

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
class FgsmRs(Objective):
    """Minimise CE(f(x'), y), where x' is one step of `step` radii from a random point of the ball, projected back.

    It can fail suddenly and completely against multi-step attacks (catastrophic overfitting): watch the validation.
    Batch norm stays in training mode in the attack, as in the authors' code.
    """

    name: ClassVar[str] = "fgsm-rs"
    adversarial: ClassVar[bool] = True
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust"})
    step: Annotated[float, Field(gt=0)] = 1.25

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """One step from a random point of the ball."""
        radius = knobs.radius[labels]
        start = (images + start_noise(images, radius, knobs.norm, sample, seed, step)).clamp(0, 1)
        with attack_mode(model, batch_statistics=True) as quiet:
            found = ascend(
                quiet,
                images,
                start,
                radius,
                knobs.norm,
                steps=1,
                share=self.step,
                loss=lambda logits: cross_entropy(logits, labels),
            )
        return Attacked(found)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The cross-entropy at the attacked images."""
        logits = model(attacked.images)
        return knobs.reduced(knobs.robust[labels] * knobs.cross_entropy(logits, labels), logits, labels)
