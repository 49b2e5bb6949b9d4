"""Standard training: cross-entropy at the clean images."""

from typing import ClassVar

from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.maths.losses import cross_entropy
from weakspot.training.objective import Knobs, Losses, mean_of


@settings
class Standard:
    """Minimise CE(f(x), y), weighted by class with `knobs.natural`."""

    name: ClassVar[str] = "standard"
    adversarial: ClassVar[bool] = False
    reach: ClassVar[float] = 0.0

    def __call__(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Losses:
        """The loss of one batch."""
        logits = model(images)
        return mean_of(knobs.natural[labels] * cross_entropy(logits, labels), logits)
