"""Noise-FGSM (de Jorge et al., 2022, arXiv:2202.01181, Algorithm 1): one step from strong noise, never clipped back."""

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.maths.balls import spread, start_noise, steepest
from weakspot.maths.losses import cross_entropy
from weakspot.training.inner import attack_mode, gradient_at
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective


@settings
class NFgsm(Objective):
    """Minimise CE(f(x + eta + alpha sign g), y): eta is uniform in `noise` times the ball, g the gradient at x + eta.

    `noise` and `step` (alpha) are shares of the radius. The perturbation leaves the ball on purpose, up to
    `noise + step` radii; only the images' range [0, 1] clips it. Batch norm stays in training mode in the attack,
    as in the authors' code.
    """

    name: ClassVar[str] = "n-fgsm"
    adversarial: ClassVar[bool] = True
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust"})
    noise: Annotated[float, Field(ge=0)] = 2.0
    step: Annotated[float, Field(gt=0)] = 1.0

    @property
    def reach(self) -> float:
        """Noise and step may point the same way."""
        return self.noise + self.step

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """One step from the noisy images."""
        radius = knobs.radius[labels]
        noisy = (images + start_noise(images, self.noise * radius, knobs.norm, sample, seed, step)).clamp(0, 1)
        with attack_mode(model, batch_statistics=True) as quiet:
            gradient, _ = gradient_at(quiet, noisy, lambda logits: cross_entropy(logits, labels))
        found = (noisy + spread(self.step * radius, images) * steepest(gradient, knobs.norm)).clamp(0, 1)
        return Attacked(found)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The cross-entropy at the attacked images."""
        logits = model(attacked.images)
        return knobs.reduced(knobs.robust[labels] * knobs.cross_entropy(logits, labels), logits, labels)
