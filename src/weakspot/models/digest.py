"""What a model is, as one SHA-256: the same digest, the same results."""

import inspect
from hashlib import sha256

import torch
from torch import Tensor, fx, nn

from weakspot import rng
from weakspot.contracts import Classifier

OWN = ("torch.", "weakspot.")
"""Packages whose code a run's manifest covers by version."""


def digest(model: nn.Module) -> str:
    """SHA-256 (hex) of the class, its settings, the user's own code, and all parameters and buffers.

    Of a parameter or buffer: name, dtype, shape, bytes. The memory layout, the device, the mode and the order of
    registration change nothing. The code is the source of every class that is neither torch's nor ours, beside each
    module's plain attributes: with an edited `forward`, such as a normalisation put right, it is another model, though
    the weights are the same.
    """
    whole = sha256(_name(type(model)).encode())
    state = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    for name, value in sorted(state, key=lambda item: item[0]):
        whole.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        whole.update(_bytes(value))
    for name, module in sorted(model.named_modules(), key=lambda item: item[0]):
        whole.update(f"\n{name} {_name(type(module))} {_settings(module)}".encode())
    for code in sorted({_code(module) for module in model.modules()}):
        whole.update(code.encode())
    return whole.hexdigest()


def digest_by_behaviour(model: Classifier, shape: tuple[int, int, int]) -> str:
    """SHA-256 (hex) of a callable's name and of its logits for four drawn images of `shape` (channels, height, width).

    A function's state lies out of sight (in closures, globals, another process), so it is known by what it does.
    """
    with torch.no_grad():
        logits = model(rng.uniform(shape, torch.arange(4), 0, "model-digest"))
    name = getattr(model, "__qualname__", _name(type(model)))
    return sha256(name.encode() + _bytes(logits)).hexdigest()


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _bytes(value: Tensor) -> bytes:
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _settings(module: nn.Module) -> list[tuple[str, object]]:
    """The attributes that are plain values, such as a stride or a temperature; `training` is no setting."""
    plain = (bool, int, float, str)
    return sorted(
        (key, value)
        for key, value in vars(module).items()
        if all(isinstance(part, plain) for part in (value if isinstance(value, tuple) else [value]))
        and not key.startswith("_")
        and key != "training"
    )


def _code(module: nn.Module) -> str:
    if isinstance(module, fx.GraphModule):
        return str(module.code)
    kind = type(module)
    if f"{kind.__module__}.".startswith(OWN):
        return ""
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # typed at a prompt, or compiled: there is no source
        return ""
