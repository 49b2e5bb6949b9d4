"""WAT (Li and Liu, AAAI 2023, arXiv:2302.04025): Hedge over the classes and their average, on validation costs."""

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from weakspot.config import settings
from weakspot.contracts import Labels
from weakspot.training.counting import Sums
from weakspot.training.objective import Knob, Knobs
from weakspot.training.policy import Epoch, Given, Policy, State


@settings
class Wat(Policy):
    """q = K softmax(eta sum over epochs of the costs) over K + 1 arms; a sample's loss has weight q_y + q_{K+1}.

    The cost of a class is CE + 6 KL on its held-out images, that of the last arm their mean. The weights have mean
    1 + q_{K+1} (1 - 1 / K), not 1. The attack is the loop's PGD on the cross-entropy, where the authors climb the KL.
    A class without held-out images costs what the average does, which is ours.
    """

    name: ClassVar[str] = "wat"
    paper: ClassVar[frozenset[str]] = frozenset({"trades"})
    eta: Annotated[float, Field(ge=0)] = 0.1
    beta: Annotated[float, Field(ge=0)] = 6.0
    """Of the costs, whatever the objective's."""

    @property
    def needs(self) -> frozenset[Knob]:
        """A weight where the attack is."""
        return frozenset({"robust"})

    @property
    def looks(self) -> bool:
        """At the costs."""
        return True

    def start(self, given: Given) -> State:
        """No costs yet."""
        return {"costs": given.zeros(given.classes + 1)}

    def arms(self, state: State) -> Sums:
        """The q of each class, and of the average."""
        return (len(state["costs"]) - 1) * (self.eta * state["costs"]).softmax(0)

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """The same weight on all terms."""
        q = self.arms(state).to(given.base.radius)
        weight = q[:-1] + q[-1]
        return replace(given.base, natural=weight * given.base.natural, robust=weight * given.base.robust)

    def after_epoch(self, state: State, given: Given, seen: Epoch) -> State:
        """Add the epoch's costs."""
        assert seen.validation is not None, "the policy looks"
        found = seen.validation
        samples, sums = found.cube[0].sum(1), found.entropy + self.beta * found.divergence
        average = sums.sum() / samples.sum()
        costs = torch.where(samples > 0, sums / samples.clamp(min=1), average)
        return {"costs": state["costs"] + torch.cat([costs, average[None]])}
