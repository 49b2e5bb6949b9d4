"""FAAL (Zhang et al., CVPR 2024, arXiv:2402.17729): in each batch the worst class weights within a KL ball."""

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from weakspot.config import settings
from weakspot.contracts import Labels, Logits, PerSample
from weakspot.maths.losses import probability_margin
from weakspot.training.counting import Sums, per_class, share
from weakspot.training.objective import Knob, Knobs
from weakspot.training.policy import Given, Policy, State

HALVINGS = 60


@settings
class Faal(Policy):
    """max_q sum_c n_c q_c u_c over the simplex with KL(1 / K || q) <= r; the sample's loss has weight K q_y.

    n_c counts the batch, u_c is the mean of max_{j != y} p_j - p_y on the attacked images of class c, and -1 for an
    absent one, which n_c = 0 makes 0 in the sum, as in the equation. The weights of a batch have no fixed mean. The
    authors train a robust model for two more epochs; here the run before the share `begin`, ours, makes that model.
    """

    name: ClassVar[str] = "faal"
    paper: ClassVar[frozenset[str]] = frozenset({"pgd-at", "trades", "mart", "pgd-at+awp"})
    r: Annotated[float, Field(gt=0)] = 0.5
    begin: Annotated[float, Field(ge=0, le=1)] = 0.8

    @property
    def needs(self) -> frozenset[Knob]:
        """A weight where the attack is."""
        return frozenset({"robust"})

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """A weight that waits for the attacked logits."""
        return replace(given.base, within=self.weigh) if epoch >= given.acts_from(self.begin) else given.base

    def weigh(self, logits: Logits, labels: Labels) -> PerSample:
        """K q_y of each sample."""
        classes = logits.shape[1]
        number = per_class(torch.ones_like(logits[:, 0]), labels, classes)
        margin = share(per_class(probability_margin(logits, labels), labels, classes), number, -1.0)
        return (classes * worst(number * margin, self.r))[labels].to(logits)


def worst(values: Sums, r: float) -> Sums:
    """The q on the simplex that maximises sum_c values_c q_c subject to KL(1 / K || q) <= r.

    Stationarity gives q_c proportional to 1 / (mu - values_c) for a mu above all values; the divergence falls as mu
    grows, so mu is found by bisection of its logarithm. Equal values give equal weights.
    """
    span = values.max() - values.min()
    gap = torch.where(span > 0, (values.max() - values) / span.clamp(min=1e-300), torch.zeros_like(values))
    low, high = values.new_tensor(-40.0), values.new_tensor(40.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        too_far = divergence(shares(gap, middle)) > r
        low, high = torch.where(too_far, middle, low), torch.where(too_far, high, middle)
    return shares(gap, high)


def shares(gap: Sums, log_mu: Float[Tensor, ""]) -> Sums:
    """The q for mu = exp(log_mu) above the largest value, in units of the values' span."""
    inverse = 1 / (log_mu.exp() + gap)
    return inverse / inverse.sum()


def divergence(q: Sums) -> Float[Tensor, ""]:
    """KL(1 / K || q)."""
    return -(len(q) * q).log().mean()
