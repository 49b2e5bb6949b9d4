"""Auto-PGD (Croce and Hein, 2020, arXiv:2003.01690, Algorithm 1): PGD with momentum that halves its own step."""

from typing import ClassVar

import torch
from pydantic import PositiveInt

from weakspot.addresses import Norm, Radius, RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, PerSample, Rows
from weakspot.maths.balls import project, spread, start_noise, steepest
from weakspot.maths.losses import cross_entropy, dlr
from weakspot.threats.search import Loss, Search, attack

MOMENTUM = 0.75  # the paper's alpha
ENOUGH_INCREASES = 0.75  # the paper's rho


def checkpoints(steps: int) -> list[int]:
    """After how many steps the step size is reconsidered: 22, 41, 57, 70, 80, 87, 93, 99 for 100 steps."""
    gap, smallest, shrink = max(int(0.22 * steps), 1), max(int(0.06 * steps), 1), max(int(0.03 * steps), 1)
    found, at = [], gap
    while at <= steps:
        found.append(at)
        gap = max(gap - shrink, smallest)
        at += gap
    return found


def extreme_start(x0: Images, radius: PerSample, norm: Norm, sample: Labels, seed: int, purpose: str) -> Images:
    """A random point on the boundary of the ball: the noise is rescaled until its norm is the radius."""
    noise = start_noise(x0, torch.ones_like(radius), norm, sample, seed, purpose=purpose)
    length = noise.flatten(1).abs().amax(1) if norm == "linf" else noise.flatten(1).norm(dim=1)
    return (x0 + noise * spread(radius / length, x0)).clamp(0, 1)


def apgd(
    search: Search, rows: Labels, radius: PerSample, norm: Norm, loss: Loss, steps: int, start: Images
) -> tuple[Images, PerSample]:
    """Ascend `loss` for `steps` steps from `start`, which lies in the ball; returns the highest-loss points and losses.

    A checkpoint halves a sample's step if the loss rose in at most 75 % of the steps since the last one, or if the
    step was not halved there and the best loss is still the same; the sample then goes on from its best point.
    """

    def inside(point: Images) -> Images:
        return (x0 + project(point - x0, radius, norm)).clamp(0, 1)

    x0, x = search.images[rows], start
    step = 2 * radius
    now, gradient = search.gradient(x, rows, loss)
    best, best_x, best_gradient, last_x = now, x, gradient, x
    # The reference compares the first step's loss with 0, not with the loss at the start; kept, so that iterates agree.
    previous, increases = torch.zeros_like(now), torch.zeros_like(now)
    best_before, halved_before = best, torch.ones_like(now, dtype=torch.bool)
    looks, last_look = checkpoints(steps), 0
    for count in range(1, steps + 1):
        stepped = inside(x + spread(step, x) * steepest(gradient, norm))
        momentum = MOMENTUM if count > 1 else 1.0
        x, last_x = inside(x + momentum * (stepped - x) + (1 - momentum) * (x - last_x)), x
        if count == steps:  # nobody needs the gradient at the last point
            now = loss(search.logits(x, rows), search.labels[rows])
        else:
            now, gradient = search.gradient(x, rows, loss)
        higher = now > best
        best_x, best = torch.where(spread(higher, x), x, best_x), torch.where(higher, now, best)
        best_gradient = torch.where(spread(higher, x), gradient, best_gradient)
        increases, previous = increases + (now > previous), now
        if looks and count == looks[0]:
            looks = looks[1:]
            stalled = increases <= ENOUGH_INCREASES * (count - last_look)
            halve = stalled | (~halved_before & (best_before >= best))
            last_look, increases, halved_before, best_before = count, torch.zeros_like(increases), halve, best
            step = torch.where(halve, step / 2, step)
            x, gradient = (
                torch.where(spread(halve, x), best_x, x),
                torch.where(spread(halve, x), best_gradient, gradient),
            )
    return best_x, best


def from_restarts(
    search: Search, rows: Rows, radius: Radius, loss: Loss, steps: int, restarts: int, purpose: str
) -> None:
    """APGD on `rows`, `restarts` times; fooled samples leave between restarts, never within one."""
    for restart in range(restarts):
        rows = search.alive(rows)
        if not len(rows):
            break
        radii = search.images.new_full((len(rows),), float(radius))
        sample = search.sample[rows]
        start = extreme_start(search.images[rows], radii, radius.norm, sample, search.seed, f"{purpose}/{restart}")
        apgd(search, rows, radii, radius.norm, loss, steps, start)


@settings
class ApgdCe:
    """APGD on the cross-entropy; 100 steps as in AutoAttack."""

    radius: RadiusField
    steps: PositiveInt = 100
    restarts: PositiveInt = 1
    name: ClassVar[str] = "apgd-ce"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all iterates of all restarts, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows."""
        from_restarts(search, rows, self.radius, cross_entropy, self.steps, self.restarts, self.name)


@settings
class ApgdDlr:
    """APGD on the difference of logits ratio, which no scale of the logits can mask; 100 steps as in AutoAttack."""

    radius: RadiusField
    steps: PositiveInt = 100
    restarts: PositiveInt = 1
    name: ClassVar[str] = "apgd-dlr"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all iterates of all restarts, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows."""
        from_restarts(search, rows, self.radius, dlr, self.steps, self.restarts, self.name)
