"""DAFA (Lee et al., ICLR 2024): weight and radius move from an easier class to a similar, harder one."""

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from weakspot.config import settings
from weakspot.contracts import Labels
from weakspot.training.counting import Matrix, Sums, per_class, rows_per_class, share
from weakspot.training.objective import Knob, Knobs
from weakspot.training.policy import Batch, Epoch, Given, Policy, State


@settings
class Dafa(Policy):
    """W_i = 1 + lam sum_{j != i} (p_i(j) p_j(j) if p_i(i) < p_j(j) else -p_j(i) p_i(i)), mean 1.

    p_i(j) is the mean probability of class j on the training adversaries of class i in the last epoch before the policy
    acts; W stays as it is from then on. The radius, with it the step, is W_y eps; the cross-entropy is weighted by W_y,
    the KL of TRADES is not, as in the authors' code. Over PGD-AT that code projects to the uniform ball in the end;
    here the ball of W_y eps holds for all objectives. `lam` is 1 on CIFAR-10 and 1.5 on CIFAR-100.
    """

    name: ClassVar[str] = "dafa"
    paper: ClassVar[frozenset[str]] = frozenset({"pgd-at", "trades"})
    lam: Annotated[float, Field(ge=0)] = 1.0
    begin: Annotated[float, Field(ge=0, le=1)] = 70 / 110

    @property
    def needs(self) -> frozenset[Knob]:
        """A radius."""
        return frozenset({"radius"})

    def start(self, given: Given) -> State:
        """Weights 1, and sums of probabilities."""
        classes = given.classes
        return {"weight": given.zeros(classes) + 1, "sums": given.zeros(classes, classes), "seen": given.zeros(classes)}

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """W on the radius and on the objective's cross-entropy: the clean one where it has one."""
        base, weight = given.base, state["weight"].to(given.base.radius)
        if "natural" in given.carries:
            return replace(base, radius=weight * base.radius, natural=weight * base.natural)
        return replace(base, radius=weight * base.radius, robust=weight * base.robust)

    def after_batch(self, state: State, given: Given, seen: Batch) -> State:
        """Add the probabilities of the epoch before the policy acts."""
        if seen.epoch != given.acts_from(self.begin) - 1:
            return state
        probabilities = rows_per_class(seen.logits.softmax(1), seen.labels, given.classes)
        number = per_class(torch.ones_like(seen.per_sample), seen.labels, given.classes)
        return state | {"sums": state["sums"] + probabilities, "seen": state["seen"] + number}

    def after_epoch(self, state: State, given: Given, seen: Epoch) -> State:
        """Compute W once."""
        if seen.epoch != given.acts_from(self.begin) - 1:
            return state
        found = share(state["sums"], state["seen"][:, None].expand_as(state["sums"]), 0.0)
        return state | {"weight": weights(found, state["seen"] > 0, self.lam)}


def weights(p: Matrix, seen: Bool[Tensor, " classes"], lam: float) -> Sums:
    """W of the mean probabilities `p`; a class that was not `seen` keeps weight 1 and takes part in no pair."""
    own = p.diagonal()
    # What j gives to i, so that the sum stays; for the same reason equals exchange nothing.
    given = torch.where(own[:, None] < own[None, :], p * own[None, :], torch.zeros_like(p))
    given = given * (seen[:, None] & seen[None, :])
    found = (1 + lam * (given.sum(1) - given.sum(0))).clamp(min=0)  # with many classes a sum may pass -1
    return found * (len(p) / found.sum())
