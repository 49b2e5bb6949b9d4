"""What a trained model's last layer does differently at inference: part of the model, so that attacks go through it.

The settings and formulas are those of the long-tailed study (2021, arXiv:2104.02703). None is trained: weights,
training losses and training attacks are those of the model without it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from weakspot.addresses import ThreatAddress, plain_address
from weakspot.config import settings
from weakspot.contracts import Logits
from weakspot.errors import InputError, unknown
from weakspot.models.last_layers import TdeHead
from weakspot.models.zoo.model import Features

PerClass = Float[Tensor, " classes"]


class Adjustment(ABC):
    """A frozen configuration, called with the last layer, its input, and each class's number of training images."""

    name: ClassVar[str]
    counts: ClassVar[bool] = False
    """Whether it depends on the numbers of training images."""

    def check(self, head: nn.Module) -> None:
        """Refuse a last layer that it is not defined for."""
        assert isinstance(head, nn.Linear), "every zoo model ends in a linear layer or a kind of it"

    @abstractmethod
    def __call__(self, head: nn.Module, features: Features, counts: PerClass) -> Logits:
        """The adjusted logits."""


@settings
class Unadjusted(Adjustment):
    """The model as it was trained."""

    name: ClassVar[str] = "none"

    def __call__(self, head: nn.Module, features: Features, counts: PerClass) -> Logits:
        """The last layer's own."""
        logits: Logits = head(features)
        return logits


@settings
class Scale(Adjustment):
    """z <- by z: no prediction changes, but attacks that climb a cross-entropy may."""

    name: ClassVar[str] = "scale"
    by: Annotated[float, Field(gt=0)] = 10.0

    def __call__(self, head: nn.Module, features: Features, counts: PerClass) -> Logits:
        """The scaled logits."""
        logits: Logits = self.by * head(features)
        return logits


@settings
class TauNorm(Adjustment):
    """z_k = <phi, w_k / |w_k|^tau>, without the bias (Kang et al., 2020, arXiv:1910.09217)."""

    name: ClassVar[str] = "tau-norm"
    tau: Annotated[float, Field(ge=0)] = 1.0

    def check(self, head: nn.Module) -> None:
        """Refuse all but plain linear layers."""
        if type(head) is not nn.Linear:
            raise InputError("adjustment tau-norm needs the head linear, whose weights have norms; use another one")

    def __call__(self, head: nn.Module, features: Features, counts: PerClass) -> Logits:
        """The products with the normalised weights; a row of zeros stays one."""
        assert isinstance(head, nn.Linear), "checked"
        norm = torch.linalg.vector_norm(head.weight, dim=1, keepdim=True).clamp(min=1e-12)
        return F.linear(features, head.weight / norm**self.tau)


@settings
class Cdt(Adjustment):
    """z_k <- z_k / n_k^tau (Ye et al., 2020, arXiv:2001.01385, after training).

    It divides the logits of frequent classes by more, and so shrinks them all: gradients of a cross-entropy change
    with the scale, which can look like robustness.
    """

    name: ClassVar[str] = "cdt"
    counts: ClassVar[bool] = True
    tau: Annotated[float, Field(ge=0)] = 0.3

    def __call__(self, head: nn.Module, features: Features, counts: PerClass) -> Logits:
        """The divided logits."""
        logits: Logits = head(features) / counts**self.tau
        return logits


@settings
class LogitAdjustment(Adjustment):
    """z_k <- scale z_k - tau log(n_k / n) (Menon et al., 2021, arXiv:2007.07314); RoBal's boundary adjustment."""

    name: ClassVar[str] = "logit-adjustment"
    counts: ClassVar[bool] = True
    tau: float = 1.0
    scale: Annotated[float, Field(gt=0)] = 1.0

    def __call__(self, head: nn.Module, features: Features, counts: PerClass) -> Logits:
        """The shifted logits."""
        logits: Logits = self.scale * head(features) - self.tau * (counts / counts.sum()).log()
        return logits


@settings
class Tde(Adjustment):
    """z = s <phi^ - alpha cos(phi, d) d, w_k / (|w_k| + gamma)>, phi^ = phi / |phi|, d the head's mean direction.

    The study's single-headed form of Tang et al. (2020, arXiv:2009.12991). Its released code also attacks through it
    while it trains, since an attack puts the model in eval mode; here training never does.
    """

    name: ClassVar[str] = "tde"
    alpha: float = 0.1

    def check(self, head: nn.Module) -> None:
        """Refuse heads that follow no mean direction."""
        if not isinstance(head, TdeHead):
            raise InputError("adjustment tde needs the head tde, which follows a mean direction; train with --head tde")

    def __call__(self, head: nn.Module, features: Features, counts: PerClass) -> Logits:
        """The logits without the mean direction's part."""
        assert isinstance(head, TdeHead), "checked"
        direction, d = F.normalize(features), head.mean_direction
        cosine = direction @ F.normalize(d, dim=0)
        return head.logits(direction - self.alpha * cosine[:, None] * d)


ADJUSTMENTS: Mapping[str, type[Adjustment]] = {
    kind.name: kind for kind in (Unadjusted, Scale, TauNorm, Cdt, LogitAdjustment, Tde)
}
"""The adjustments by name."""


def adjustment_of(address: str) -> Adjustment:
    """The adjustment at an address such as `none` or `logit-adjustment(tau=0.1,scale=10)`.

    Raises:
        InputError: there is no such adjustment, or it has no such option.

    """
    found = plain_address("adjustment", address, "cdt(tau=0.3)")
    if found.name not in ADJUSTMENTS:
        raise unknown("adjustment", found.name, ADJUSTMENTS)
    return ADJUSTMENTS[found.name](**dict(found.options))


def adjustment_address(adjustment: Adjustment) -> str:
    """The address that `adjustment_of` reads back as an equal adjustment."""
    options = tuple(
        (field.name, str(getattr(adjustment, field.name)))
        for field in fields(adjustment)  # type: ignore[arg-type]  # every kind is a dataclass
        if getattr(adjustment, field.name) != field.default
    )
    return str(ThreatAddress(adjustment.name, options))
