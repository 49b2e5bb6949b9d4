"""Models that are broken in exactly one way, and audits that are: each names the checks that must notice it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from planted import HONEST, QUICK, RADIUS, fit
from weakspot import rng
from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.maths.losses import cross_entropy
from weakspot.threats import THREATS
from weakspot.threats.pgd import Pgd


class Wrapped(nn.Module):
    """A broken thing around an honest network."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net
        self.eval()


class Rounded(Wrapped):
    """Input rounded to 9 levels: the gradient is zero almost everywhere, while larger steps still fool it."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net((images * 8).round() / 8)


class StraightThrough(Wrapped):
    """The same, with a made-up gradient: that of no rounding at all."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images + ((images * 8).round() / 8 - images).detach())


class Detached(Wrapped):
    """No gradient reaches the input."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images.detach())


class HalfDetached(Wrapped):
    """The gradient sees a weak decoy, the decision is made by a detached net."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images.detach()) + 1e-3 * self.net(1 - images)


class Saturated(Wrapped):
    """Logits times 1,000: the same decisions, but the cross-entropy has no gradient left."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images) * 1000


class Probabilities(Wrapped):
    """A softmax at the end."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images).softmax(1)


class Noisy(Wrapped):
    """Input noise from a generator that moves on with each call, as dropout left on would."""

    def __init__(self, net: nn.Module, size: float = 0.2):
        super().__init__(net)
        self.size = size
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        noise = rng.normal(tuple(images.shape[1:]), torch.arange(len(images)), 0, "planted noise", self.calls)
        return self.net(images + self.size * noise.to(images))


class BatchMean(Wrapped):
    """Images are centred with the mean of their batch, as batch norm in training mode does, without saying so."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images - images.mean(0, keepdim=True) + 0.3)


class Permuted(Wrapped):
    """Class c of the data is class c + 1 of the model."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images).roll(1, dims=1)


class OutOfRange(Wrapped):
    """Normalises with the constants of images in 0..255."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net((images - 127.5) / 127.5)


class Nan(Wrapped):
    """NaN for bright images."""

    def forward(self, images: Tensor) -> Tensor:
        logits = self.net(images)
        return torch.where((images.mean(dim=(1, 2, 3)) > 0.33)[:, None], float("nan"), logits)


class TwoFaced(Wrapped):
    """Answers honestly unless a gradient is being taken: then it is sure of itself."""

    def forward(self, images: Tensor) -> Tensor:
        logits = self.net(images)
        return logits + 5 * F.one_hot(logits.argmax(1), 10) if images.requires_grad else logits


class Dynamic(Wrapped):
    """Moves each image towards the class it is nearest to before it answers: an optimisation loop at test time."""

    def forward(self, images: Tensor) -> Tensor:
        with torch.enable_grad():
            x = images.detach().requires_grad_()
            logits = self.net(x)
            (gradient,) = torch.autograd.grad(cross_entropy(logits, logits.argmax(1)).sum(), x)
        return self.net(images - 0.1 * gradient.sign())


class Jagged(Wrapped):
    """A ripple with a short period on every pixel: the gradient is right and says nothing about the surroundings."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images + 0.15 * (2000 * images).sin())


class OneClassSaturated(Wrapped):
    """Logits times 1,000 wherever class 3 wins: an audit by cross-entropy alone takes class 3 for the strongest."""

    def forward(self, images: Tensor) -> Tensor:
        logits = self.net(images)
        return torch.where((logits.argmax(1) == 3)[:, None], logits * 1000, logits)


class WinnersTakeAll(nn.Module):
    """Keeps the k largest units of each sample and zeroes the others (k-WTA): discontinuous everywhere."""

    def __init__(self, k: int):
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        least = x.topk(self.k, dim=1).values[:, -1:]
        return torch.where(x >= least, x, torch.zeros_like(x))


def k_wta() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), WinnersTakeAll(13), nn.Linear(256, 10))


