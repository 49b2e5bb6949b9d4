"""The resolved configuration of a run: everything that determines its weights, and nothing else."""

from dataclasses import asdict
from hashlib import sha256
from json import dumps
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import Field, NonNegativeInt

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.training.optimisers import Optimiser
from weakspot.training.schedules import Schedule

Precision = Literal["fp32", "bf16"]
Select = Literal["last", "average", "worst", "sum"]
Sampler = Literal["shuffled", "class-aware"]
Tune = Literal["all", "head"]
Augment = Literal["none", "randaugment", "autoaugment"]
Share = Annotated[float, Field(ge=0, lt=1)]


@settings
class TrainConfig:
    """One training run. Defaults stand in the signature of `train` alone; here every field is resolved."""

    name: ClassVar[str] = "train"
    method: str
    """An objective's address, such as "trades(beta=3)"."""
    policy: str
    """A class policy's address, such as "dafa(lam=1.5)"; "none" treats all classes alike."""
    model: str
    """A zoo name, or "object: CLASS" for a module that was handed over."""
    head: str
    """The last layer, by its address in `weakspot.models.heads`; a module that was handed over keeps its own."""
    loss: str = "cross-entropy"
    """What takes the cross-entropy's place in the loss: an address in `weakspot.training.longtail`."""
    sampler: Sampler = "shuffled"
    """How an epoch goes through the images: each once, or class-aware, each class as often."""
    adjust: str = "none"
    """What the last layer does differently at inference: an address in `weakspot.models.adjustments`."""
    tune: Tune = "all"
    """What learns: everything, or the last layer alone."""
    augment: Augment = "none"
    """What happens to an image before crop and flip."""
    weights: str
    """The digest of a module that was handed over; "" for a zoo model, whose first weights the seed determines."""
    data: str
    data_digest: str
    radius: RadiusField | None
    """To train and to validate at; None trains and validates on clean images only."""
    epochs: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)]
    optimizer: Optimiser
    lr: Annotated[float, Field(gt=0, le=1e38, allow_inf_nan=False)]
    """At the schedule's peak; beyond 1e38 float32 ends."""
    momentum: Share
    """Of SGD; the first beta of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)]
    spare_norms: bool
    """Whether norms and biases have no weight decay."""
    schedule: Schedule
    average: Share | Literal["swa"]
    """The decay per step of the weights' moving average, which is validated and saved; 0 averages nothing.

    "swa" averages the weights at the ends of the run's last epochs alike (see `averaging.SWA_FROM`).

    A policy with an averaging of its own (FAWA) goes by its own decay per epoch instead.
    """
    smoothing: Annotated[float, Field(ge=0, le=0.5)]
    """The share of each label that is spread over all classes; up to 0.2 is rated useful, above 0.3 harmful."""
    crop: Annotated[float, Field(ge=0, le=0.5)]
    """The largest random shift as a share of the image's size."""
    flip: bool
    """Whether half of the images are mirrored; wrong for digits and letters."""
    validation: Annotated[float, Field(ge=0, le=0.5)]
    """The share of each class that is held out of the training split."""
    validation_steps: Annotated[int, Field(ge=1)]
    """Of the PGD that validates."""
    select: Select
    """The epoch whose weights are saved: the last, or the best by validation accuracy (attacked, given a radius).

    That of all classes alike, of the worst one, or the sum of both.
    """
    precision: Precision
    """Of forward and backward passes; weights and their updates are float32 in any case."""
    seed: NonNegativeInt

    def plain(self) -> dict[str, Any]:
        """The fields as YAML and JSON can hold them."""
        return {**asdict(self), "radius": str(self.radius) if self.radius else None}

    def digest(self) -> str:
        """SHA-256 (hex) of the configuration."""
        return sha256(dumps(self.plain(), sort_keys=True).encode()).hexdigest()

    def to_yaml(self) -> str:
        """The configuration as YAML."""
        return yaml.safe_dump(self.plain(), sort_keys=False)


LATER = {"loss": "cross-entropy", "sampler": "shuffled", "adjust": "none", "tune": "all", "augment": "none"}
"""What fields mean in runs of before they existed."""


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What changed, as "key: before -> now"."""
    before = LATER | before
    keys = [*now, *(key for key in before if key not in now)]
    return [f"{k}: {before.get(k)!r} -> {now.get(k)!r}" for k in keys if before.get(k) != now.get(k)]
