"""The training loop, once for all objectives: epochs with their ends - validation, averages, selection, checkpoint."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.optim.swa_utils import update_bn

from weakspot.errors import SetupError
from weakspot.training.averaging import swa_keep
from weakspot.training.blow_up import check_weights
from weakspot.training.checkpoints import NAME, Progress, load_checkpoint, save_checkpoint
from weakspot.training.epoch import augmented, train_epoch
from weakspot.training.folder import export
from weakspot.training.history import Live, Row, describe, read_history, write_history
from weakspot.training.policy import Epoch
from weakspot.training.pool import batches
from weakspot.training.run import Run
from weakspot.training.validation import Validation


def fit(run: Run, log: Callable[[Row], None]) -> None:
    """Train from the last checkpoint of the folder (or from the start) to the last epoch; `log` gets each epoch's row.

    Raises:
        InputError: a loss (its batch is saved) or the weights are not finite, or the checkpoint is damaged.
        SetupError: the folder cannot be written to.

    """
    path, live, total = run.folder / NAME, Live(speaks=run.team.main), run.config.epochs
    progress = Progress()
    if path.exists():
        run.state, progress = load_checkpoint(path, run.model, run.optimizer, run.average, run.state)
    if not run.team.same(f"{progress.epochs} {progress.best_epoch}"):
        raise SetupError(f"the processes found different {path}; use a folder that all of them see")
    rows = read_history(run.folder, progress.epochs)
    if progress.epochs == total:
        live.line(f"{run.folder}: the training is finished")
    elif progress.epochs:
        live.line(f"resuming {run.folder} after epoch {progress.epochs}/{total}")
    while progress.epochs < total:
        epoch, start = progress.epochs, time.monotonic()
        knobs = turned(run, epoch)
        loss, accuracy = train_epoch(run, epoch, live)
        found = conclude(run, epoch)
        check_weights(run, epoch, found)
        row = row_of(run, epoch, loss, accuracy, found, time.monotonic() - start) | knobs
        rows.append(row)
        progress.epochs, score = epoch + 1, found.score(run.config.select, run.objective.defends)
        # The later one of equals: the worst class is at 0 for many epochs, and the first of them has learned least.
        row["saved"] = score >= progress.best
        if row["saved"]:
            progress.best, progress.best_epoch = score, epoch + 1
        run.team.on_main(partial(keep, run, rows, progress))
        log(row)
        live.line(describe(row, total, run.classes))
        live.classes(row, run.classes)
    if progress.best_epoch != total:
        live.line(f"saved are the weights of epoch {progress.best_epoch}, the best by {run.config.select}")


def keep(run: Run, rows: list[Row], progress: Progress) -> None:
    """Write what an epoch made, first what a kill before the checkpoint would make again."""
    if progress.best_epoch == progress.epochs:
        export(run.final, run.spec, run.folder)
    write_history(run.folder, rows)
    save_checkpoint(run.folder / NAME, run.model, run.optimizer, run.average, run.state, progress)


def conclude(run: Run, epoch: int) -> Validation:
    """Let the policy look at the live weights and rule the average; what comes back is of the final weights."""
    live = run.validated(run.model) if run.policy.looks else None
    run.state = run.policy.after_epoch(run.state, run.given, Epoch(epoch, live))
    if run.average and run.policy.averages:
        run.average.mix(run.model, run.policy.keep(run.state))
    elif run.average and run.config.average == "swa":
        keep = swa_keep(epoch, run.config.epochs)
        run.average.mix(run.model, keep)
        if keep:
            remeasure(run, epoch)
    return live if live and not run.average else run.validated(run.final)


def remeasure(run: Run, epoch: int) -> None:
    """Give SWA's weights batch-norm statistics: the means over this epoch's training images, clean (section 3.2)."""
    assert run.average is not None, "SWA has an average"
    parts = batches(run.kept, run.config.batch, run.config.seed, epoch)
    mine = (augmented(run, run.team.part(rows), run.team.part(rows), epoch) for rows in parts)
    update_bn(mine, run.at_precision(run.average.module))
    run.team.agree(run.average.module.buffers())
    run.average.module.eval()


def row_of(run: Run, epoch: int, loss: float, accuracy: float, found: Validation, seconds: float) -> Row:
    """The epoch's row of the history."""
    return {
        "epoch": epoch + 1,
        "lr": run.optimizer.param_groups[0]["lr"],
        "loss": loss,
        "train_accuracy": accuracy,
        "samples": found.samples,
        "clean": found.clean,
        "robust": found.robust,
        "seconds": round(seconds, 2),
    }


def turned(run: Run, epoch: int) -> dict[str, Any]:
    """The knobs of each class as the policy has turned them for this epoch, for a batch that holds each class once.

    With them the chance of each class to be drawn, where the policy draws.
    """
    if run.policy.name == "none":
        return {}
    every = torch.arange(len(run.classes), device=run.kept.device)
    knobs = run.policy.knobs(run.state, run.given, epoch, every)
    row = {name: getattr(knobs, name).tolist() for name in ("radius", "natural", "robust", "beta")}
    chances = run.policy.draw(run.state, run.given)
    return {"knobs": row if chances is None else {**row, "chance": chances.tolist()}}
