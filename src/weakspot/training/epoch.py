"""One epoch: batches in their order, augmented, through the objective into the weights, and what the policy sees."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from weakspot.contracts import Images, Labels
from weakspot.training.augment import crop, flip
from weakspot.training.autoaugment import auto_augment
from weakspot.training.blow_up import check
from weakspot.training.history import Live
from weakspot.training.objective import Step
from weakspot.training.policy import Batch
from weakspot.training.pool import batches, cut, drawn
from weakspot.training.randaugment import rand_augment
from weakspot.training.run import Run
from weakspot.training.sampling import class_aware
from weakspot.training.schedules import factor


def train_epoch(run: Run, epoch: int, live: Live) -> tuple[float, float]:
    """One pass over the training samples: the mean loss and the accuracy on the images trained on."""
    parts = drawn_batches(run, epoch)
    loss, right, count = 0.0, torch.zeros((), dtype=torch.int64, device=run.kept.device), 0
    model = run.at_precision(run.model).train()
    memory: dict[str, Tensor] = {}
    for done, (rows, names) in enumerate(parts):
        step = epoch * len(parts) + done
        share = step / (run.config.epochs * len(parts))
        set_rate(run, share)
        chances = run.policy.draw(run.state, run.given)
        if chances is not None:
            rows = drawn(run.kept, run.pool.labels[run.kept], chances, len(rows), run.config.seed, step)
            names = rows
        labels, mine, named = run.pool.labels[rows], run.team.part(rows), run.team.part(names)
        part, images = len(mine) / len(rows), augmented(run, mine, named, epoch)
        knobs = run.policy.knobs(run.state, run.given, epoch, labels)
        losses = run.objective.update(
            Step(
                model=model,
                optimizer=run.optimizer,
                backward=partial(backward, run, part),
                check=partial(check, run, f"epoch {epoch + 1}, step {done + 1}", images, mine, part),
                images=images,
                labels=run.pool.labels[mine],
                sample=named,
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


def drawn_batches(run: Run, epoch: int) -> list[tuple[Labels, Labels]]:
    """The batches of an epoch as positions, and as the names of what is drawn for them.

    An image that a class-aware epoch shows again has another name, so that it is cropped and attacked by other draws.
    """
    if run.config.sampler == "shuffled":
        return [(part, part) for part in batches(run.kept, run.config.batch, run.config.seed, epoch)]
    rows, before = class_aware(run.kept, run.pool.labels[run.kept], run.config.seed, epoch)
    names = rows + len(run.pool.labels) * before
    return list(zip(cut(rows, run.config.batch), cut(names, run.config.batch), strict=True))


def augmented(run: Run, rows: Labels, names: Labels, epoch: int) -> Images:
    """The images of these positions, augmented, cropped and flipped as configured, by the draws of these names."""
    images, seed = run.pool.images(rows), run.config.seed
    if run.config.augment == "randaugment":
        images = rand_augment(images, names, seed, epoch)
    if run.config.augment == "autoaugment":
        images = auto_augment(images, names, seed, epoch)
    if run.config.flip:
        images = flip(images, names, seed, epoch)
    return crop(images, int(run.config.crop * images.shape[2]), names, seed, epoch)
