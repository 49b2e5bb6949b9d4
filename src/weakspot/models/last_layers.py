"""The modules of last layers beside torch's own: cosine classifiers and scaled weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weakspot.contracts import Logits
from weakspot.models.zoo.model import Features


class CosineHead(nn.Linear):
    """z_k = s <phi / |phi|, w_k / (|w_k| + gamma)> + b_k.

    With s = 1 and gamma = 0 it is SPAT's (2022, arXiv:2210.15068), whose authors scale the weights to norm 1 in place
    at each forward pass and leave the bias free. Here the division is part of the function: the logits are the same, a
    forward pass changes nothing, and the gradient loses its part along w_k, which their next scaling would have
    removed. With gamma > 0 the norm of w_k still has a say (RoBal, 2021, arXiv:2104.02703).
    """

    def __init__(self, features: int, classes: int, *, bias: bool = True, scale: float = 1.0, gamma: float = 0.0):
        super().__init__(features, classes, bias=bias)
        self.scale, self.gamma = scale, gamma

    def forward(self, features: Features) -> Logits:
        """Logits in [-s + b_k, s + b_k]; features of norm 0 give b_k."""
        return self.logits(F.normalize(features))

    def logits(self, direction: Features) -> Logits:
        """The logits of features that are already of norm 1, or changed since."""
        weight = F.normalize(self.weight) if self.gamma == 0 else self.shrunk()
        return F.linear(direction, self.scale * weight, self.bias)

    def shrunk(self) -> Tensor:
        """w_k / (|w_k| + gamma)."""
        return self.weight / (torch.linalg.vector_norm(self.weight, dim=1, keepdim=True) + self.gamma)


class TdeHead(CosineHead):
    """A cosine head that follows the mean direction of what it is trained on: d <- mu d + mean(phi / |phi|).

    The sum is not normalised, as in the code of the long-tailed study (arXiv:2104.02703) after Tang et al. (2020,
    arXiv:2009.12991), so d tends to 1 / (1 - mu) means. The adjustment `tde` takes it out at inference; the logits here
    do not depend on it. It is part of the weights' file.
    """

    mean_direction: Tensor

    def __init__(self, features: int, classes: int, *, scale: float, gamma: float, mu: float) -> None:
        super().__init__(features, classes, bias=False, scale=scale, gamma=gamma)
        self.mu = mu
        self.register_buffer("mean_direction", torch.zeros(features))

    def forward(self, features: Features) -> Logits:
        """The logits; in training mode d moves."""
        direction = F.normalize(features)
        if self.training:
            with torch.no_grad():
                self.mean_direction.mul_(self.mu).add_(direction.float().mean(0))
        return self.logits(direction)


class ScaledHead(nn.Linear):
    """Learnable weight scaling (Kang et al., 2020, arXiv:1910.09217): z_k = g_k <phi, w_k>; only g is trained."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__(features, classes, bias=False)
        self.weight.requires_grad_(False)
        self.scales = nn.Parameter(torch.ones(classes))

    def forward(self, features: Features) -> Logits:
        """The scaled products."""
        return self.scales * F.linear(features, self.weight)
