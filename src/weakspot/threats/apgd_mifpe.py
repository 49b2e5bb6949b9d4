"""APGD on cross-entropy that cannot underflow: the logits are divided by their own gap (MIFPE, CVPR 2023)."""

from typing import ClassVar

from pydantic import PositiveInt

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Rows
from weakspot.maths.losses import scaled_cross_entropy
from weakspot.threats.apgd import from_restarts
from weakspot.threats.search import Search, attack


@settings
class ApgdMifpe:
    """APGD on the scaled cross-entropy, which like DLR is blind to the logits' scale, and works from two classes on."""

    radius: RadiusField
    steps: PositiveInt = 100
    restarts: PositiveInt = 1
    name: ClassVar[str] = "apgd-mifpe"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all iterates of all restarts, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows."""
        from_restarts(search, rows, self.radius, scaled_cross_entropy, self.steps, self.restarts, self.name)
