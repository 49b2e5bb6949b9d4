"""Ours: weights and target priors from the confusion measured on held-out images; no paper defines it.

What this project measures when it audits (who is taken for whom, clean and attacked, and which class attracts errors)
steers the training. With N and A the shares of class i taken for class j, clean and attacked, and F the class false
positive scores of A:

    natural weight  1 + lam n_i / max(1, max |n|), n_i = sum_j (N_ij - N_ji);  robust weight the same with A
    target prior of class i:  1 - aim untargeted, else class j != i by the mean of A_ij and F_j, each scaled to sum 1

So in each pair weight moves from the class that attracts to the one that leaks, by the net flow; the mean stays 1, and
no weight falls below 1 - lam, even of a class that everything is taken for, as early in training. Attacks go where
images are mistaken, and where everything goes.
"""

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from weakspot.config import settings
from weakspot.contracts import Labels
from weakspot.training.counting import Matrix, Sums, false_positives, share
from weakspot.training.objective import Knob, Knobs
from weakspot.training.policy import Epoch, Given, Policy, State

Share = Annotated[float, Field(ge=0, le=1)]


@settings
class Confusion(Policy):
    """Weights of mean 1 and target priors, refreshed after each epoch from the share `begin` of the run on.

    Held-out sets are small and epochs swing: the counts are averaged over epochs, the older ones times `decay`.
    """

    name: ClassVar[str] = "confusion"
    paper: ClassVar[frozenset[str]] = frozenset()
    lam: Share = 0.8
    aim: Share = 0.5
    begin: Share = 0.3
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.5

    @property
    def needs(self) -> frozenset[Knob]:
        """A weight where the attack is, and a target."""
        return frozenset({"robust", "target"}) if self.aim else frozenset({"robust"})

    @property
    def looks(self) -> bool:
        """At the confusion."""
        return True

    def start(self, given: Given) -> State:
        """Nothing was counted."""
        return {"cube": given.zeros(2, given.classes, given.classes)}

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """Weights and priors, once something was counted."""
        base = given.base
        if epoch < given.acts_from(self.begin):
            return base
        clean, attacked = state["cube"]
        found = replace(
            base,
            natural=weights(clean, self.lam).to(base.radius) * base.natural,
            robust=weights(attacked, self.lam).to(base.radius) * base.robust,
        )
        return replace(found, target=prior(attacked, self.aim).to(base.radius)) if self.aim else found

    def after_epoch(self, state: State, given: Given, seen: Epoch) -> State:
        """Take the epoch's counts in."""
        assert seen.validation is not None, "the policy looks"
        return {"cube": self.decay * state["cube"] + seen.validation.cube}


def flows(counts: Matrix) -> Matrix:
    """The share of class i that is taken for j != i; 0 for a class without samples."""
    shares = share(counts, counts.sum(1, keepdim=True).expand_as(counts), 0.0)
    return shares - shares.diagonal().diag()


def weights(counts: Matrix, lam: float) -> Sums:
    """1 + lam (what leaks - what is attracted, in shares of classes), scaled to stay within lam of 1; mean 1."""
    flow = flows(counts)
    net = flow.sum(1) - flow.sum(0)
    return 1 + lam * net / net.abs().max().clamp(min=1)


def prior(counts: Matrix, aim: float) -> Matrix:
    """Row i: the probability of each target, on the diagonal that of none."""
    others = 1 - torch.eye(len(counts), dtype=counts.dtype, device=counts.device)
    even = others / others.sum(1, keepdim=True)
    parts = [flows(counts), others * false_positives(counts)]
    scaled = [
        torch.where(p.sum(1, keepdim=True) > 0, share(p, p.sum(1, keepdim=True).expand_as(p), 0.0), even) for p in parts
    ]
    return aim * (scaled[0] + scaled[1]) / 2 + (1 - aim) * (1 - others)
