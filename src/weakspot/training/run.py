"""All that one run holds while it trains."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor, nn

from weakspot.models import ModelSpec
from weakspot.models.zoo.model import ZooModel
from weakspot.training.averaging import Average
from weakspot.training.objective import Objective
from weakspot.training.options import TrainConfig
from weakspot.training.policy import Given, Policy, State
from weakspot.training.pool import Pool
from weakspot.training.team import Team
from weakspot.training.trainee import Trainee
from weakspot.training.validation import Validation, validate


@dataclass
class Run:
    """All that one run holds: what is fixed, then what the epochs change."""

    config: TrainConfig
    objective: Objective
    spec: ModelSpec | None
    """None for a module that was handed over."""
    classes: tuple[str, ...]
    folder: Path
    team: Team
    pool: Pool
    kept: Int[Tensor, " kept"]
    """Positions that train."""
    held: Int[Tensor, " held"]
    """Positions that validate."""
    policy: Policy
    given: Given
    state: State
    """The policy's."""
    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: Average | None

    def at_precision(self, module: nn.Module) -> nn.Module:
        """The module as it computes at the configured precision."""
        # Not compiled: on a CPU torch.compile needed three minutes to make a ResNet step 5 % faster and the small CNN's
        # 20 % slower; on a GPU it is not measured.
        return Trainee(module, rough=self.config.precision == "bf16")

    def answering(self, module: nn.Module) -> nn.Module:
        """The module as it answers at inference: with the adjustment, which belongs to what is saved."""
        return self.spec.adjusted(module) if self.spec and isinstance(module, ZooModel) else module

    @property
    def final(self) -> nn.Module:
        """What is validated and saved: the average where there is one."""
        return self.average.module if self.average else self.model

    def validated(self, module: nn.Module) -> Validation:
        """What the held-out images show of a module."""
        return validate(
            self.at_precision(self.answering(module)),
            self.pool,
            self.held,
            len(self.classes),
            self.config.radius,
            self.config.validation_steps,
            self.config.seed,
            self.team,
        )
