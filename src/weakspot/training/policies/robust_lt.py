"""RobustLT (CVPR 2026, arXiv:2605.13395): radii that grow with a class's rarity, and along the run."""

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from weakspot.config import settings
from weakspot.contracts import Labels
from weakspot.training.counting import Sums
from weakspot.training.objective import Knob, Knobs, PerClass
from weakspot.training.policy import Given, Policy, State


@settings
class RobustLt(Policy):
    """eps_c = (1 - alpha) eps + alpha eps sqrt(log K_c) / sum_k pi_k sqrt(log K_k), K_c = n_max / n_c, pi_k = n_k / n.

    The mean over the training images is eps. In epoch t of T the radius is eps_c min((t - 1) / (beta T), 1): the first
    epoch trains on clean images. The random start lies in the class's own ball (that of the authors in the one of eps).
    Balanced data have one radius. On CIFAR-10-LT alpha is 0.3 and beta 0.8, on CIFAR-100-LT 0.4 and 0.6.
    """

    name: ClassVar[str] = "robust-lt"
    paper: ClassVar[frozenset[str]] = frozenset(
        {"pgd-at", "pgd-at+awp", "robal-n", "robal-r", "robal-n-100", "robal-r-100", "at-bsl", "taet"}
    )
    acts_at_once: ClassVar[bool] = True
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.3
    beta: Annotated[float, Field(gt=0)] = 0.8

    @property
    def needs(self) -> frozenset[Knob]:
        """A radius."""
        return frozenset({"radius"})

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """The radii of this epoch."""
        ramp = min(epoch / (self.beta * given.epochs), 1.0)
        scale = (ramp * (1 - self.alpha + self.alpha * rarity(given.counts))).to(given.base.radius)
        return replace(given.base, radius=scale * given.base.radius)


def rarity(counts: PerClass) -> Sums:
    """sqrt(log(n_max / n_c)) over its mean in the data; 1 in balanced data and for a class without images."""
    number = counts.double()
    root = (number.max() / number.clamp(min=1)).log().sqrt()
    mean = (number / number.sum() * root).sum()
    return torch.where((number > 0) & (mean > 0), root / mean.clamp(min=1e-300), torch.ones_like(root))
