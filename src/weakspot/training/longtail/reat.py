"""REAT (2023, arXiv:2307.10205): the balanced softmax, and a term that ties features to those of rare classes.

The paper's equations could not be read; those that the released code computes stand here. With n_c the training images
of class c, n their sum, phi_i the last layer's input at the attacked image i, p_i = softmax(phi_i) a constant and
q_j = softmax(phi_j), T the batch's images of rare classes (those whose rank by size, from 0, is above 2 K / 3), and
s_ij = -1 for images of one class and +1 for others:

    L    = mean of CE(z_k + log n_k, y) + TAIL
    TAIL = mean_{i in T} (mean_j KL(p_i || q_j) / D) (mean_j s_ij (W_i + W_j)),   W_i = sqrt(n / n_y),  D features

The code asks its divergence for no reduction in a way that torch takes for the mean, which is why the two means stand
apart; `per_pair=True` is the same with one: mean_{i in T} mean_j s_ij (W_i + W_j) KL(p_i || q_j). Minimised, its signs
push images of a rare class apart and pull others towards them.

The attack climbs a cross-entropy with class weights (by how often each class was predicted in the last epoch). A weight
multiplies an image's own loss and so leaves the direction of every steepest step as it is: the attack is PGD's.
"""

from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.maths.balls import start_noise
from weakspot.maths.losses import cross_entropy
from weakspot.models.zoo.model import Features, ZooModel
from weakspot.training.inner import ascend, attack_mode
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective, PerClass


@settings
class Reat(Objective):
    """Minimise the balanced softmax at x' plus `weight` TAIL, where x' climbs the cross-entropy from a random start.

    `step` is a share of the radius (2/255 of 8/255). Batch norm is in eval mode inside the attack. TAIL is of the whole
    batch; in several processes each takes it over its own part.
    """

    name: ClassVar[str] = "reat"
    adversarial: ClassVar[bool] = True
    every_class: ClassVar[bool] = True
    smooths: ClassVar[bool] = False
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust", "target"})
    weight: Annotated[float, Field(ge=0)] = 1.0
    """Ours: of TAIL."""
    per_pair: bool = False
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 0.25

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """Cross-entropy ascent from a random point of the ball."""
        radius = knobs.radius[labels]
        start = (images + start_noise(images, radius, knobs.norm, sample, seed, step)).clamp(0, 1)
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
        """The balanced softmax at the attacked images, and TAIL."""
        seen: list[Tensor] = []
        handle = last_layer(model).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            logits = model(attacked.images)
        finally:
            handle.remove()
        shifted = logits + knobs.frequency.log().to(logits)
        found = knobs.reduced(knobs.robust[labels] * cross_entropy(shifted, labels), logits, labels)
        tail = self.tail(seen[-1].to(logits), labels, knobs.frequency.to(logits))
        return Losses(found.total + self.weight * tail, found.per_sample, found.logits)

    def tail(self, phi: Features, labels: Labels, counts: PerClass) -> Float[Tensor, ""]:
        """TAIL of a batch; 0 where it has no image of a rare class."""
        rank = torch.argsort(torch.argsort(counts, descending=True, stable=True))
        rare = (rank > 2 * len(counts) / 3)[labels]
        if not rare.any():
            return phi.new_zeros(())
        log_q = phi.log_softmax(1)
        log_p = log_q[rare].detach()
        divergence = (log_p.exp() * log_p).sum(1, keepdim=True) - log_p.exp() @ log_q.T
        size = (counts.sum() / counts).sqrt()[labels]
        sign = 1 - 2 * (labels[rare][:, None] == labels).to(phi)
        weights = sign * (size[rare][:, None] + size)
        if self.per_pair:
            return (weights * divergence).mean()
        return (divergence.mean(1) / phi.shape[1] * weights.mean(1)).mean()


def last_layer(model: nn.Module) -> nn.Module:
    """A zoo model's head, else the last linear layer."""
    modules = list(model.modules())
    zoo = [module for module in modules if isinstance(module, ZooModel)]
    return zoo[0].head if zoo else [module for module in modules if isinstance(module, nn.Linear)][-1]
