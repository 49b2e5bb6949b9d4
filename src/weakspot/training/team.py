"""The processes of one run, as `torchrun` starts them: each computes its part of every batch, all end up the same.

Gradients are summed after the backward pass and not by DistributedDataParallel: objectives attack, perturb weights and
take derivatives of their own, and one sum beside eleven passes through the model costs next to nothing.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor

from weakspot.errors import InputError, SetupError


@dataclass(frozen=True)
class Team:
    """One process of `size`; alone, all methods give back what they got. Methods are called by all processes or none.

    A batch, or a list of samples, is cut into `size` consecutive parts whose lengths differ by one at most.
    """

    accelerator: Accelerator | None = None
    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def part(self, whole: Tensor) -> Tensor:
        """The part of this process, of what all processes hold."""
        return whole if self.size == 1 else whole.tensor_split(self.size)[self.rank]

    def gather(self, part: Tensor) -> Tensor:
        """The whole of which every process holds its part."""
        if self.accelerator is None or self.size == 1:
            return part
        lengths = self.accelerator.gather(torch.tensor([len(part)], device=part.device)).tolist()
        padded = part.new_zeros(max(lengths), *part.shape[1:])
        padded[: len(part)] = part
        rows = self.accelerator.gather(padded).split(max(lengths))
        return torch.cat([found[:length] for found, length in zip(rows, lengths, strict=True)])

    def sum(self, value: Tensor) -> Tensor:
        """The sum over the processes."""
        return value if self.accelerator is None or self.size == 1 else self.accelerator.reduce(value, "sum")

    def mean(self, value: Tensor, share: float) -> float:
        """The mean over the whole batch of a mean over this process's part, which is `share` of it."""
        if self.size == 1:
            return value.item()
        return self.sum(value.detach().double() * share).item()

    def combine(self, gradients: Iterable[Tensor], share: float) -> None:
        """Turn the gradients of this part's mean loss into those of the whole batch's, in place."""
        found = list(gradients)
        if self.size > 1 and found:
            self.spread(found, self.sum(torch.cat([g.flatten() for g in found]) * share))

    def agree(self, values: Iterable[Tensor]) -> None:
        """Replace floats that may differ, such as running statistics, by their means, in place."""
        found = [value for value in values if value.is_floating_point()]
        if self.accelerator is None or self.size == 1 or not found:
            return
        rows = self.accelerator.gather(torch.cat([v.flatten() for v in found])).view(self.size, -1)
        # Around the first one's, so that constants, which are equal, stay what they are to the last bit.
        self.spread(found, rows[0] + (rows - rows[0]).mean(0))

    @staticmethod
    @torch.no_grad()
    def spread(targets: list[Tensor], flat: Tensor) -> None:
        """Copy consecutive pieces of `flat` into the targets."""
        for target, piece in zip(targets, torch.split(flat, [t.numel() for t in targets]), strict=True):
            target.copy_(piece.view(target.shape))

    def on_main(self, action: Callable[[], None]) -> None:
        """Let the main process do what only one may; if it fails, it raises its error and the others end with it."""
        failure: InputError | SetupError | None = None
        if self.main:
            try:
                action()
            except (InputError, SetupError) as error:
                failure = error
        told = [failure.exit_code if failure else 0]
        code = told[0] if self.size == 1 else broadcast_object_list(told)[0]
        if failure:
            raise failure
        if code:
            raise SystemExit(code)

    def stop(self, error: InputError) -> NoReturn:
        """End all processes for a reason that all have seen; the main one says it."""
        if self.main:
            raise error
        raise SystemExit(error.exit_code)

    def same(self, value: str) -> bool:
        """Whether all processes give the same here."""
        return self.size == 1 or len(set(gather_object([value]))) == 1


ALONE = Team()


def team_on(device: torch.device) -> tuple[Team, torch.device]:
    """The processes that were started, and the device of this one. Precision is the loop's own affair.

    Raises:
        InputError: one GPU was named for several processes.
        SetupError: there are fewer GPUs than processes here, or this process already runs on another device.

    """
    local, several = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)) > 1
    if several and device.type == "cuda":
        if device.index is not None:
            raise InputError(f"several processes take a GPU each, got device='{device}'; use device='cuda'")
        if local >= torch.cuda.device_count():
            raise SetupError(
                f"process {local} has no GPU: torch sees {torch.cuda.device_count()}; start as many processes as GPUs, "
                "or use device='cpu'"
            )
    try:
        found = Accelerator(cpu=device.type == "cpu")
    except ValueError as error:
        raise SetupError(f"accelerate already runs on another device in this process: {error}; start anew") from error
    if found.num_processes == 1:
        return Team(found), device
    return Team(found, found.process_index, found.num_processes), found.device
