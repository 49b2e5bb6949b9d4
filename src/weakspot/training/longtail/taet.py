"""TAET (CVPR 2025, arXiv:2503.01924): clean training first, then a loss that equalises the classes' losses (HARL).

The released code's equations stand here. With L_c the mean adversarial cross-entropy of class c in the batch and
L the mean of the L_c over the K classes:

    HARL = a L + b mean_c (L_c - L)^2 + g sum_c (L_c / sum_j L_j)^2

A class that the batch does not hold takes part with L_c = 0, so that for rare classes the second term measures their
absence more than anything else; `present=True` takes all means and sums over the classes that are there.
"""

from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.training.inner import ascend, attack_mode, near_start
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective

NotNegative = Annotated[float, Field(ge=0)]


@settings
class Taet(Objective):
    """Minimise CE(f(x), y) for the share `clean` of the run (40 of 100 epochs), then HARL at x'.

    x' climbs the cross-entropy from x + 0.001 N(0, 1) by steps of `step` radii (0.003 of 0.031), batch norm in eval
    mode. The loss is of the whole batch; in several processes each takes it over its own part.
    """

    name: ClassVar[str] = "taet"
    adversarial: ClassVar[bool] = True
    smooths: ClassVar[bool] = False
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "natural", "robust", "target"})
    clean: Annotated[float, Field(ge=0, le=1)] = 0.4
    a: NotNegative = 0.1
    b: NotNegative = 0.1
    g: NotNegative = 0.1
    present: bool = False
    """Ours: whether absent classes are left out instead of counted as 0."""
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 3 / 31

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """Cross-entropy ascent from small normal noise; the clean images in the first stage."""
        if knobs.progress < self.clean:
            return Attacked(images)
        radius = knobs.radius[labels]
        start = near_start(images, radius, knobs.norm, sample, seed, step)
        with attack_mode(model) as quiet:
            found = ascend(
                quiet,
                images,
                start,
                radius,
                knobs.norm,
                steps=self.steps,
                share=self.step,
                loss=knobs.aimed(lambda logits: cross_entropy(logits, labels), labels, sample, seed, step),
            )
        return Attacked(found)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The cross-entropy in the first stage, then HARL; per sample the cross-entropies that it is made of."""
        logits = model(attacked.images)
        entropy = cross_entropy(logits, labels)
        if knobs.progress < self.clean:
            return knobs.reduced(knobs.natural[labels] * entropy, logits, labels)
        losses = knobs.robust[labels] * entropy
        if knobs.within is not None:
            losses = losses * knobs.within(logits.detach(), labels).to(losses)
        return Losses(self.harl(losses, labels, logits.shape[1]), losses.detach(), logits.detach())

    def harl(self, losses: PerSample, labels: Labels, classes: int) -> Float[Tensor, ""]:
        """HARL of a batch's losses."""
        number = torch.bincount(labels, minlength=classes)
        by_class = losses.new_zeros(classes).index_add(0, labels, losses) / number.clamp(min=1)
        if self.present:
            by_class = by_class[number > 0]
        mean = by_class.mean()
        shares = by_class / by_class.sum().clamp(min=1e-10)
        return self.a * mean + self.b * (by_class - mean).square().mean() + self.g * shares.square().sum()