@settings
class Forgetful:
    """PGD that finds what it finds and returns the clean image."""

    radius: RadiusField
    name: ClassVar[str] = "forgetful"
    kind: ClassVar[str] = "adversarial"

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor, sample: Tensor, seed: int) -> Tensor:
        Pgd(radius=self.radius)(model, images, labels, sample, seed)
        return images


@contextmanager
def planted_threats() -> Iterator[None]:
    """Put the broken threats that have addresses into the catalogue for a while."""
    catalogue = cast(dict[str, Any], THREATS)
    catalogue["forgetful"] = Forgetful
    try:
        yield
    finally:
        del catalogue["forgetful"]


class Leaving:
    """A threat that returns images at twice its radius."""

    name = "leaving"
    kind = "adversarial"

    def __init__(self) -> None:
        self.radius = RADIUS

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor, sample: Tensor, seed: int) -> Tensor:
        return images + torch.where(images > 0.5, -0.2, 0.2)


def train_mode() -> nn.Module:
    """Batch norm that still learns from its batch, since nobody called eval()."""
    layers = (nn.Flatten, lambda: nn.Linear(64, 64), lambda: nn.BatchNorm1d(64), nn.ReLU, lambda: nn.Linear(64, 10))
    return fit(lambda: nn.Sequential(*(layer() for layer in layers)), 60).train()


@dataclass(frozen=True)
class Broken:
    """A planted model, or an honest one under a planted audit, and the checks that must notice it (status not ok)."""

    make: Callable[[], nn.Module]
    noticed_by: tuple[str, ...]
    threats: tuple[str, ...] = QUICK
    """What it is audited with."""


INVERTED = ("apgd-dlr@linf:0.08", "pgd(steps=1,step=0.01)")
"""A strong attack in a smaller ball, a weak one in the ball of RADIUS."""

BROKEN: Mapping[str, Broken] = {
    "rounded-input": Broken(lambda: Rounded(HONEST["mlp"]()), ("T6", "T10", "T11", "T12", "T13", "T14", "T18")),
    "straight-through": Broken(lambda: StraightThrough(HONEST["mlp"]()), ("T5",)),
    "detached": Broken(lambda: Detached(HONEST["mlp"]()), ("T5",)),
    "half-detached": Broken(lambda: HalfDetached(HONEST["mlp"]()), ("T5",)),
    "saturated": Broken(lambda: Saturated(HONEST["mlp"]()), ("T6", "T16", "T17", "scale")),
    "probabilities": Broken(lambda: Probabilities(HONEST["mlp"]()), ("T0",)),
    "noisy": Broken(lambda: Noisy(HONEST["mlp"]()), ("T1",)),
    "batch-mean": Broken(lambda: BatchMean(HONEST["mlp"]()), ("T2",)),
    "batch-norm-in-training": Broken(cache(train_mode), ("T0", "T2")),
    "permuted-labels": Broken(lambda: Permuted(HONEST["mlp"]()), ("labels",)),
    "normalises-out-of-range": Broken(lambda: OutOfRange(HONEST["small-cnn"]()), ("labels",)),
    "nan": Broken(lambda: Nan(HONEST["mlp"]()), ("T0",)),
    "two-faced": Broken(lambda: TwoFaced(HONEST["mlp"]()), ("T3",)),
    "jagged": Broken(lambda: Jagged(HONEST["mlp"]()), ("T7", "T12")),
    "k-wta": Broken(cache(lambda: fit(k_wta, 40)), ("T12",)),
    "dynamic": Broken(lambda: Dynamic(HONEST["mlp"]()), ("T19",)),
    "one-class-saturated": Broken(lambda: OneClassSaturated(HONEST["mlp"]()), ("T20",), ("pgd",)),
    "forgetful-attack": Broken(HONEST["mlp"], ("T8",), ("forgetful",)),
    "two-steps-only": Broken(HONEST["mlp"], ("T9", "T15", "T22"), ("pgd(steps=2,step=0.1)",)),
    "weak-at-the-larger-radius": Broken(HONEST["mlp"], ("T21",), INVERTED),
}
"""Each is broken in one way; a check may of course notice more than its own plant."""
