"""Targeted FAB, the fast adaptive boundary attack (Croce and Hein, 2020, arXiv:1907.02044), as AutoAttack runs it."""

from math import inf
from typing import ClassVar

import torch
from jaxtyping import Bool
from pydantic import PositiveInt
from torch import Tensor

from weakspot.addresses import Norm, RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Logits, PerSample, Rows
from weakspot.maths.balls import distance, spread
from weakspot.maths.hyperplane import to_hyperplane
from weakspot.maths.losses import finite_or_zero, margin
from weakspot.threats.apgd_t import ranked
from weakspot.threats.search import Search, attack

ALPHA_MAX = 0.1  # the largest share of the way that is taken from the clean image
ETA = 1.05  # how far beyond the hyperplane a step leads
BETA = 0.9  # what is left of the way from the clean image after a success


def fab(
    search: Search, rows: Rows, radius: PerSample, norm: Norm, targets: Labels, steps: int
) -> tuple[Images, PerSample]:
    """Look for the nearest misclassified point towards `targets`; returns it and its distance (inf: none found).

    The search leaves the ball, so only points within `radius` are judged: `search` keeps nothing from outside. Each
    point is evaluated once, and its gradient serves the next step: the reference tests a point without a gradient,
    draws a successful one back towards the clean image and linearises there. Here a successful point's own
    linearisation is kept, which halves the forwards.
    """
    x0 = x = best = search.images[rows]
    least = torch.full_like(radius, inf)

    def lead(logits: Logits, labels: Labels) -> PerSample:
        return (logits.gather(1, targets[:, None]) - logits.gather(1, labels[:, None])).squeeze(1)

    for step in range(steps + 1):
        if step == steps:  # nobody needs the gradient at the last point
            logits = search.ask(x, rows)
        else:
            ahead, weight, logits = search.look(x, rows, lead)
        length = distance(x - x0, norm)
        inside = (length <= radius).nonzero().squeeze(1)
        search.judge(x[inside], logits[inside], rows[inside])
        fooled = margin(logits, search.labels[rows]) < 0
        nearer = fooled & (length < least)
        best, least = torch.where(spread(nearer, x), x, best), torch.where(nearer, length, least)
        if step < steps:
            x = _step(x0, x, fooled, weight, finite_or_zero(ahead), norm)
    return best, least


def _step(
    x0: Images, x: Images, fooled: Bool[Tensor, " batch"], weight: Images, ahead: PerSample, norm: Norm
) -> Images:
    """Towards the hyperplane where the target's lead is 0 to first order, from the current point and from the image.

    The lead is now `ahead`, with gradient `weight`.
    """
    point = torch.where(spread(fooled, x), x0 + BETA * (x - x0), x)
    onward = to_hyperplane(point, weight, (weight * (x - point)).flatten(1).sum(1) - ahead, norm)
    afresh = to_hyperplane(x0, weight, (weight * (x - x0)).flatten(1).sum(1) - ahead, norm)
    near, far = distance(onward, norm).clamp(min=1e-8), distance(afresh, norm).clamp(min=1e-8)
    alpha = spread((near / (near + far)).clamp(max=ALPHA_MAX), x)
    return ((1 - alpha) * (point + ETA * onward) + alpha * (x0 + ETA * afresh)).clamp(0, 1)


@settings
class FabT:
    """FAB towards the most likely wrong classes of the clean image, one after the other, without random starts.

    A minimum-norm attack: the radius decides only which of its points count.
    """

    radius: RadiusField
    steps: PositiveInt = 100
    targets: PositiveInt = 9
    name: ClassVar[str] = "fab-t"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point within the radius over all iterates, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows; fooled samples leave between targets, never within one."""
        likely = ranked(search.clean_logits, search.labels)
        for rank in range(min(self.targets, likely.shape[1])):
            rows = search.alive(rows)
            if not len(rows):
                break
            radii = search.images.new_full((len(rows),), float(self.radius))
            fab(search, rows, radii, self.radius.norm, likely[rows, rank], self.steps)
