"""Checkpoints of a run: one safetensors file, written aside, fsynced and renamed, so that a kill leaves the old one."""

from dataclasses import dataclass
from json import dumps, loads
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from weakspot.errors import InputError
from weakspot.models.checkpoints import write
from weakspot.training.averaging import Average
from weakspot.training.policy import State

NAME = "checkpoint.safetensors"


@dataclass
class Progress:
    """How far a run is: `epochs` are done, and the best validation score so far was reached in epoch `best_epoch`."""

    epochs: int = 0
    best: float = float("-inf")
    best_epoch: int = 0


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average | None,
    state: State,
    progress: Progress,
) -> None:
    """Write all that resuming needs: weights, optimiser, average, the policy's state, progress. Draws need none."""
    tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
    if average:
        tensors |= {f"average/{name}": value for name, value in average.module.state_dict().items()}
    for name, parameter in model.named_parameters():
        kept = optimizer.state.get(parameter, {})
        tensors |= {f"optimizer/{key}/{name}": v for key, v in kept.items() if isinstance(v, Tensor)}
    tensors |= {f"policy/{name}": value for name, value in state.items()}
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    write(path, save(plain, {"progress": dumps(vars(progress))}))


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: Average | None, state: State
) -> tuple[State, Progress]:
    """Read a checkpoint into the objects given, in place; the policy's state comes back, as new tensors like `state`.

    Raises:
        InputError: the file is damaged or of another model.

    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping, has keys()
            progress = Progress(**loads(file.metadata()["progress"]))
        learned = under(tensors, "policy/")
        if {n: (t.shape, t.dtype) for n, t in learned.items()} != {n: (t.shape, t.dtype) for n, t in state.items()}:
            raise ValueError("the policy's state is not in it")
        model.load_state_dict(under(tensors, "model/"))
        if average:
            average.module.load_state_dict(under(tensors, "average/"))
        for name, parameter in model.named_parameters():
            found = {
                key.split("/")[1]: key for key in tensors if key.startswith("optimizer/") and key.endswith(f"/{name}")
            }
            if found:
                optimizer.state[parameter] = {
                    # Empty-like keeps the parameter's memory layout; a step counter has a shape of its own.
                    key: torch.empty_like(parameter).copy_(tensors[at]) if tensors[at].ndim else tensors[at]
                    for key, at in found.items()
                }
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"cannot resume from {path}: {reason}; delete the file to train from the start") from error
    return {name: value.to(state[name].device) for name, value in learned.items()}, progress


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose names start with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
