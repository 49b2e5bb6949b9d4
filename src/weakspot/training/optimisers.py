"""Optimisers, and which parameters they decay."""

from typing import Literal

import torch
from torch import nn

Optimiser = Literal["sgd", "adamw"]


def groups(module: nn.Module, weight_decay: float, *, spare_norms: bool) -> list[dict[str, object]]:
    """The parameters with their decay; with `spare_norms` none for norms and biases, which have at most one axis."""
    parameters = list(module.parameters())
    if not spare_norms:
        return [{"params": parameters, "weight_decay": weight_decay}]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def optimiser_of(
    kind: Optimiser, module: nn.Module, *, lr: float, momentum: float, weight_decay: float, spare_norms: bool
) -> torch.optim.Optimizer:
    """SGD with momentum, its decay part of the gradient; or AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101).

    The momentum of AdamW is its first beta.
    """
    parts = groups(module, weight_decay, spare_norms=spare_norms)
    if kind == "adamw":
        return torch.optim.AdamW(parts, lr, betas=(momentum, 0.999), foreach=True)
    return torch.optim.SGD(parts, lr, momentum, foreach=True)
