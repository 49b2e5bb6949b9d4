"""SPAT (2022, arXiv:2210.15068): self-paced accuracy loss and hard-class-pair consistency, as the authors' code has it.

The paper's own equations could not be read; those of the released code stand here. With scores z(x), the cosines of a
`cosine` head, and s, m, n as in that code:

    L_acc = CE(u, y),  u_k = s a_k z_k,  a_y = 1 + m - z_y,  a_j = z_j + m for the other classes
    R     = mean over samples of sum_j k_j (k_j + n),  k_j = p_j (log p_j - log q_j),  p, q = softmax(s z) at x and x'
    L     = L_acc + beta R

The pair weights a_k take part in the gradient. Hence the true class's score s (1 + m - z) z peaks at z_y = (1 + m) / 2
and a wrong class's s (z + m) z is lowest at z_j = -m / 2: with the defaults no clean probability under L_acc exceeds
0.68 for 10 classes and 0.16 for 100, so s must grow with the number of classes. `detach=True` holds the weights fixed
in the gradient, as Circle loss does (Sun et al., 2020, arXiv:2002.10857), and lifts that bound.
"""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.training.inner import ascend, attack_mode, near_start
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective


@settings
class Spat(Objective):
    """Minimise L_acc + beta R, where x' climbs R from x + 0.001 N(0, 1); `step` is a share of the radius (7/31).

    Batch norm is in eval mode inside the attack, and the gradient of R also flows through p, in the loss. The model
    that comes out gives cosines: evaluate it at scale s, or with attacks that do not depend on the scale.
    """

    name: ClassVar[str] = "spat"
    adversarial: ClassVar[bool] = True
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "natural", "robust", "beta", "target"})
    smooths: ClassVar[bool] = False
    s: Annotated[float, Field(gt=0)] = 8.0
    m: float = 0.2
    n: float = 0.2
    beta: Annotated[float, Field(ge=0)] = 6.0
    detach: bool = False
    """Ours: whether the pair weights a_k are constants in the gradient."""
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 7 / 31

    @property
    def head(self) -> str:
        """Cosines, with a bias."""
        return "cosine"

    def accuracy(self, z: Logits, labels: Labels) -> PerSample:
        """L_acc of each sample."""
        true = nn.functional.one_hot(labels, z.shape[1]).bool()
        weights = torch.where(true, 1 + self.m - z, z + self.m)
        return cross_entropy(self.s * (weights.detach() if self.detach else weights) * z, labels)

    def consistency(self, clean: Logits, attacked: Logits) -> PerSample:
        """R of each sample; the labels play no part."""
        p, q = (self.s * clean).log_softmax(1), (self.s * attacked).log_softmax(1)
        k = p.exp() * (p - q)
        return (k * (k + self.n)).sum(1)

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """Ascent of R from small normal noise."""
        radius = knobs.radius[labels]
        start = near_start(images, radius, knobs.norm, sample, seed, step)
        with attack_mode(model) as quiet:
            with torch.no_grad():
                reference = quiet(images)
            found = ascend(
                quiet,
                images,
                start,
                radius,
                knobs.norm,
                steps=self.steps,
                share=self.step,
                loss=knobs.aimed(lambda logits: self.consistency(reference, logits), labels, sample, seed, step),
            )
        return Attacked(found)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """L_acc(clean) + beta R(clean, attacked)."""
        clean, logits = model(images), model(attacked.images)
        natural = knobs.natural[labels] * self.accuracy(clean, labels)
        robust = knobs.robust[labels] * self.beta * knobs.beta[labels] * self.consistency(clean, logits)
        return knobs.reduced(natural + robust, logits, labels)
