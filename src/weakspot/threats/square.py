"""Square Attack (Andriushchenko et al., 2020, arXiv:1912.00049): random search with squares, without gradients."""

from math import sqrt
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Counts, Images, Kind, Labels, PerSample, Rows
from weakspot.maths.balls import project, spread
from weakspot.rng import integers, key, signs
from weakspot.threats.search import Search, attack

SHRINK = ((10, 2), (50, 4), (200, 8), (500, 16), (1000, 32), (2000, 64), (4000, 128), (6000, 256), (8000, 512))
"""(after how many queries, by what) the first share of pixels is divided (the authors' schedule, not rescaled)."""


def share_of_pixels(query: int, first: float) -> float:
    """The share of the image's pixels that query number `query` (from 0) changes: 0.8, 0.4, ... of AutoAttack."""
    divisor = 1
    for after, by in SHRINK:
        divisor = by if query > after else divisor
    return first / divisor


def window(top: Counts, left: Counts, side: int, images: Images) -> Bool[Tensor, "batch 1 height width"]:
    """Which pixels lie in each sample's own square window."""
    rows = torch.arange(images.shape[2], device=images.device)
    columns = torch.arange(images.shape[3], device=images.device)
    down = (rows >= top[:, None]) & (rows < top[:, None] + side)
    across = (columns >= left[:, None]) & (columns < left[:, None] + side)
    return (down[:, :, None] & across[:, None, :])[:, None]


