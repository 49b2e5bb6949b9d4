"""The folder of a training run: claimed by its configuration, resumed when that is the same, a model when finished.

`config.yaml`, `environment.json`, `data.json`, `policy.json` where classes are treated unlike; `history.jsonl`,
`checkpoint.safetensors`, `model.safetensors` with `model.json`.
"""

import platform
from importlib.metadata import version
from json import dumps, loads
from pathlib import Path
from typing import Any

import torch
import yaml
from filelock import BaseFileLock, FileLock, Timeout
from jaxtyping import Int
from torch import Tensor, nn

from weakspot.contracts import Data
from weakspot.data import Subset
from weakspot.errors import InputError, SetupError, reason
from weakspot.machine import device_name
from weakspot.models import ModelSpec, save_model
from weakspot.models.checkpoints import save, write
from weakspot.models.zoo.model import ZooModel
from weakspot.training.history import Live
from weakspot.training.objective import Objective
from weakspot.training.objectives import method_of
from weakspot.training.options import TrainConfig, differences
from weakspot.training.policies import address_of, origin
from weakspot.training.policy import Policy

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
DATA = "data.json"
SHOWN = 5
"""How many classes without training images are named."""
POLICY = "policy.json"
LOCK = ".lock"


def claim(folder: Path, config: TrainConfig, device: torch.device, processes: int, lock: BaseFileLock) -> None:
    """Make the run folder, or accept it as the same run's, and keep other processes out of it by `lock`.

    Raises:
        InputError: it holds a run of another configuration (the differences are named), or something else, or another
            process trains in it.
        SetupError: it cannot be made.

    """
    path = folder / CONFIG
    if path.exists():
        if changed := differences(read_config(path), config.plain()):
            raise InputError(f"{folder} holds another run ({'; '.join(changed)}); choose another out or delete it")
    elif folder.exists() and (not folder.is_dir() or any(not f.name.endswith(".tmp") for f in folder.iterdir())):
        raise InputError(f"{folder} exists and is no training run; choose another out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"cannot make the run folder {folder}: {error.strerror}; choose another out") from error
    take(lock, folder)
    for stale in folder.glob("*.tmp"):  # a write that a kill cut short
        stale.unlink()
    write(path, config.to_yaml().encode())
    write(folder / ENVIRONMENT, (dumps(environment(device, processes), indent=2) + "\n").encode())


def lock_of(folder: Path) -> BaseFileLock:
    """The lock of a run folder; the system opens it again when its process ends, however it ends."""
    return FileLock(folder / LOCK)


def take(lock: BaseFileLock, folder: Path) -> None:
    """Keep other processes out of a claimed folder: two that write into it would mix their epochs.

    Raises:
        InputError: another process trains in it.
        SetupError: the folder cannot be written to.

    """
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"another process trains in {folder}; wait until it has ended, or choose another out"
        ) from error
    except OSError as error:
        raise SetupError(f"cannot lock the run folder {folder}: {error.strerror}; choose another out") from error


def mark_origin(folder: Path, policy: Policy, objective: Objective) -> None:
    """Note and say whether the policy's paper defines it over this objective ("paper") or we do ("ours")."""
    if policy.name == "none":
        return
    note = {"policy": address_of(policy), "method": method_of(objective), "combination": origin(policy, objective)}
    write(folder / POLICY, (dumps(note, indent=2) + "\n").encode())
    if note["combination"] == "ours":
        Live().line(f"{note['policy']} over {note['method']} is a combination of ours, which no paper defines")


def mark_data(folder: Path, data: Data, kept: Int[Tensor, " kept"], held: Int[Tensor, " held"]) -> None:
    """Note how many samples of each class are trained on and held out, and of a part of a set (a long tail) which ones.

    `kept` and `held` are positions in `data`; the noted ones are positions in the whole set's split.
    """
    parts = {"trained": kept.cpu(), "held_out": held.cpu()}
    counts = {
        name: torch.bincount(data.labels[rows], minlength=len(data.classes)).tolist() for name, rows in parts.items()
    }
    positions = None
    if isinstance(data, Subset):
        positions = {name: [data.indices[row] for row in rows.tolist()] for name, rows in parts.items()}
    note = {
        "name": data.name,
        "split": data.split,
        "classes": list(data.classes),
        "counts": counts["trained"],
        "held_out": counts["held_out"],
        "positions": positions,
    }
    write(folder / DATA, (dumps(note) + "\n").encode())
    if absent := [name for name, count in zip(data.classes, counts["trained"], strict=True) if not count]:
        more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
        Live().line(f"{data.name} has no training image of {', '.join(absent[:SHOWN])}{more}: not learned")


def read_counts(folder: Path, classes: int) -> dict[str, Any] | None:
    """What the model in `folder` was trained on: the set and the samples of each class; None where it is not noted.

    Raises:
        InputError: the note is damaged, or of another number of classes.

    """
    path = folder / DATA
    if not path.is_file():
        return None
    try:
        note = loads(path.read_text(encoding="utf-8"))
        name, counts = str(note["name"]), [int(count) for count in note["counts"]]
        trained = sum(counts) if note.get("positions") is None else len(note["positions"]["trained"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no counts of training samples ({reason(error)}); delete it") from error
    if len(counts) != classes or min(counts) < 0:
        raise InputError(
            f"{path} holds counts of {len(counts)} classes, of which none may be below 0, and the audited data has "
            f"{classes}; choose the data that the model was trained for, or delete that file"
        )
    if sum(counts) != trained:
        raise InputError(
            f"{path} holds counts of {sum(counts)} samples and the positions of {trained}, so one of them was changed; "
            "put the file back, or delete it to do without counts"
        )
    return {"name": name, "counts": counts}


def read_config(path: Path) -> dict[str, Any]:
    """The stored configuration, unchecked.

    Raises:
        InputError: it is no YAML mapping.

    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {str(error).splitlines()[0]}; choose another out") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no configuration; choose another out")
    return found


def environment(device: torch.device, processes: int) -> dict[str, Any]:
    """What may change the weights' last bits without being part of the configuration."""
    return {
        **{name: version(name) for name in ("weakspot", "torch", "accelerate")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "processes": processes,
    }


def export(model: nn.Module, spec: ModelSpec | None, folder: Path) -> None:
    """Write the model's files; a module that is not of the zoo has no description, only weights for its own factory."""
    if spec is None:
        save(model, folder / "model.safetensors")
        return
    assert isinstance(model, ZooModel), "a spec describes a zoo model"
    save_model(spec, model, folder)
