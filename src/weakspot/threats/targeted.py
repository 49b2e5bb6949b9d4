"""A targeted attack: whether the ball holds an image that is taken for one named class.

A row of this threat says: `target` is the class aimed at; `prediction` equal to it is a success, and then the image is
the one that is most surely taken for the target. Otherwise the row describes the lowest margin that was met on the way,
so a sample that ended as a third class is wrong (`correct` is false), yet no success of this pair. Samples of the
target class itself come back clean, and so do those that are wrong when clean.
"""

from typing import ClassVar

import torch
from pydantic import NonNegativeInt, PositiveInt

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Logits, Rows
from weakspot.errors import InputError
from weakspot.maths.balls import spread
from weakspot.maths.losses import cross_entropy, scaled_cross_entropy
from weakspot.threats.apgd import apgd, extreme_start
from weakspot.threats.pairs import PairSearch, into


@settings
class Targeted:
    """APGD into class `target`: on cross-entropy that is blind to the logits' scale, then on the plain one."""

    radius: RadiusField
    target: NonNegativeInt
    steps: PositiveInt = 100
    restarts: PositiveInt = 1
    name: ClassVar[str] = "targeted"
    kind: ClassVar[Kind] = "adversarial"

    def check(self, classes: int) -> None:
        """Refuse a target that is no class, before anything is computed.

        Raises:
            InputError: there is no such class.

        """
        if self.target >= classes:
            raise InputError(f"targeted: the model knows the classes 0 to {classes - 1}, got target={self.target}")

    def cases(self, logits: Logits, labels: Labels) -> tuple[Rows, Rows]:
        """One image per sample, all aimed at the target.

        Raises:
            InputError: the model knows no such class.

        """
        self.check(logits.shape[1])
        return torch.arange(len(labels), device=labels.device), torch.full_like(labels, self.target)

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's point that is most surely taken for the target, else its lowest-margin point."""
        search = PairSearch(model, images, labels, sample, seed, torch.full_like(labels, self.target)[:, None])
        rows = search.alive()
        rows = rows[labels[rows] != self.target]
        for restart in range(self.restarts):
            for name, loss in (("mifpe", scaled_cross_entropy), ("ce", cross_entropy)):
                rows = search.open(rows, 0)
                if len(rows):
                    radii = images.new_full((len(rows),), float(self.radius))
                    purpose = f"{self.name}/{name}/{restart}"
                    start = extreme_start(images[rows], radii, self.radius.norm, sample[rows], seed, purpose)
                    aimed = into(loss, search.targets[rows, 0])
                    apgd(search, rows, radii, self.radius.norm, aimed, self.steps, start)
        hit = (search.reached[:, 0] > 0) & (labels != self.target)
        return torch.where(spread(hit, images), search.found[:, 0], search.best)
