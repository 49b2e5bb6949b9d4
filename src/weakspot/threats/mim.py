"""The momentum iterative method (Dong et al., 2018, arXiv:1710.06081, Algorithm 1): PGD along an average gradient."""

from typing import ClassVar

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from weakspot.addresses import Norm, RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, PerSample, Rows
from weakspot.maths.balls import TINY, distance, project, spread, start_noise, steepest
from weakspot.maths.losses import cross_entropy
from weakspot.threats.search import Search, attack


def mim(
    search: Search, rows: Rows, radius: PerSample, norm: Norm, steps: int, step: float, decay: float, start: Images
) -> None:
    """Ascend the cross-entropy from `start`, which lies in the ball; `step` is a share of the radius."""
    x0, x = search.images[rows], start
    velocity = torch.zeros_like(x0)
    for _ in range(steps):
        _, gradient = search.gradient(x, rows, cross_entropy)
        # Each gradient counts alike, however large it is: it is divided by its own l1 norm (the paper's equation 6).
        velocity = decay * velocity + gradient / spread(distance(gradient, "l1") + TINY, x0)
        moved = x - x0 + step * spread(radius, x0) * steepest(velocity, norm)
        x = (x0 + project(moved, radius, norm)).clamp(0, 1)
    search.logits(x, rows)


@settings
class Mim:
    """The momentum iterative method as RoBal's authors evaluate with it: 20 steps, decay 1, from a random point.

    Their step is 0.0078 at radius 0.031. Dong et al. start from the image itself and step by radius / steps.
    """

    radius: RadiusField
    steps: PositiveInt = 20
    step: PositiveFloat = 0.25
    decay: NonNegativeFloat = 1.0
    name: ClassVar[str] = "mim"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all iterates, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows."""
        x0, norm = search.images[rows], self.radius.norm
        radius = x0.new_full((len(rows),), float(self.radius))
        noise = start_noise(x0, radius, norm, search.sample[rows], search.seed, purpose=self.name)
        mim(search, rows, radius, norm, self.steps, self.step, self.decay, (x0 + noise).clamp(0, 1))
