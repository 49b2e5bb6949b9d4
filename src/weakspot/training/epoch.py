"""One epoch: batches in their order, augmented, through the objective into the weights, and what the policy sees."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from weakspot.contracts import Images, Labels
from weakspot.training.augment import crop, flip
from weakspot.training.blow_up import check
from weakspot.training.history import Live
from weakspot.training.objective import Step
from weakspot.training.policy import Batch
from weakspot.training.pool import batches, drawn
from weakspot.training.run import Run
from weakspot.training.schedules import factor


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
