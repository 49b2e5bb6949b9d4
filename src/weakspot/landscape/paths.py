"""The points that an attack tries on its way, so that its path can be drawn on a surface."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from weakspot.addresses import Radius
from weakspot.contracts import Classifier, Images, Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.threats.pgd import pgd
from weakspot.threats.search import Search

STEPS, STEP = 20, 0.1
"""Of PGD as the threat `pgd` has them."""


@dataclass(frozen=True, eq=False)
class Path:
    """An attack's way from each image."""

    best: Images
    """The tried point of the lowest margin: the adversarial image where that is below 0, else the nearest miss."""
    points: Float[Tensor, "points batch channels height width"]
    """The image, the random start, then the point after each step."""


class _Recorded(Search):
    """A search that remembers every point that it judges."""

    def __init__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> None:
        super().__init__(model, images, labels, sample, seed)
        self.lowest = torch.full_like(self.lowest, torch.inf)  # the image itself is no direction to go in
        self.points = [images]

    def judge(self, x: Images, logits: Logits, rows: Labels) -> PerSample:
        self.points.append(x)
        return super().judge(x, logits, rows)


def attack_path(model: Classifier, images: Images, labels: Labels, sample: Labels, radius: Radius, seed: int) -> Path:
    """Attack every image by PGD on the cross-entropy, also those that are wrong already; no step is left out."""
    search = _Recorded(model, images, labels, sample, seed)
    radii = images.new_full((len(images),), float(radius))
    every = torch.arange(len(images), device=images.device)
    pgd(search, every, radii, radius.norm, cross_entropy, STEPS, STEP, "surface path")
    return Path(search.best, torch.stack(search.points))
