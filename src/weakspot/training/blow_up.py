"""A loss that is no number any more stops the run, and its batch is kept; so do weights that compute none."""

from math import isfinite

import torch
from safetensors.torch import save

from weakspot.contracts import Images, Labels
from weakspot.errors import InputError
from weakspot.models.checkpoints import write
from weakspot.training.objective import Losses
from weakspot.training.run import Run
from weakspot.training.validation import Validation

BAD_BATCH = "bad_batch.safetensors"


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


def check_weights(run: Run, epoch: int, found: Validation) -> None:
    """Stop before an epoch is kept whose weights, or their answers to held-out images, are not finite.

    The batch losses cannot show it where the last step of an epoch did it.

    Raises:
        InputError: they are not.

    """
    values = [found.entropy, *(value for value in run.final.state_dict().values() if value.is_floating_point())]
    if not all(torch.isfinite(value).all() for value in values):
        run.team.stop(
            InputError(
                f"the weights of {run.config.method} blew up in epoch {epoch + 1} and were not saved; "
                f"lower lr={run.config.lr:g} or check the data"
            )
        )
