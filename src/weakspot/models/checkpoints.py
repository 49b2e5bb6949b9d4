"""Weights from and to files: safetensors, or pickles that hold tensors only. The one file that calls torch.load."""

import os
import re
from collections.abc import Iterable, Mapping
from hashlib import file_digest
from io import BytesIO
from logging import getLogger
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from warnings import catch_warnings, simplefilter

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from weakspot.errors import InputError, SetupError
from weakspot.models.zoo.model import Normalize

log = getLogger(__name__)

NESTS = ("state_dict", "model_state_dict", "model", "net")
"""Where training scripts put the weights inside a checkpoint."""
PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def read(path: Path, *, trust_pickle: bool = False) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, on the CPU.

    Args:
        path: a `.safetensors` file, or one that torch.save wrote: a state dict, also nested under one of `NESTS`.
        trust_pickle: execute a pickle that holds more than tensors; the log names the file and its SHA-256.

    Raises:
        InputError: there is no such file, it is damaged, holds no weights, or would execute code.

    """
    if not path.is_file():
        raise InputError(f"no checkpoint at {path}; give a .safetensors, .pt or .pth file")
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path} cannot be read as safetensors: {_first_line(error)}; fetch it again") from error
    state = _tensors(_unpickle(path, trust_pickle))
    if state is None:
        raise InputError(f"{path} holds no state dict, neither directly nor under {', '.join(NESTS)}; save one into it")
    return state


def tensors_only(content: bytes) -> Any:
    """What a pickle of torch.save holds, if that can be read without executing anything.

    Raises:
        InputError: it cannot.

    """
    try:
        return torch.load(BytesIO(content), map_location="cpu", weights_only=True)  # noqa: TID251  # the one place for it
    except Exception as error:  # the unpickler raises nearly any type on damaged input
        raise InputError(f"a part holds more than tensors or is damaged: {_first_line(error)}") from error


def _unpickle(path: Path, trust_pickle: bool) -> Any:
    try:
        with catch_warnings():
            simplefilter("ignore")  # torch warns of a pickle's protocol; what is wrong is said by the error below
            return torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251  # the one place for it
    except Exception as error:  # the unpickler raises nearly any type on damaged input
        if not trust_pickle:
            raise _refusal(path, error) from error
    log.warning("executing the pickle %s (SHA-256 %s), as trust_pickle says", path, sha256(path))
    try:
        return torch.load(path, map_location="cpu", weights_only=False)  # noqa: TID251  # the user vouched for the file
    except Exception as error:  # a pickle may raise anything
        raise InputError(f"{path} cannot be read as a checkpoint: {_first_line(error)}; fetch it again") from error


def _refusal(path: Path, error: Exception) -> InputError:
    """A pickle that wants code and a file that is damaged need different deeds."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    newer = "Unsupported operand" in str(error)  # an archive of torch.save with a protocol above 2
    if isinstance(error, UnpicklingError) and (found or newer or _is_pickle(path)):
        what = f" ({found[1]})" if found else " that are written plainly (pickle protocol 2)"
        return InputError(
            f"{path} (SHA-256 {sha256(path)}) holds more than tensors{what}, and reading that executes code; "
            "save a plain state dict, or vouch for the file with --trust-pickle (trust_pickle=True)"
        )
    return InputError(
        f"{path} cannot be read as a checkpoint, it may be cut short: {type(error).__name__}; fetch it again"
    )


def _is_pickle(path: Path) -> bool:
    """Whether the file is a whole pickle of a protocol that torch.save does not write; nothing in it is executed."""
    content = path.read_bytes()
    return content[:1] == b"\x80" and content[-1:] == b"."


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _tensors(content: Any, depth: int = 3) -> dict[str, Tensor] | None:
    """The state dict in `content`; at most `depth` levels down, since a pickle may contain itself."""
    if isinstance(content, nn.Module):  # only a trusted pickle can hold one
        content = content.state_dict()
    if not isinstance(content, Mapping) or not content or not depth:
        return None
    if all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        return dict(content)
    found = (_tensors(content[nest], depth - 1) for nest in NESTS if nest in content)
    return next((state for state in found if state is not None), None)


def load_into(model: nn.Module, path: Path, *, trust_pickle: bool = False) -> None:
    """Load the weights at `path` into `model`, in place; every name and shape must fit.

    Two things may be missing: a zoo model's `Normalize`, which weights made elsewhere do not have (the model's own
    stays), and the batch counters that batch norms of before 2018 did not keep.

    Raises:
        InputError: as `read`, or the names or shapes do not fit.

    """
    state, own = read(path, trust_pickle=trust_pickle), model.state_dict()
    if state.keys() != own.keys():
        state = {_bare(name): value for name, value in state.items()}
    norms = [name for name, module in model.named_modules() if isinstance(module, Normalize)]
    spare = {f"{name}.{part}" for name in norms for part in ("mean", "std")}
    spare |= {name for name in own if name.endswith(".num_batches_tracked")}
    state = {name: own[name] for name in spare - state.keys()} | state
    shapes = [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    differences = [
        _some("missing", own.keys() - state.keys()),
        _some("unexpected", state.keys() - own.keys()),
        _some("of another shape", (f"{n} {_size(state[n])} for {_size(own[n])}" for n in shapes)),
    ]
    if any(differences):
        what = "; ".join(difference for difference in differences if difference)
        raise InputError(f"{path} does not fit this {type(model).__name__}: {what}; choose the model it was made for")
    model.load_state_dict(state)


def _bare(name: str) -> str:
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return name


def _size(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "scalar"


def _some(what: str, names: Iterable[str]) -> str:
    """At most three of `names`, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return f"{what} {', '.join(ordered[:3])}{more}" if ordered else ""


def save(model: nn.Module, path: Path) -> None:
    """Write the model's parameters and buffers to `path` as safetensors: whole or not at all.

    Raises:
        SetupError: the file cannot be written.

    """
    # Copies: safetensors refuses tensors that share memory, which tied weights do, and wants them contiguous.
    state = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }
    write(path, safetensors.torch.save(state))


def write(path: Path, content: bytes) -> None:
    """Write `content` aside, flush it to the disk, then rename: `path` never holds a part.

    Raises:
        SetupError: the file cannot be written.

    """
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror}; free space or choose another folder") from error
