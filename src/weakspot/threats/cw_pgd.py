"""PGD on the margin loss of Carlini and Wagner (2017, arXiv:1608.04644, f6), as long-tailed studies report it."""

from typing import ClassVar

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Logits, PerSample, Rows
from weakspot.maths.losses import margin
from weakspot.threats.pgd import pgd
from weakspot.threats.search import Loss, Search, attack


def hinge(kappa: float) -> Loss:
    """-max(margin + kappa, 0): the margin falls until a wrong class leads by `kappa`, and then the gradient is 0."""

    def loss(logits: Logits, labels: Labels) -> PerSample:
        return -(margin(logits, labels) + kappa).clamp(min=0)

    return loss


@settings
class CwPgd:
    """CW-PGD as RoBal's authors evaluate with it: 20 steps of a quarter of the radius, kappa 50, a random start."""

    radius: RadiusField
    steps: PositiveInt = 20
    step: PositiveFloat = 0.25
    kappa: NonNegativeFloat = 50.0
    name: ClassVar[str] = "cw-pgd"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all iterates, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows."""
        radius = search.images.new_full((len(rows),), float(self.radius))
        pgd(search, rows, radius, self.radius.norm, hinge(self.kappa), self.steps, self.step, self.name)
