"""An exponential moving average of the weights (Polyak and Juditsky, 1992), with batch-norm statistics of its own."""

from copy import deepcopy

import torch
from torch import nn


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
