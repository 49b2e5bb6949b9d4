"""Standard training: cross-entropy at the clean images."""

from typing import ClassVar

from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective


@settings
class Standard(Objective):
    """Minimise CE(f(x), y), weighted by class with `knobs.natural`."""

    name: ClassVar[str] = "standard"
    adversarial: ClassVar[bool] = False
    defends: ClassVar[bool] = False
    carries: ClassVar[frozenset[Knob]] = frozenset({"natural"})

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """None: the clean images."""
        return Attacked(images)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The cross-entropy."""
        logits = model(attacked.images)
        return knobs.reduced(knobs.natural[labels] * knobs.cross_entropy(logits, labels), logits, labels)
