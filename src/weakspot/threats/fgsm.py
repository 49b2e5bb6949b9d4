"""The fast gradient sign method (Goodfellow et al., 2015, arXiv:1412.6572, section 4): one step, no restart."""

from typing import ClassVar

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Rows
from weakspot.maths.balls import spread, steepest
from weakspot.maths.losses import cross_entropy
from weakspot.threats.search import Search, attack


@settings
class Fgsm:
    """x + radius * steepest(grad CE), clamped to [0, 1]; the sign of the gradient for linf, its direction for l2."""

    radius: RadiusField
    name: ClassVar[str] = "fgsm"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """The stepped images, or the clean ones where the step did not lower the margin."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """One step for each of these rows."""
        x = search.images[rows]
        radius = x.new_full((len(rows),), float(self.radius))
        _, gradient = search.gradient(x, rows, cross_entropy)
        search.logits((x + spread(radius, x) * steepest(gradient, self.radius.norm)).clamp(0, 1), rows)
