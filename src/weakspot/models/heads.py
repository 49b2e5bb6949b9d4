"""Last layers: linear, and the cosine classifier of SPAT and RoBal."""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from weakspot.contracts import Logits
from weakspot.errors import unknown
from weakspot.models.zoo.initial import draw
from weakspot.models.zoo.model import Features, ZooModel


class CosineHead(nn.Linear):
    """SPAT's classifier (2022, arXiv:2210.15068): z_k = <phi / |phi|, w_k / |w_k|> + b_k.

    The authors scale the weights to norm 1 in place at each forward pass and leave the bias free. Here the division is
    part of the function: the logits are the same, a forward pass changes nothing, and the gradient loses its part
    along w_k, which their next scaling would have removed.
    """

    def forward(self, features: Features) -> Logits:
        """Logits in [-1 + b_k, 1 + b_k]; features of norm 0 give b_k."""
        return F.linear(F.normalize(features), F.normalize(self.weight), self.bias)


Head = Literal["linear", "cosine"]
HEADS: Mapping[str, type[nn.Linear]] = {"linear": nn.Linear, "cosine": CosineHead}
"""The last layers by name; each is a linear layer or a kind of it, so that their weights have the same names."""


def set_head(model: ZooModel, head: str, *, seed: int = 0) -> None:
    """Exchange the last layer of `model` for a new one of the same shape, drawn by `seed`; in place.

    Raises:
        InputError: there is no such head.

    """
    if head not in HEADS:
        raise unknown("head", head, HEADS)
    old = model.head
    assert isinstance(old, nn.Linear), "every zoo model ends in a linear layer or a kind of it"
    with torch.random.fork_rng(devices=[]):  # torch draws weights that `draw` replaces: the global stream stays
        new = HEADS[head](old.in_features, old.out_features)
    draw(new, model.head_name, seed)
    if isinstance(new, CosineHead):
        # Rows of norm 1, as after the authors' first forward pass: the norm sets the step size of the direction.
        with torch.no_grad():
            new.weight.copy_(F.normalize(new.weight))
    setattr(model, model.head_name, new.to(old.weight.device))
