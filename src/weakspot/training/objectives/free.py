"""Free adversarial training (Shafahi et al., 2019, arXiv:1904.12843, Algorithm 1): one gradient serves both sides."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.maths.losses import cross_entropy, finite_or_zero
from weakspot.training.inner import attack_mode, gradient_at, moved
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective, Step


@settings
class Free(Objective):
    """Replay each batch `replays` times; every backward pass updates the weights and the perturbation (by one radius).

    An epoch costs `replays` standard ones: divide the epochs by it. The perturbation is carried from batch to batch by
    position, as in the paper, but starts from zero in each epoch, so that a resumed run needs no more than the weights.
    Batch norm is in training mode throughout. Asked for losses outside of `update`, it attacks by one full step.
    """

    name: ClassVar[str] = "free"
    adversarial: ClassVar[bool] = True
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust"})
    replays: Annotated[int, Field(ge=1)] = 8

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """One step of the whole radius from the clean images: what the second replay of a run sees."""
        radius = knobs.radius[labels]
        with attack_mode(model, batch_statistics=True) as quiet:
            gradient, _ = gradient_at(quiet, images, lambda logits: cross_entropy(logits, labels))
        return Attacked(moved(images, images, radius, gradient, radius, knobs.norm))

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The cross-entropy at the attacked images."""
        logits = model(attacked.images)
        return knobs.reduced(knobs.robust[labels] * knobs.cross_entropy(logits, labels), logits, labels)

    def update(self, now: Step) -> Losses:
        """`replays` updates of weights and perturbation; the last one's losses."""
        radius = now.knobs.radius[now.labels]
        carried = now.memory.get("delta", torch.zeros_like(now.images))
        # The perturbation of another image may be too large for this one's class, or leave [0, 1].
        nothing = torch.zeros_like(now.images)
        at = moved(now.images, now.images + carried, torch.zeros_like(radius), nothing, radius, now.knobs.norm)
        for _ in range(self.replays):
            at = at.detach().requires_grad_()
            losses = self.losses(now.model, now.images, now.labels, Attacked(at), now.knobs)
            now.check(losses)
            now.optimizer.zero_grad(set_to_none=True)
            now.backward(losses.total)
            assert at.grad is not None, "the loss depends on the images"
            at = moved(now.images, at.detach(), radius, finite_or_zero(at.grad), radius, now.knobs.norm)
            now.optimizer.step()
        now.memory["delta"] = at - now.images
        return losses
