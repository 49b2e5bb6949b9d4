"""The training loop, once for all objectives: data order, updates, averaging, validation, checkpoints, resume."""

import time
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from weakspot.contracts import Images, Labels, Logits
from weakspot.errors import InputError, SetupError
from weakspot.models import ModelSpec
from weakspot.models.checkpoints import write
from weakspot.training.augment import crop, flip
from weakspot.training.averaging import Average, swa_keep
from weakspot.training.checkpoints import NAME, Progress, load_checkpoint, save_checkpoint
from weakspot.training.folder import export
from weakspot.training.history import Live, Row, describe, read_history, write_history
from weakspot.training.objective import Losses, Objective, Step
from weakspot.training.options import TrainConfig
from weakspot.training.policy import Batch, Epoch, Given, Policy, State
from weakspot.training.pool import Pool, batches, drawn
from weakspot.training.schedules import factor
from weakspot.training.team import Team
from weakspot.training.validation import Validation, validate

BAD_BATCH = "bad_batch.safetensors"


class Mixed(nn.Module):
    """A model that computes in bfloat16 and answers in float32; its weights stay float32."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.inner = module

    def forward(self, images: Images) -> Logits:
        """The inner module's logits."""
        with torch.autocast(images.device.type, torch.bfloat16):
            return self.inner(images).float()


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
        return Mixed(module) if self.config.precision == "bf16" else module

    @property
    def final(self) -> nn.Module:
        """What is validated and saved: the average where there is one."""
        return self.average.module if self.average else self.model

    def validated(self, module: nn.Module) -> Validation:
        """What the held-out images show of a module."""
        return validate(
            self.at_precision(module),
            self.pool,
            self.held,
            len(self.classes),
            self.config.radius,
            self.config.validation_steps,
            self.config.seed,
            self.team,
        )


def fit(run: Run) -> None:
    """Train from the last checkpoint of the folder (or from the start) to the last epoch.

    Raises:
        InputError: a loss was not finite (the batch is saved), or the checkpoint is damaged.
        SetupError: the folder cannot be written to.

    """
    path, live, total = run.folder / NAME, Live(speaks=run.team.main), run.config.epochs
    progress = Progress()
    if path.exists():
        run.state, progress = load_checkpoint(path, run.model, run.optimizer, run.average, run.state)
    if not run.team.same(f"{progress.epochs} {progress.best_epoch}"):
        raise SetupError(f"the processes found different {path}; use a folder that all of them see")
    rows = read_history(run.folder, progress.epochs)
    if progress.epochs:
        live.line(f"resuming {run.folder} after epoch {progress.epochs}/{total}")
    while progress.epochs < total:
        epoch, start = progress.epochs, time.monotonic()
        knobs = turned(run, epoch)
        loss, accuracy = train_epoch(run, epoch, live)
        found = conclude(run, epoch)
        row = row_of(run, epoch, loss, accuracy, found, time.monotonic() - start) | knobs
        rows.append(row)
        progress.epochs, score = epoch + 1, found.score(run.config.select)
        if score > progress.best or score == float("-inf"):
            progress.best, progress.best_epoch = score, epoch + 1
        run.team.on_main(partial(keep, run, rows, progress))
        live.line(describe(row, total, run.classes))


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
    mine = (augmented(run, run.team.part(rows), epoch) for rows in parts)
    update_bn(mine, run.at_precision(run.average.module))
    run.team.agree(run.average.module.buffers())
    run.average.module.eval()


