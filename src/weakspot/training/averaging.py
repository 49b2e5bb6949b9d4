"""Averages of the weights, with batch-norm statistics of their own.

By step: an exponential moving average (Polyak and Juditsky, 1992). By epoch: what a policy rules, or SWA, the mean of
the weights at the ends of the last epochs (Izmailov et al., 2018, arXiv:1803.05407).
"""

from copy import deepcopy

import torch
from torch import nn

SWA_FROM = 0.75
"""The share of the run after which SWA begins, as in the paper's CIFAR runs."""


def swa_keep(epoch: int, epochs: int) -> float:
    """The share of the average that the weights of this epoch (from 0) leave: 0 before SWA begins, then n / (n + 1)."""
    taken = epoch - min(round(SWA_FROM * epochs), epochs - 1)
    return taken / (taken + 1) if taken > 0 else 0.0


def decay_at(decay: float, step: int) -> float:
    """The decay after `step` updates: it starts small, so that the random first weights are soon forgotten."""
    return min(decay, (1 + step) / (10 + step))


class Average:
    """`module` holds w_avg <- d w_avg + (1 - d) w after each update, d = `decay_at(decay, step)`.

    Running means and variances of batch norm are averaged in the same way, so the averaged weights never run on
    statistics of the live ones; counters (integers) are copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = deepcopy(model).eval()
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)

    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights of `model` after update number `step` (from 0)."""
        self.mix(model, decay_at(self.decay, step))

    @torch.no_grad()
    def mix(self, model: nn.Module, keep: float) -> None:
        """w_avg <- keep w_avg + (1 - keep) w; with 0 the average becomes a copy to the last bit."""
        mine, theirs = self.module.state_dict(), model.state_dict()
        floats = [name for name, value in mine.items() if value.is_floating_point()]
        torch._foreach_lerp_([mine[n] for n in floats], [theirs[n] for n in floats], 1 - keep)
        for name in mine.keys() - set(floats):
            mine[name].copy_(theirs[name])
