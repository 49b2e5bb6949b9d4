"""From a resolved configuration to a run that can start."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from weakspot.contracts import Data
from weakspot.errors import InputError
from weakspot.models import ModelSpec
from weakspot.models.adjustments import adjustment_of
from weakspot.training.averaging import Average
from weakspot.training.longtail import loss_of
from weakspot.training.loss import Loss, check_counts, prepare_bias
from weakspot.training.objective import Knobs, Objective, PerClass
from weakspot.training.optimisers import optimiser_of
from weakspot.training.options import TrainConfig
from weakspot.training.policy import Given, Policy
from weakspot.training.pool import Pool, split
from weakspot.training.run import Run
from weakspot.training.start import build, earlier, keep_all_but_head, spec_of
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
    loss: Loss | None = None,
) -> Run:
    """Everything the loop needs, on the device, as it is before the first step; `loss` defaults to the one named.

    Raises:
        InputError: the processes were given different runs, a batch has fewer images than there are processes, a class
            that loss or adjustment needs has no images, or the adjustment does not fit the last layer.

    """
    if not team.same(config.digest()):
        raise InputError("the processes were given different runs; give all the same")
    loss = loss or loss_of(config.loss)
    kept, held = split(data.labels, len(data.classes), config.validation, config.seed)
    counts = torch.bincount(data.labels[kept].long(), minlength=len(data.classes)).float()
    if objective.base.every_class:
        check_counts(f"method {objective.base.name}", counts, data.classes)
    if loss.every_class:
        check_counts(f"loss {loss.name}", counts, data.classes)
    if adjustment_of(config.adjust).counts:
        check_counts(f"adjustment {config.adjust}", counts, data.classes)
    spec, module = begin(config, loss, data, model, counts)
    if device.type == "cuda":  # the GPU's own layout; on the CPU it made the small CNN 20 % slower
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    module = module.to(device)
    counts = counts.to(device)
    check_parts(min(config.batch, len(kept)), team.size, module)
    given = Given(
        base=replace(
            Knobs.uniform(len(data.classes), config.radius, device),
            smoothing=config.smoothing,
            counts=counts,
            loss=None if loss.name == "cross-entropy" else loss,
        ),
        counts=counts,
        epochs=config.epochs,
        draws=config.epochs * config.batch * max(1, images_of(config, counts) // config.batch),
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


def begin(
    config: TrainConfig, loss: Loss, data: Data, model: str | nn.Module, counts: PerClass
) -> tuple[ModelSpec | None, nn.Module]:
    """The module as it is before the first step, and its description with adjustment and counts where it is a zoo's."""
    if isinstance(model, nn.Module):
        if config.adjust != "none":
            raise InputError(f"adjustments are of zoo models, got {type(model).__name__}; adjust the module itself")
        if config.tune == "head":
            keep_all_but_head(model)
        return None, model
    plain = spec_of(model, config.head, data)
    spec, module = replace(plain, adjust=config.adjust, counts=tuple(counts.tolist())), build(model, plain, config.seed)
    if config.tune == "head":
        keep_all_but_head(module)
    if loss.bias != "log-odds" or earlier(model) is None:  # what was trained is no first value
        prepare_bias(loss, module.head, counts)
    spec.adjusted(module)
    return spec, module


def images_of(config: TrainConfig, counts: PerClass) -> int:
    """How many images an epoch draws."""
    if config.sampler == "class-aware":
        return int(counts.max()) * int((counts > 0).sum())
    return int(counts.sum())


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
