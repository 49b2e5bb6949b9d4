"""AutoAttack 'standard' (Croce and Hein, 2020, arXiv:2003.01690, section 6): four attacks in a fixed order."""

from typing import ClassVar

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels
from weakspot.threats.apgd import ApgdCe
from weakspot.threats.apgd_t import ApgdT
from weakspot.threats.fab_t import FabT
from weakspot.threats.search import Part, attack
from weakspot.threats.square import Square


@settings
class AutoAttack:
    """APGD-CE, APGD-T, FAB-T and Square with AutoAttack's settings, each on what the ones before left standing.

    Parts, steps (100), restarts (1), targets (9), queries (5,000) and order are the reference's. Five things are ours,
    of which the first four cannot weaken it: with K < 10 classes there are K - 1 targets, and with fewer than four
    classes the targeted loss loses the logits that do not exist (the reference fails in both cases); samples that are
    wrong when clean and any memory layout are accepted; random draws belong to samples, not to batches; Square's
    windows reach the last row and column; and FAB-T goes on from a successful point's own linearisation (see there).
    What it leaves robust beside an independent AutoAttack stands in benchmarks/results.
    """

    radius: RadiusField
    name: ClassVar[str] = "autoattack"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all parts, the clean image included."""
        return attack(self.parts(), model, images, labels, sample, seed)

    def parts(self) -> list[Part]:
        """The four attacks in their order."""
        radius = self.radius
        return [ApgdCe(radius=radius), ApgdT(radius=radius), FabT(radius=radius), Square(radius=radius)]
