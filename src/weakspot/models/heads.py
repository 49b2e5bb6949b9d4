"""Last layers by address: linear, cosine (SPAT's, and the long-tailed study's plain one), RoBal's, TDE's, LWS's."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from weakspot.addresses import ThreatAddress, plain_address
from weakspot.config import settings
from weakspot.errors import unknown
from weakspot.models.last_layers import CosineHead as CosineHead
from weakspot.models.last_layers import ScaledHead, TdeHead
from weakspot.models.zoo.initial import draw
from weakspot.models.zoo.model import ZooModel


class HeadKind(ABC):
    """A frozen configuration that makes a last layer: a linear layer or a kind of it, so that weights share names."""

    name: ClassVar[str]

    @abstractmethod
    def make(self, features: int, classes: int) -> nn.Linear:
        """The layer, with first weights of the global stream, which the caller replaces."""


@settings
class LinearKind(HeadKind):
    """The usual one."""

    name: ClassVar[str] = "linear"

    def make(self, features: int, classes: int) -> nn.Linear:
        """A linear layer with a bias."""
        return nn.Linear(features, classes)


@settings
class CosineKind(HeadKind):
    """SPAT's by default; `cosine(scale=16,bias=False)` is the study's plain cosine classifier."""

    name: ClassVar[str] = "cosine"
    scale: Annotated[float, Field(gt=0)] = 1.0
    bias: bool = True

    def make(self, features: int, classes: int) -> nn.Linear:
        """Rows of norm 1, as after the SPAT authors' first forward pass: the norm sets the direction's step size."""
        return CosineHead(features, classes, bias=self.bias, scale=self.scale)


@settings
class RobalKind(HeadKind):
    """RoBal's scale-invariant classifier: the cosines that its loss scales; gamma is 1/32, or 1/16."""

    name: ClassVar[str] = "robal"
    gamma: Annotated[float, Field(ge=0)] = 1 / 32

    def make(self, features: int, classes: int) -> nn.Linear:
        """A cosine layer without bias at scale 1."""
        return CosineHead(features, classes, bias=False, gamma=self.gamma)


@settings
class TdeKind(HeadKind):
    """The single-headed TDE of the long-tailed study."""

    name: ClassVar[str] = "tde"
    scale: Annotated[float, Field(gt=0)] = 16.0
    gamma: Annotated[float, Field(ge=0)] = 1 / 32
    mu: Annotated[float, Field(ge=0, lt=1)] = 0.9

    def make(self, features: int, classes: int) -> nn.Linear:
        """A cosine layer that follows the mean direction."""
        return TdeHead(features, classes, scale=self.scale, gamma=self.gamma, mu=self.mu)


@settings
class LwsKind(HeadKind):
    """Scales of a trained linear layer's weights."""

    name: ClassVar[str] = "lws"

    def make(self, features: int, classes: int) -> nn.Linear:
        """A layer whose scales alone learn."""
        return ScaledHead(features, classes)


HEADS: Mapping[str, type[HeadKind]] = {
    kind.name: kind for kind in (LinearKind, CosineKind, RobalKind, TdeKind, LwsKind)
}
"""The last layers by name."""


def head_of(address: str) -> HeadKind:
    """The last layer at an address such as `linear` or `robal(gamma=0.0625)`.

    Raises:
        InputError: there is no such head, or it has no such option.

    """
    found = plain_address("head", address, "cosine(scale=16)")
    if found.name not in HEADS:
        raise unknown("head", found.name, HEADS)
    return HEADS[found.name](**dict(found.options))


def head_address(kind: HeadKind) -> str:
    """The address that `head_of` reads back as an equal head."""
    options = tuple(
        (field.name, str(getattr(kind, field.name)))
        for field in fields(kind)  # type: ignore[arg-type]  # every kind is a dataclass
        if getattr(kind, field.name) != field.default
    )
    return str(ThreatAddress(kind.name, options))


def set_head(model: ZooModel, head: str, *, seed: int = 0) -> None:
    """Exchange the last layer of `model` for a new one of the same shape, drawn by `seed`; in place.

    Raises:
        InputError: there is no such head, or it has no such option.

    """
    kind, old = head_of(head), model.head
    assert isinstance(old, nn.Linear), "every zoo model ends in a linear layer or a kind of it"
    with torch.random.fork_rng(devices=[]):  # torch draws weights that `draw` replaces: the global stream stays
        new = kind.make(old.in_features, old.out_features)
    draw(new, model.head_name, seed)
    if isinstance(kind, CosineKind):
        with torch.no_grad():
            new.weight.copy_(F.normalize(new.weight))
    setattr(model, model.head_name, new.to(old.weight.device))
