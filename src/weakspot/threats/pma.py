"""The probability margin attack (PMA, CVPR 2025, arXiv:2411.15210): two runs that part the margin's two terms first.

The paper has linf only; the l2 steps and projections are ours. Softmax saturates: where a model is sure of itself to
the last bit, probabilities have no gradient, and a loss that is blind to the logits' scale must stand beside this one.
"""

from math import cos, pi
from typing import ClassVar

from pydantic import PositiveInt

from weakspot.addresses import Norm, RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Logits, PerSample, Rows
from weakspot.maths.balls import project, spread, start_noise, steepest
from weakspot.maths.losses import probability_margin
from weakspot.threats.search import Loss, Search, attack


def own(logits: Logits, labels: Labels) -> PerSample:
    """The true class's probability."""
    return logits.softmax(1).gather(1, labels[:, None]).squeeze(1)


def away(logits: Logits, labels: Labels) -> PerSample:
    """Minus the true class's probability: the first run's first phase."""
    return -own(logits, labels)


def rival(logits: Logits, labels: Labels) -> PerSample:
    """The probability of the likeliest wrong class: the second run's first phase."""
    return logits.softmax(1).scatter(1, labels[:, None], -1.0).amax(1)


def shares(steps: int) -> list[float]:
    """The step sizes as shares of the radius: from 2 down towards 0 along a cosine, anew in each half of the run."""
    half = (steps + 1) // 2
    return [1 + cos(pi * step / length) for length in (half, steps - half) for step in range(length)]


def pma(search: Search, rows: Rows, radius: PerSample, norm: Norm, first: Loss, steps: int, start: Images) -> None:
    """One run: a step into the own class, `first` for half of the steps, then the whole margin."""
    x0, x = search.images[rows], start
    for step, share in enumerate(shares(steps)):
        # The step into the own class leads away from points where softmax is flat.
        loss = own if step == 0 else first if step < (steps + 1) // 2 else probability_margin
        _, gradient = search.gradient(x, rows, loss)
        moved = x - x0 + share * spread(radius, x0) * steepest(gradient, norm)
        x = (x0 + project(moved, radius, norm)).clamp(0, 1)
    search.logits(x, rows)


@settings
class Pma:
    """Two runs of 100 steps from their own random points; fooled samples leave between them."""

    radius: RadiusField
    steps: PositiveInt = 100
    name: ClassVar[str] = "pma"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all iterates of both runs, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows."""
        for number, first in enumerate((away, rival)):
            rows = search.alive(rows)
            if not len(rows):
                break
            x0, norm = search.images[rows], self.radius.norm
            radius = x0.new_full((len(rows),), float(self.radius))
            noise = start_noise(x0, radius, norm, search.sample[rows], search.seed, purpose=f"{self.name}/{number}")
            pma(search, rows, radius, norm, first, self.steps, (x0 + noise).clamp(0, 1))
