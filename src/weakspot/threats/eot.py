"""Attacks on models that answer at random: every look is the mean of many (Athalye et al., 2018, arXiv:1802.00420).

A step follows the mean gradient of the loss over several draws of the model (expectation over transformation), and a
point is judged by its mean logits. AutoAttack counts a point as soon as one draw gets it wrong, which takes luck for
success; here only a point that is wrong on average is kept. The audit then asks the model once about what came back:
the row of a random model is one draw, so its accuracy is right on average and differs between runs.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import PositiveInt

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Logits, PerSample, Rows
from weakspot.maths.losses import margin
from weakspot.threats.apgd import ApgdCe, ApgdDlr
from weakspot.threats.search import Loss, Part, Search, run_parts


class ExpectedSearch(Search):
    """A search that asks the model `draws` times, in batches of their own, wherever another one asks once."""

    def __init__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int, draws: int):
        super().__init__(model, images, labels, sample, seed)
        self.draws = draws
        self.clean_logits = self.ask(images, torch.arange(len(images), device=images.device))
        self.lowest = margin(self.clean_logits, labels)

    def ask(self, x: Images, rows: Rows) -> Logits:
        """The mean logits of `x`."""
        return torch.stack([super(ExpectedSearch, self).ask(x, rows) for _ in range(self.draws)]).mean(0)

    def look(self, x: Images, rows: Rows, loss: Loss) -> tuple[PerSample, Images, Logits]:
        """The mean loss of `x`, its mean gradient and the mean logits."""
        looks = [super(ExpectedSearch, self).look(x, rows, loss) for _ in range(self.draws)]
        values, gradient, logits = (torch.stack(kind).mean(0) for kind in zip(*looks, strict=True))
        return values, gradient, logits


def attack_expected(
    parts: Sequence[Part], draws: int, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int
) -> Images:
    """Run `parts` one after the other as `attack` does, on the mean of `draws` answers of a random model."""
    return run_parts(parts, ExpectedSearch(model, images, labels, sample, seed, draws))


@settings
class Rand:
    """AutoAttack 'rand' (arXiv:2003.01690's code): APGD-CE, then APGD-DLR, with 20 draws for each step."""

    radius: RadiusField
    steps: PositiveInt = 100
    draws: PositiveInt = 20
    name: ClassVar[str] = "rand"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's point of the lowest mean margin over both parts, the clean image included."""
        return attack_expected(self.parts(), self.draws, model, images, labels, sample, seed)

    def parts(self) -> list[Part]:
        """The two attacks in their order."""
        return [ApgdCe(radius=self.radius, steps=self.steps), ApgdDlr(radius=self.radius, steps=self.steps)]
