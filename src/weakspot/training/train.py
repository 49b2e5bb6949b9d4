"""`train`: resolves the defaults once, prepares the run folder, and runs the loop."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import nn

from weakspot.addresses import Radius, slug
from weakspot.contracts import Data
from weakspot.models import digest
from weakspot.models.adjustments import adjustment_address, adjustment_of
from weakspot.models.checkpoints import sha256
from weakspot.training.folder import claim, lock_of, mark_data, mark_origin
from weakspot.training.longtail import address_of as loss_address
from weakspot.training.longtail import loss_of
from weakspot.training.loop import fit
from weakspot.training.loss import Loss
from weakspot.training.objective import Objective
from weakspot.training.objectives import method_of, objective_of
from weakspot.training.optimisers import Optimiser
from weakspot.training.options import Augment, Precision, Sampler, Select, TrainConfig, Tune
from weakspot.training.policies import address_of, policy_of
from weakspot.training.policy import Policy
from weakspot.training.prepare import prepare
from weakspot.training.resolve import (
    check_data,
    check_loss,
    check_policy,
    check_select,
    device_of,
    precision_of,
    radius_of,
    smoothing_of,
)
from weakspot.training.schedules import Schedule
from weakspot.training.start import WEIGHTS, earlier, head_for, refuse_untrained_body
from weakspot.training.team import team_on
from weakspot.training.tracking import check_trackers, tracking


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: the finished epochs are in `folder`; the same call with `out=folder` goes on from there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"interrupted; the same command with --out {folder} goes on")
        self.folder = folder


def train(
    method: str | Objective,
    data: Data,
    *,
    policy: str | Policy = "none",
    model: str | nn.Module = "cnn",
    head: str = "auto",
    loss: str | Loss = "cross-entropy",
    sampler: Sampler = "shuffled",
    adjust: str = "auto",
    tune: Tune = "all",
    radius: str | Radius | None = None,
    epochs: int = 30,
    batch: int = 128,
    optimizer: Optimiser = "sgd",
    lr: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    spare_norms: bool = False,
    schedule: Schedule = "one-cycle",
    average: float | Literal["swa"] = 0.999,
    smoothing: float = 0.0,
    augment: Augment = "none",
    crop: float = 0.125,
    flip: bool = True,
    validation: float = 0.1,
    validation_steps: int = 10,
    select: Select = "average",
    precision: Precision | Literal["auto"] = "auto",
    seed: int = 0,
    device: str = "auto",
    track: Sequence[str] = (),
    out: str | Path | None = None,
) -> Path:
    """Train `model` on `data` by `method`; the run folder that comes back is a model for `audit`.

    The arguments are the fields of `TrainConfig`. Without `radius` the data set's customary one is taken;
    `head="auto"` is the last layer of the loss, the earlier run or the method, `adjust="auto"` the method's own
    adjustment. `model` may be the folder of an earlier run, whose weights are trained further, without its adjustment.
    A module that is handed over is trained in place, from the weights it has, with its own head and no adjustment.
    `track` names experiment trackers, such as "tensorboard". `out` defaults to a folder of `runs` named after the run's
    digest; a folder that holds a run of the same configuration is resumed, a finished one returned.

    Several processes, started by torchrun, share each batch: `batch` images in all. Batch norm then takes its
    statistics from the part of each process. One process writes; in the others a failure of it is a SystemExit.

    Raises:
        InputError: an unknown name, a value out of range, test data, a folder of another run, a loss that blew up.
        SetupError: the folder cannot be written to, or the device or a tracker is missing.
        Interrupted: Ctrl-C; the run can be resumed.

    """
    objective, fair, place, longtail = objective_of(method), policy_of(policy), device_of(device), loss_of(loss)
    zoo = isinstance(model, str)
    check_trackers(track)
    check_data(data, zoo=zoo)
    refuse_untrained_body(tune, model)
    before, own = earlier(model), objective.base.adjust if zoo else "none"
    config = TrainConfig(
        method=method_of(objective),
        policy=address_of(fair),
        model=model if isinstance(model, str) else f"object: {type(model).__qualname__}",
        head=head_for(head, model, objective, longtail),
        loss=loss_address(longtail),
        sampler=sampler,
        adjust=adjustment_address(adjustment_of(own if adjust == "auto" else adjust)),
        tune=tune,
        weights=digest(model) if not isinstance(model, str) else sha256(before / WEIGHTS) if before else "",
        data=data.name,
        data_digest=data.digest(),
        radius=radius_of(objective, radius if radius is not None else data.radius),
        epochs=epochs,
        batch=batch,
        optimizer=optimizer,
        lr=lr,
        momentum=momentum,
        weight_decay=weight_decay,
        spare_norms=spare_norms,
        schedule=schedule,
        average=average,
        smoothing=smoothing_of(objective, smoothing),
        augment=augment,
        crop=crop,
        flip=flip,
        validation=validation,
        validation_steps=validation_steps,
        select=select,
        precision=precision_of(precision, place),
        seed=seed,
    )
    check_loss(longtail, objective, smoothing)
    check_select(select, validation)
    check_policy(fair, objective, epochs=epochs, validation=validation, average=average, sampler=sampler)
    folder = Path(out) if out is not None else Path("runs") / name_of(config)
    team, place = team_on(place)
    run, lock = prepare(config, objective, fair, data, model, place, folder, team, longtail), lock_of(folder)

    def enter() -> None:
        claim(folder, config, place, team.size, lock)
        mark_data(folder, data, run.kept, run.held)
        mark_origin(folder, fair, objective)

    try:
        team.on_main(enter)
        with tracking(track, folder, config.plain(), data.classes, place) as log:
            fit(run, log)
    except KeyboardInterrupt:
        raise Interrupted(folder) from None
    finally:
        lock.release()
    return folder


def name_of(config: TrainConfig) -> str:
    """The default folder's name: method, policy, digest."""
    policy = "" if config.policy == "none" else f"-{slug(config.policy)}"
    return f"{slug(config.method)}{policy}-{config.digest()[:12]}"
