"""Fairness-aware weight averaging (FAWA; CFA, 2023, arXiv:2303.14460): epochs with too weak a worst class are left out.

Shared by the policies whose papers use it. The average is a copy of the live weights until it begins and an epoch
passes, and then decays by epoch instead of by step.
"""

import torch

from weakspot.training.counting import share
from weakspot.training.policy import Epoch, Given, State


def start(given: Given) -> State:
    """Nothing is averaged yet."""
    return {"fawa/keep": given.zeros(), "fawa/begun": given.zeros()}


def after_epoch(state: State, given: Given, seen: Epoch, *, begin: float, decay: float, delta: float) -> State:
    """Take an epoch in if its worst class's robust validation accuracy is at least `delta`, from `begin` on."""
    assert seen.validation is not None, "the policy looks"
    samples, right = seen.validation.cube[1].sum(1), seen.validation.cube[1].diagonal()
    passes = (share(right, samples, 1.0).min() >= delta) & (seen.epoch >= round(begin * given.epochs))
    begun = state["fawa/begun"]
    keep = torch.where(passes, decay, 1.0) * begun
    return state | {"fawa/keep": keep.to(begun), "fawa/begun": torch.maximum(begun, passes.to(begun))}
