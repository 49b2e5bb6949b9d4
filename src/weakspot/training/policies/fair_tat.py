"""FAIR-TAT (Medi et al., WACV 2025, arXiv:2410.23142): targets drawn by class false positive scores."""

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from weakspot.config import settings
from weakspot.contracts import Labels
from weakspot.training import fair_average
from weakspot.training.counting import false_positives, pairs
from weakspot.training.objective import Knob, Knobs
from weakspot.training.policy import Batch, Epoch, Given, Policy, State

Share = Annotated[float, Field(ge=0, le=1)]


@settings
class FairTat(Policy):
    """Targets t != y from softmax(sharpness CFPS), radii eps_c = (lambda_r + a_c) eps, and FAWA, all epoch by epoch.

    CFPS and the robust accuracy a_c are counted on the training adversaries of the epoch before; in the first epoch
    targets are uniform and radii eps. The scores sum to 1, so that the prior stays close to uniform. The attack lowers
    CE(f(x'), t), the loss is the objective's own; over TRADES and MART this is ours. `fawa=False` leaves the average to
    the run.
    """

    name: ClassVar[str] = "fair-tat"
    paper: ClassVar[frozenset[str]] = frozenset({"pgd-at"})
    sharpness: Annotated[float, Field(ge=0)] = 2.0
    lambda_r: Annotated[float, Field(ge=0)] = 0.5
    fawa: bool = True
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.85
    delta: Share = 0.2

    @property
    def needs(self) -> frozenset[Knob]:
        """A radius and a target."""
        return frozenset({"radius", "target"})

    @property
    def looks(self) -> bool:
        """FAWA does."""
        return self.fawa

    @property
    def averages(self) -> bool:
        """By FAWA."""
        return self.fawa

    def start(self, given: Given) -> State:
        """Uniform targets and the asked-for radius."""
        classes = given.classes
        zeros = given.zeros(classes)
        state = {"confusion": given.zeros(classes, classes), "score": zeros + 1 / classes, "scale": zeros + 1}
        return state | (fair_average.start(given) if self.fawa else {})

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """A prior without the own class, and the radii."""
        prior = (self.sharpness * state["score"]).softmax(0).expand(given.classes, -1)
        others = prior - prior.diagonal().diag()
        target = (others / others.sum(1, keepdim=True)).to(given.base.radius)
        return replace(given.base, target=target, radius=state["scale"].to(target) * given.base.radius)

    def after_batch(self, state: State, given: Given, seen: Batch) -> State:
        """Count what was taken for what."""
        return state | {"confusion": state["confusion"] + pairs(seen.labels, seen.logits.argmax(1), given.classes)}

    def after_epoch(self, state: State, given: Given, seen: Epoch) -> State:
        """The scores and rates of this epoch; a class that was not seen keeps its radius."""
        confusion = state["confusion"]
        number = confusion.sum(1)
        scale = torch.where(number > 0, self.lambda_r + confusion.diagonal() / number.clamp(min=1), state["scale"])
        learned = {"confusion": torch.zeros_like(confusion), "score": false_positives(confusion), "scale": scale}
        if not self.fawa:
            return state | learned
        return fair_average.after_epoch(state | learned, given, seen, begin=0.0, decay=self.decay, delta=self.delta)

    def keep(self, state: State) -> float:
        """As FAWA has it."""
        return state["fawa/keep"].item()
