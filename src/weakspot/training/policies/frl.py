"""FRL (Xu et al., ICML 2021, arXiv:2010.06121): limits on each class's excess risks."""

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from weakspot.config import settings
from weakspot.contracts import Labels
from weakspot.training.counting import Sums, share
from weakspot.training.objective import Knob, Knobs
from weakspot.training.policy import Epoch, Given, Policy, State

LIMIT = 0.5
"""Of the sum of the multipliers of one kind."""
LOW, HIGH = 0.98, 3.0
"""Of a class's radius, as factors of eps."""


@settings
class Frl(Policy):
    """R_nat(c) - R_nat <= tau and R_bdy(c) - R_bdy <= tau for all classes, by ascent of multipliers on held-out images.

    After each epoch, with g0 and g1 the two sides' differences: lam0 += r1 g0, lam1 += 2 r1 g1 (both cut at 0 and
    scaled to a sum of 0.5 at most), lam2 += r2 g1. Weights w_c = 1 / K + lam_c - mean(lam), over their mean in the
    batch: w0 on the clean cross-entropy, w1 on what involves attacked images; radii eps clamp(exp(2 lam2), 0.98, 3), or
    eps without `remargin`. The step stays a share of each class's radius (the authors take a quarter of the largest).
    They start from a robust model, use beta = 1.5 ("trades(beta=1.5)") and tau = 0.1 without remargin; here the run's
    share `begin`, ours, makes that model.
    """

    name: ClassVar[str] = "frl"
    paper: ClassVar[frozenset[str]] = frozenset({"trades"})
    remargin: bool = True
    tau: Annotated[float, Field(ge=0)] = 0.07
    r1: Annotated[float, Field(ge=0)] = 0.05
    r2: Annotated[float, Field(ge=0)] = 0.2
    begin: Annotated[float, Field(ge=0, le=1)] = 0.5

    @property
    def needs(self) -> frozenset[Knob]:
        """A weight where the attack is, and a radius."""
        return frozenset({"robust", "radius"})

    @property
    def looks(self) -> bool:
        """At the risks."""
        return True

    def start(self, given: Given) -> State:
        """Multipliers of 0."""
        return {name: given.zeros(given.classes) for name in ("natural", "boundary", "margin")}

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """Weights of mean 1 in the batch, and radii."""
        base = given.base
        natural, robust = (weights(state[name], labels).to(base.radius) for name in ("natural", "boundary"))
        margin = (2 * state["margin"]).exp().clamp(LOW, HIGH) if self.remargin else torch.ones_like(state["margin"])
        return replace(
            base,
            natural=natural * base.natural,
            robust=robust * base.robust,
            radius=margin.to(base.radius) * base.radius,
        )

    def after_epoch(self, state: State, given: Given, seen: Epoch) -> State:
        """One step of each multiplier; a class without held-out images keeps its own."""
        if seen.epoch < given.acts_from(self.begin) - 1:
            return state
        assert seen.validation is not None, "the policy looks"
        clean, attacked = seen.validation.cube
        natural = excess(1 - clean.diagonal() / clean.sum(1), clean.sum(1)) - self.tau
        robust = excess((clean.diagonal() - attacked.diagonal()) / clean.sum(1), clean.sum(1)) - self.tau
        known = clean.sum(1) > 0
        natural, robust = torch.where(known, natural, 0.0), torch.where(known, robust, 0.0)
        return {
            "natural": limited(state["natural"] + self.r1 * natural),
            "boundary": limited(state["boundary"] + 2 * self.r1 * robust),
            "margin": state["margin"] + self.r2 * robust,
        }


def excess(risk: Sums, samples: Sums) -> Sums:
    """Each class's risk above that of all held-out images."""
    return risk - (risk.nan_to_num(0.0) * samples).sum() / samples.sum()


def limited(multipliers: Sums) -> Sums:
    """At least 0, and at most `LIMIT` together."""
    positive = multipliers.clamp(min=0)
    return positive * share(torch.full_like(positive, LIMIT), positive.sum().expand_as(positive), 1.0).clamp(max=1)


def weights(multipliers: Sums, labels: Labels) -> Sums:
    """w_c over its mean in the batch; above 0, since the multipliers' mean is at most half of 1 / K."""
    w = 1 / len(multipliers) + multipliers - multipliers.mean()
    return w / w[labels].mean()
