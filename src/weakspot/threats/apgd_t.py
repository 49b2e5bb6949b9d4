"""Targeted APGD as in AutoAttack (Croce and Hein, 2020, arXiv:2003.01690, section 4.2): one run per likely class."""

from typing import ClassVar

from jaxtyping import Int
from pydantic import PositiveInt
from torch import Tensor

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Logits, PerSample, Rows
from weakspot.maths.losses import targeted_dlr
from weakspot.threats.apgd import apgd, extreme_start
from weakspot.threats.search import Loss, Search, attack


def towards(targets: Labels) -> Loss:
    """The targeted DLR loss towards one class per row."""

    def loss(logits: Logits, labels: Labels) -> PerSample:
        return targeted_dlr(logits, labels, targets)

    return loss


def ranked(logits: Logits, labels: Labels) -> Int[Tensor, "batch ranks"]:
    """The wrong classes by falling logit, shape (batch, classes - 1): the most likely mistake first."""
    order = logits.argsort(dim=1, descending=True, stable=True)
    return order[order != labels[:, None]].view(len(logits), -1)


@settings
class ApgdT:
    """APGD on targeted DLR towards the most likely wrong classes of the clean image, one after the other.

    A sample is broken by any wrong class, not only by the target. With fewer classes there are fewer targets, where
    AutoAttack's own code fails.
    """

    radius: RadiusField
    steps: PositiveInt = 100
    targets: PositiveInt = 9
    name: ClassVar[str] = "apgd-t"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all iterates towards all targets, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows; fooled samples leave between targets, never within one."""
        likely = ranked(search.clean_logits, search.labels)
        for rank in range(min(self.targets, likely.shape[1])):
            rows = search.alive(rows)
            if not len(rows):
                break
            radii = search.images.new_full((len(rows),), float(self.radius))
            x0, sample = search.images[rows], search.sample[rows]
            start = extreme_start(x0, radii, self.radius.norm, sample, search.seed, f"{self.name}/{rank}")
            apgd(search, rows, radii, self.radius.norm, towards(likely[rows, rank]), self.steps, start)
