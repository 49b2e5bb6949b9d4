"""Projected gradient descent (Madry et al., 2018, arXiv:1706.06083), untargeted, from random starts."""

from typing import ClassVar

from pydantic import PositiveFloat, PositiveInt

from weakspot.addresses import Norm, RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, PerSample, Rows
from weakspot.maths.balls import project, spread, start_noise, steepest
from weakspot.maths.losses import cross_entropy
from weakspot.threats.search import Loss, Search, attack


def pgd(
    search: Search,
    rows: Labels,
    radius: PerSample,
    norm: Norm,
    loss: Loss,
    steps: int,
    step: float,
    purpose: str = "pgd",
) -> None:
    """Ascend `loss` from a random point of each row's own ball; `step` is a share of the radius."""
    x0 = search.images[rows]
    delta = start_noise(x0, radius, norm, search.sample[rows], search.seed, purpose=purpose)
    for _ in range(steps):  # the start and the point after each step are all judged
        # Clamping to [0, 1] only shortens delta, pixel by pixel, so the result stays in the ball as well.
        x = (x0 + delta).clamp(0, 1)
        _, gradient = search.gradient(x, rows, loss)
        delta = project(x - x0 + step * spread(radius, x0) * steepest(gradient, norm), radius, norm)
    search.logits((x0 + delta).clamp(0, 1), rows)


@settings
class Pgd:
    """Ascend the cross-entropy inside the ball; `step` is a share of the radius, so one setting serves every radius.

    The defaults are the 20 steps of a tenth of the radius that SPAT's authors evaluate with.
    """

    radius: RadiusField
    steps: PositiveInt = 20
    step: PositiveFloat = 0.1
    restarts: PositiveInt = 1
    name: ClassVar[str] = "pgd"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all iterates of all restarts, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows; fooled samples leave between restarts, never within one."""
        for restart in range(self.restarts):
            rows = search.alive(rows)
            if not len(rows):
                break
            radius = search.images.new_full((len(rows),), float(self.radius))
            pgd(search, rows, radius, self.radius.norm, cross_entropy, self.steps, self.step, f"pgd/{restart}")