def bump(side: int) -> Float[Tensor, "side side"]:
    """Two pyramids of opposite sign side by side, of l2 norm 1 (Algorithm 3's eta)."""

    def pyramid(height: int, width: int) -> Float[Tensor, "height width"]:
        # Rectangles that grow around the centre by one pixel a time; ring r adds 1 / (r + 1)^2.
        down = (torch.arange(height) - height // 2).abs()[:, None]
        across = (torch.arange(width) - width // 2).abs()[None, :]
        ring, last = torch.maximum(down, across), max(height, width) // 2 + 1
        made = sum(((ring <= r) / (r + 1) ** 2 for r in range(last)), torch.zeros(height, width))
        return made / made.norm()

    half = side // 2
    made = torch.cat([pyramid(half, side), -pyramid(side - half, side)]) if half else torch.ones(1, 1)
    return made / made.norm()


@settings
class Square:
    """Square attack on the margin; each sample draws its own windows, so that batches change nothing.

    linf starts from vertical stripes and sets one window to +radius or -radius per channel; l2 starts from bumps and
    moves the energy of one window to another. A sample leaves as soon as it is broken: there is nothing to gain for it.
    """

    radius: RadiusField
    queries: PositiveInt = 5000
    first: PositiveFloat = 0.8
    restart: NonNegativeInt = 0
    """The number of this run; each draws anew."""
    near: bool = False
    """Start from the lowest-margin point so far, and not from stripes or bumps."""
    name: ClassVar[str] = "square"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all queries, the clean image included."""
        return attack([self], model, images, labels, sample, seed)

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows; each leaves with the query that breaks it."""
        radius = search.images.new_full((len(rows),), float(self.radius))
        propose, start = (_squares, _stripes) if self.radius.norm == "linf" else (_moved, _bumps)
        seed = key(search.seed, f"square/restart/{self.restart}") if self.restart else search.seed
        x = search.best[rows] if self.near else start(search.images[rows], radius, search.sample[rows], seed)
        lowest = self._ask(search, x, rows)
        for query in range(1, self.queries):
            keep = lowest >= 0
            if not keep.all():
                rows, x, lowest, radius = rows[keep], x[keep], lowest[keep], radius[keep]
            if not len(rows):
                return
            share = share_of_pixels(query - 1, self.first)
            proposed = propose(search.images[rows], x, radius, share, search.sample[rows], seed, query)
            now = self._ask(search, proposed, rows)
            better = now < lowest
            x, lowest = torch.where(spread(better, x), proposed, x), torch.where(better, now, lowest)

    def _ask(self, search: Search, x: Images, rows: Rows) -> PerSample:
        with torch.no_grad():
            return search.judge(x, search.oracle(x, rows), rows)


def _stripes(x0: Images, radius: PerSample, sample: Labels, seed: int) -> Images:
    draw = signs((x0.shape[1], 1, x0.shape[3]), sample, seed, "square/stripes").to(x0)
    return (x0 + spread(radius, x0) * draw).clamp(0, 1)


def _corner(x0: Images, side: int, sample: Labels, seed: int, query: int, which: str) -> tuple[Counts, Counts]:
    """A uniform position of a window that lies in the image."""
    top = integers(x0.shape[2] - side + 1, (1,), sample, seed, f"square/top{which}", query)[:, 0]
    left = integers(x0.shape[3] - side + 1, (1,), sample, seed, f"square/left{which}", query)[:, 0]
    return top, left


def _squares(x0: Images, x: Images, radius: PerSample, share: float, sample: Labels, seed: int, query: int) -> Images:
    side = min(max(round(sqrt(share * x0.shape[2] * x0.shape[3])), 1), *x0.shape[2:])
    here = window(*_corner(x0, side, sample, seed, query, ""), side, x0)
    draw = signs((x0.shape[1], 1, 1), sample, seed, "square/sign", query).to(x0)
    # Adding twice the radius and clipping to the ball sets the window to +radius or -radius.
    moved = x - x0 + 2 * spread(radius, x0) * draw * here
    return (x0 + project(moved, radius, "linf")).clamp(0, 1)


def _scaled(x0: Images, delta: Images, radius: PerSample) -> Images:
    """x0 plus delta stretched to the radius, clamped to [0, 1], which only shortens it."""
    return (x0 + delta * spread(radius / delta.flatten(1).norm(dim=1).clamp(min=1e-12), x0)).clamp(0, 1)


def _bumps(x0: Images, radius: PerSample, sample: Labels, seed: int) -> Images:
    height, width = x0.shape[2:]
    side = max(min(height, width) // 5, 1)
    down, across = height // side, width // side
    draw = signs((x0.shape[1], down, across), sample, seed, "square/bumps").to(x0)
    tiled = bump(side).to(x0).repeat(down, across) * draw.repeat_interleave(side, 2).repeat_interleave(side, 3)
    top, left = (height - side * down) // 2, (width - side * across) // 2
    delta = torch.zeros_like(x0)
    delta[:, :, top : top + side * down, left : left + side * across] = tiled
    return _scaled(x0, delta, radius)


def _moved(x0: Images, x: Images, radius: PerSample, share: float, sample: Labels, seed: int, query: int) -> Images:
    side = max(round(sqrt(share * x0.shape[2] * x0.shape[3])), 3)
    side = min(side + 1 - side % 2, *x0.shape[2:])
    top, left = _corner(x0, side, sample, seed, query, "")
    here, there = window(top, left, side, x0), window(*_corner(x0, side, sample, seed, query, "2"), side, x0)
    delta = x - x0
    inside = delta * here
    energy = (delta * (here | there)).flatten(1).square().sum(1)
    spare = (radius**2 - delta.flatten(1).square().sum(1)).clamp(min=0)
    norm = (inside.flatten(2).square().sum(2).sqrt() + 1e-12)[..., None, None]
    shape = _placed(bump(side).to(x0), integers(2, (1,), sample, seed, "square/turn", query)[:, 0], top, left, x0)
    fresh = inside / norm + shape * signs((x0.shape[1], 1, 1), sample, seed, "square/sign", query).to(x0)
    fresh = fresh / (fresh.flatten(2).square().sum(2).sqrt() + 1e-12)[..., None, None]
    fresh = fresh * spread((spare / x0.shape[1] + energy).sqrt(), x0)
    return _scaled(x0, torch.where(here, fresh, delta * ~there), radius)


def _placed(made: Tensor, turned: Counts, top: Counts, left: Counts, x0: Images) -> Float[Tensor, "batch 1 h w"]:
    """The bump at each sample's own window, turned by a quarter where `turned` is 1; 0 elsewhere."""
    side = len(made)
    down = torch.arange(x0.shape[2], device=x0.device) - top[:, None]
    across = torch.arange(x0.shape[3], device=x0.device) - left[:, None]
    held = ((down >= 0) & (down < side))[:, :, None] & ((across >= 0) & (across < side))[:, None, :]
    i, j = down.clamp(0, side - 1)[:, :, None], across.clamp(0, side - 1)[:, None, :]
    flat = torch.where((turned == 0)[:, None, None], i * side + j, j * side + i)
    return (made.flatten()[flat] * held)[:, None]
