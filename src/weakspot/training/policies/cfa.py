"""CFA (Wei et al., CVPR 2023, arXiv:2303.14460): radius (CCM) and trade-off (CCR) by class, and FAWA."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from weakspot.config import settings
from weakspot.contracts import Labels
from weakspot.training import fair_average
from weakspot.training.counting import per_class
from weakspot.training.objective import Knob, Knobs
from weakspot.training.policy import Batch, Epoch, Given, Policy, State

LAMBDA_1 = {"pgd-at": 0.5, "trades": 0.3, "fat": 0.7}
OURS = 0.5
"""For objectives that the paper does not treat."""
Share = Annotated[float, Field(ge=0, le=1)]


@settings
class Cfa(Policy):
    """eps_c = (lambda_1 + t_c) eps; beta_c = (lambda_2 + t_c) beta, L = (CE + beta_y KL) / (1 + beta_y); FAWA.

    t_c is the robust training accuracy of class c in the epoch before; CCM and CCR begin at the share `begin` (epoch 10
    of 200, the authors' code). L is multiplied by 1 + beta here, so that beta_c = beta is the objective itself, at
    the same learning rate; `shrink=True` leaves that out, as in the paper, whose TRADES is divided by 1 + beta
    throughout. CCR acts where the objective has a trade-off; over MART its weight covers both terms, which is ours.
    Neither the radii nor the weights have a fixed mean. FAWA averages the live weights after each epoch from
    `average_from` on (epoch 50 of 200, the paper).
    """

    name: ClassVar[str] = "cfa"
    paper: ClassVar[frozenset[str]] = frozenset({"pgd-at", "trades", "fat"})
    ccm: bool = True
    ccr: bool = True
    fawa: bool = True
    lambda_1: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    """auto: 0.5 over PGD-AT, 0.3 over TRADES, 0.7 over FAT, 0.5 else."""
    lambda_2: Annotated[float, Field(ge=0)] = 0.5
    shrink: bool = False
    begin: Share = 10 / 200
    average_from: Share = 50 / 200
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.85
    delta: Share = 0.2

    @property
    def needs(self) -> frozenset[Knob]:
        """A radius for CCM; CCR rests where there is no trade-off."""
        return frozenset({"radius"})

    @property
    def looks(self) -> bool:
        """FAWA does."""
        return self.fawa

    @property
    def averages(self) -> bool:
        """By FAWA."""
        return self.fawa

    def start(self, given: Given) -> State:
        """Counts of nothing."""
        zero = given.zeros(given.classes)
        state = {"rate": zero + 0.5, "right": zero, "seen": zero}
        return state | (fair_average.start(given) if self.fawa else {})

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """CCM and CCR from the last epoch's rates."""
        base, acts = given.base, epoch >= given.acts_from(self.begin)
        rate = state["rate"].to(base.radius)
        found = base
        if self.ccm and acts:
            lambda_1 = LAMBDA_1.get(given.method, OURS) if self.lambda_1 == "auto" else self.lambda_1
            found = replace(found, radius=(lambda_1 + rate) * base.radius)
        if self.ccr and "beta" in given.carries:
            factor = self.lambda_2 + rate if acts else torch.ones_like(rate)
            scale = (1 if self.shrink else 1 + given.trade_off) / (1 + factor * given.trade_off)
            found = replace(found, beta=factor * base.beta, natural=scale * base.natural, robust=scale * base.robust)
        return found

    def after_batch(self, state: State, given: Given, seen: Batch) -> State:
        """Count what is right."""
        hit = (seen.logits.argmax(1) == seen.labels).to(seen.per_sample)
        right = state["right"] + per_class(hit, seen.labels, given.classes)
        number = state["seen"] + per_class(torch.ones_like(hit), seen.labels, given.classes)
        return state | {"right": right, "seen": number}

    def after_epoch(self, state: State, given: Given, seen: Epoch) -> State:
        """The rates, the old one for a class that was not seen; then FAWA."""
        rate = torch.where(state["seen"] > 0, state["right"] / state["seen"].clamp(min=1), state["rate"])
        zero = torch.zeros_like(rate)
        state = state | {"rate": rate, "right": zero, "seen": zero}
        if not self.fawa:
            return state
        return fair_average.after_epoch(state, given, seen, begin=self.average_from, decay=self.decay, delta=self.delta)

    def keep(self, state: State) -> float:
        """As FAWA has it."""
        return state["fawa/keep"].item()
