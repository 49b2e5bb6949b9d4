"""Adversarial weight perturbation (Wu et al., 2020, arXiv:2004.05884, Algorithm 1), around any objective."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field, InstanceOf
from torch import Tensor, nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.training.objective import Attacked, Knobs, Losses, Objective, Step

TINY = 1e-12


@settings
class Awp(Objective):
    """Update w by the gradient at w + v, where v_l = gamma |w_l| g_l / |g_l| raises the loss of the attacked images.

    v moves the weights of layers (tensors of two or more axes), not biases and norms. gamma is by default the paper's,
    0.005 over TRADES and 0.01 over PGD-AT and all others; `warmup` is the share of the run without v (there 10 of 200
    epochs over TRADES).
    """

    name: ClassVar[str] = "awp"
    adversarial: ClassVar[bool] = True
    over: InstanceOf[Objective]
    gamma: Annotated[float, Field(gt=0)] | None = None
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def base(self) -> Objective:
        """The objective that it is around."""
        return self.over

    @property
    def size(self) -> float:
        """The gamma that is used."""
        return self.gamma or (0.005 if self.base.name == "trades" else 0.01)

    @property
    def reach(self) -> float:
        """As far as the objective attacks."""
        return self.over.reach

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """The objective's own, at the unperturbed weights."""
        return self.over.attack(model, images, labels, sample, seed, step, knobs)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The objective's own, at the weights as they are."""
        return self.over.losses(model, images, labels, attacked, knobs)

    def update(self, now: Step) -> Losses:
        """Attack at w, climb to w + v, take the gradient there, go back to w and step."""
        attacked = self.attack(now.model, now.images, now.labels, now.sample, now.seed, now.step, now.knobs)
        layers = [p for p in now.model.parameters() if p.requires_grad and p.ndim > 1]
        shift = self.perturbation(now, attacked, layers) if now.knobs.progress >= self.warmup else []
        before = [layer.detach().clone() for layer in layers] if shift else []
        with torch.no_grad():
            for layer, v in zip(layers, shift, strict=False):
                layer.add_(v)
        losses = self.losses(now.model, now.images, now.labels, attacked, now.knobs)
        now.check(losses)
        now.optimizer.zero_grad(set_to_none=True)
        now.backward(losses.total)
        with torch.no_grad():
            # Copied back, since subtracting v again would leave rounding errors in the weights.
            for layer, value in zip(layers, before, strict=False):
                layer.copy_(value)
        now.optimizer.step()
        return losses

    def perturbation(self, now: Step, attacked: Attacked, layers: list[nn.Parameter]) -> list[Tensor]:
        """The shift v of each layer; batch-norm statistics stay as they were, as with the authors' proxy model."""
        buffers = [(buffer, buffer.clone()) for buffer in now.model.buffers()]
        losses = self.losses(now.model, now.images, now.labels, attacked, now.knobs)
        now.check(losses)
        gradients = torch.autograd.grad(losses.total, layers, allow_unused=True)
        now.combine([g for g in gradients if g is not None])
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
            return [
                torch.zeros_like(w) if g is None else self.size * w.norm() * g / g.norm().clamp(min=TINY)
                for w, g in zip(layers, gradients, strict=True)
            ]
