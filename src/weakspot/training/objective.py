"""What an objective is: it owns the inner maximisation and the loss; the loop owns everything else."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from weakspot.addresses import Norm, Radius
from weakspot.contracts import Images, Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.rng import uniform
from weakspot.training.team import ALONE, Team

PerClass = Float[Tensor, " classes"]
Knob = Literal["radius", "natural", "robust", "beta", "target"]


@dataclass(frozen=True)
class Losses:
    """What a training step gives: `total` is minimised; the others are detached, for policies and the log."""

    total: Float[Tensor, ""]
    per_sample: PerSample
    """Each sample's part of the loss, weights included; `total` is their mean unless a loss is of the whole batch."""
    logits: Logits
    """Of the attacked images, as the model is in training; of the clean ones for an objective that attacks nothing."""

    @classmethod
    def mean(cls, per_sample: PerSample, logits: Logits) -> "Losses":
        """Losses whose total is the mean over the batch."""
        return cls(per_sample.mean(), per_sample.detach(), logits.detach())


@dataclass(frozen=True)
class Knobs:
    """What may differ between classes; a policy turns them, without one they are uniform. Entry c is class c's.

    `radius` is the size of the training ball in `norm`, images in [0, 1]. `natural` weighs the loss terms at clean
    images, `robust` those that involve attacked ones. `beta` multiplies an objective's own trade-off, so that 1
    leaves it as its paper has it. Row c of `target` holds the probabilities of the classes that attacks drive images of
    class c to; that of c itself is the probability of an untargeted attack, and without it all are. `within` gives each
    sample of a batch a weight once the attacked logits are known. Three more are the loop's own and of no class:
    `progress`, the share of the run that is done, which curricula follow, `smoothing`, the share of each label that is
    spread over all classes, and `team`, the processes that share a batch, for what depends on all of it.
    """

    norm: Norm
    radius: PerClass
    natural: PerClass
    robust: PerClass
    beta: PerClass
    target: Float[Tensor, "classes classes"] | None = None
    within: Callable[[Logits, Labels], PerSample] | None = None
    progress: float = 0.0
    smoothing: float = 0.0
    team: Team = ALONE
    counts: PerClass | None = None
    """Training images of each class; without, all have as many."""
    loss: Callable[[Logits, Labels, PerClass, float], PerSample] | None = None
    """What takes the cross-entropy's place in the loss that is minimised, given `counts` and `progress`."""

    @classmethod
    def uniform(cls, classes: int, radius: Radius | None, device: torch.device | str = "cpu") -> "Knobs":
        """The same for every class: weights 1 and the given radius; without one 0, for methods that attack nothing."""
        one = torch.ones(classes, device=device)
        norm: Norm = radius.norm if radius else "linf"
        return cls(norm, one * (float(radius) if radius else 0.0), one, one, one)

    def cross_entropy(self, logits: Logits, labels: Labels) -> PerSample:
        """The cross-entropy with smoothed labels (Szegedy et al., 2016, arXiv:1512.00567, section 7).

        For the loss that is minimised; attacks climb the plain one, as in Pang et al. (2021, arXiv:2010.00467).
        A long-tailed loss takes its place.
        """
        if self.loss is not None:
            return self.loss(logits, labels, self.frequency, self.progress)
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=self.smoothing)

    @property
    def frequency(self) -> PerClass:
        """`counts`, or 1 for every class."""
        return torch.ones_like(self.radius) if self.counts is None else self.counts

    def aimed(
        self, loss: Callable[[Logits], PerSample], labels: Labels, sample: Labels, seed: int, step: int
    ) -> Callable[[Logits], PerSample]:
        """What an attack climbs: `loss`, or towards a drawn target class t the loss -CE(f(x'), t)."""
        if self.target is None:
            return loss
        # In float64, so that a draw below 1 stays below the last sum and no class of probability 0 is drawn.
        sums = self.target.double()[labels].cumsum(1)
        drawn = uniform((1,), sample, seed, "target", step).double() * sums[:, -1:]
        goal = (drawn >= sums).sum(1)
        return lambda logits: torch.where(goal == labels, loss(logits), -cross_entropy(logits, goal))

    def reduced(self, per_sample: PerSample, logits: Logits, labels: Labels) -> Losses:
        """The mean over the batch, with the weights that `within` gives."""
        if self.within is None:
            return Losses.mean(per_sample, logits)
        weights = self.team.part(self.within(self.team.gather(logits.detach()), self.team.gather(labels)))
        return Losses.mean(weights.to(per_sample) * per_sample, logits)


