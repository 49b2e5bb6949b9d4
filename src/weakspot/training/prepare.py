"""From a resolved configuration to a run that can start."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from weakspot.contracts import Data
from weakspot.errors import InputError
from weakspot.training.averaging import Average
from weakspot.training.folder import spec_of
from weakspot.training.objective import Knobs, Objective
from weakspot.training.optimisers import optimiser_of
from weakspot.training.options import TrainConfig
from weakspot.training.policy import Given, Policy
from weakspot.training.pool import Pool, split
from weakspot.training.run import Run
from weakspot.training.team import ALONE, Team


def prepare(
    config: TrainConfig,
    objective: Objective,
    policy: Policy,
    data: Data,
    model: str | nn.Module,
    device: torch.device,
    folder: Path,
    team: Team = ALONE,
) -> Run:
    """Everything the loop needs, on the device, as it is before the first step.

    Raises:
        InputError: the processes were given different runs, or a batch has fewer images than there are processes.

    """
    if not team.same(config.digest()):
        raise InputError("the processes were given different runs; give all the same")
    spec = spec_of(config, data) if isinstance(model, str) else None
    module = model if isinstance(model, nn.Module) else spec_of(config, data).build(config.seed)
    if device.type == "cuda":  # the GPU's own layout; on the CPU it made the small CNN 20 % slower
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    module = module.to(device)
    kept, held = split(data.labels, len(data.classes), config.validation, config.seed)
    check_parts(min(config.batch, len(kept)), team.size, module)
    given = Given(
        base=replace(Knobs.uniform(len(data.classes), config.radius, device), smoothing=config.smoothing),
        counts=torch.bincount(data.labels[kept].long(), minlength=len(data.classes)).float().to(device),
        epochs=config.epochs,
        draws=config.epochs * config.batch * max(1, len(kept) // config.batch),
        method=objective.base.name,
        carries=objective.base.carries,
        trade_off=float(getattr(objective.base, "beta", 0.0)),
    )
    return Run(
        config=config,
        objective=objective,
        spec=spec,
        classes=data.classes,
        folder=folder,
        team=team,
        pool=Pool.of(data, device),
        kept=kept.to(device),
        held=held.to(device),
        policy=policy,
        given=given,
        state=policy.start(given),
        model=module,
        optimizer=optimiser_of(
            config.optimizer,
            module,
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            spare_norms=config.spare_norms,
        ),
        average=Average(module, 0.0 if config.average == "swa" else config.average) if config.average else None,
    )


def check_parts(batch: int, processes: int, module: nn.Module) -> None:
    """Refuse batches that leave a process without images, or batch norm with one.

    Raises:
        InputError: they do.

    """
    if batch < processes:
        raise InputError(
            f"each process needs an image of each batch, got {processes} processes for batches of {batch}; start fewer"
        )
    if batch // processes < 2 and any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules()):
        raise InputError(
            f"batch norm needs two images in each process's part of a batch, got {batch} for {processes}; use a larger "
            "batch or a model without it, such as cnn"
        )