def train_epoch(run: Run, epoch: int, live: Live) -> tuple[float, float]:
    """One pass over the training samples: the mean loss and the accuracy on the images trained on."""
    parts = batches(run.kept, run.config.batch, run.config.seed, epoch)
    loss, right, count = 0.0, torch.zeros((), dtype=torch.int64, device=run.kept.device), 0
    model = run.at_precision(run.model).train()
    memory: dict[str, Tensor] = {}
    for done, rows in enumerate(parts):
        step = epoch * len(parts) + done
        share = step / (run.config.epochs * len(parts))
        set_rate(run, share)
        chances = run.policy.draw(run.state, run.given)
        if chances is not None:
            rows = drawn(run.kept, run.pool.labels[run.kept], chances, len(rows), run.config.seed, step)
        labels, mine = run.pool.labels[rows], run.team.part(rows)
        part, images = len(mine) / len(rows), augmented(run, mine, epoch)
        knobs = run.policy.knobs(run.state, run.given, epoch, labels)
        losses = run.objective.update(
            Step(
                model=model,
                optimizer=run.optimizer,
                backward=partial(backward, run, part),
                check=partial(check, run, f"epoch {epoch + 1}, step {done + 1}", images, mine, part),
                images=images,
                labels=run.pool.labels[mine],
                sample=mine,
                seed=run.config.seed,
                step=step,
                knobs=replace(knobs, progress=share, team=run.team),
                memory=memory,
                combine=partial(run.team.combine, share=part),
            )
        )
        run.team.agree(run.model.buffers())
        logits = run.team.gather(losses.logits)
        if run.average and run.config.average != "swa" and not run.policy.averages:
            run.average.update(run.model, step)
        seen = Batch(epoch, labels, logits, run.team.gather(losses.per_sample))
        run.state = run.policy.after_batch(run.state, run.given, seen)
        loss, count = loss + run.team.mean(losses.total, part) * len(rows), count + len(rows)
        right += (logits.argmax(1) == labels).sum()
        live.step(epoch + 1, run.config.epochs, done + 1, len(parts), loss / count)
    return loss / count, right.item() / count


def backward(run: Run, share: float, loss: Tensor) -> None:
    """Give the parameters the gradients of the whole batch's loss, of which this is that of a part."""
    loss.backward()  # type: ignore[no-untyped-call]
    run.team.combine((p.grad for p in run.model.parameters() if p.grad is not None), share)


def set_rate(run: Run, progress: float) -> None:
    """Set the learning rate for this share of the run."""
    for group in run.optimizer.param_groups:
        group["lr"] = run.config.lr * factor(run.config.schedule, progress)


def augmented(run: Run, rows: Labels, epoch: int) -> Images:
    """The images of these positions, cropped and flipped as the configuration says."""
    images, seed = run.pool.images(rows), run.config.seed
    if run.config.flip:
        images = flip(images, rows, seed, epoch)
    return crop(images, int(run.config.crop * images.shape[2]), rows, seed, epoch)


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
    """The knobs of each class as the policy has turned them, for a batch that holds each class once."""
    if run.policy.name == "none":
        return {}
    every = torch.arange(len(run.classes), device=run.kept.device)
    knobs = run.policy.knobs(run.state, run.given, epoch, every)
    return {"knobs": {name: getattr(knobs, name).tolist() for name in ("radius", "natural", "robust", "beta")}}


def check(run: Run, where: str, images: Images, rows: Labels, share: float, losses: Losses) -> None:
    """Save the batch and stop if its loss is not finite; `images` and `rows` are this process's part, `share` of it.

    Raises:
        InputError: it is not.

    """
    total = run.team.mean(losses.total, share)
    if isfinite(total):
        return
    bad = {"images": images, "labels": run.pool.labels[rows], "sample": rows}
    bad |= {"per_sample": losses.per_sample, "logits": losses.logits}
    plain = {name: run.team.gather(value.detach()).cpu().contiguous().clone() for name, value in bad.items()}
    run.team.on_main(lambda: write(run.folder / BAD_BATCH, save(plain)))
    run.team.stop(
        InputError(
            f"the loss of {run.config.method} became {total} in {where}; lower lr={run.config.lr:g} or check "
            f"the data; the batch is saved in {run.folder / BAD_BATCH}"
        )
    )