@dataclass(frozen=True)
class Attacked:
    """What the inner maximisation found: images, and for methods that count, the steps that each sample survived."""

    images: Images
    survived: PerSample | None = None


@dataclass(frozen=True)
class Step:
    """One batch, or this process's part of it, and what an update of the weights needs."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    backward: Callable[[Tensor], None]
    """Leaves the parameters with the gradients of the whole batch's loss."""
    check: Callable[[Losses], None]
    """Stops the run if the loss is not finite; called before the weights change."""
    images: Images
    labels: Labels
    sample: Labels
    seed: int
    step: int
    knobs: Knobs
    memory: dict[str, Tensor]
    """What an objective carries from batch to batch; emptied at each epoch's start, so that resuming needs none."""
    combine: Callable[[list[Tensor]], None] = lambda gradients: None
    """Makes gradients that were taken without `backward` those of the whole batch's loss, in place."""


class Objective(ABC):
    """A frozen configuration that is called once per batch, with the model in training mode.

    Random draws depend on `seed`, `sample` (positions in the data set) and `step` (batches seen so far) alone.
    """

    name: ClassVar[str]
    adversarial: ClassVar[bool]
    """Whether it needs a radius."""
    defends: ClassVar[bool] = True
    """Whether robustness is what it trains for, so that epochs are compared under attack."""
    smooths: ClassVar[bool] = True
    """Whether its loss has a cross-entropy with the labels, so that label smoothing has a meaning."""
    every_class: ClassVar[bool] = False
    """Whether it is undefined where a class has no training images."""
    carries: ClassVar[frozenset[Knob]] = frozenset()
    """The knobs that change what it does; a policy that turns others is refused."""

    @property
    def head(self) -> str:
        """The last layer that its paper has: an address in `weakspot.models.heads`."""
        return "linear"

    @property
    def adjust(self) -> str:
        """What its paper changes at inference: an address in `weakspot.models.adjustments`."""
        return "none"

    @property
    def base(self) -> "Objective":
        """The objective that owns attack and loss: itself, but for one that steps around another."""
        return self

    @property
    def reach(self) -> float:
        """The training images lie within so many radii of the clean ones."""
        return 1.0 if self.adversarial else 0.0

    @abstractmethod
    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """The inner maximisation; no gradient reaches the parameters."""

    @abstractmethod
    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """The loss at clean and attacked images; gradients reach the parameters by `total` only."""

    def __call__(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Losses:
        """Attack, then the loss."""
        return self.losses(model, images, labels, self.attack(model, images, labels, sample, seed, step, knobs), knobs)

    def update(self, now: Step) -> Losses:
        """Change the weights by one batch; a method that steps otherwise overrides it."""
        losses = self(now.model, now.images, now.labels, now.sample, now.seed, now.step, now.knobs)
        now.check(losses)
        now.optimizer.zero_grad(set_to_none=True)
        now.backward(losses.total)
        now.optimizer.step()
        return losses


def options_of(objective: Any) -> dict[str, object]:
    """The objective's options that differ from their defaults, in the order of its fields."""
    changed = (field for field in fields(objective) if getattr(objective, field.name) != field.default)
    return {field.name: getattr(objective, field.name) for field in changed}
