"""What an audit is asked to do, resolved once and planned: nothing is computed or written here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
import yaml

from weakspot import auditing
from weakspot.addresses import Radius, slug
from weakspot.auditing import Unit
from weakspot.config import AuditConfig, plain
from weakspot.contracts import Classifier, Data, Threat
from weakspot.data import limit as first_of
from weakspot.data import load as load_data
from weakspot.data import with_classes
from weakspot.errors import InputError, SetupError, unknown
from weakspot.models import LoadedModel, frozen
from weakspot.models import load as read_model
from weakspot.surrogate import surrogates
from weakspot.threats import PRESETS, plan_threats, threat_address
from weakspot.threats.precision import search_precision
from weakspot.training.folder import read_counts

DEFAULT_DATA = "fashion-mnist-mini"
DEFAULT_PRESET = "standard"


@dataclass(frozen=True)
class Prepared:
    """An audit that is planned and not begun."""

    model: LoadedModel
    data: Data
    threats: tuple[Threat, ...]
    manifest: dict[str, Any]
    config: AuditConfig
    folder: Path
    device: torch.device
    part: tuple[int, int]
    """(i, N): this process computes the blocks i, i + N, ...; (0, 1) is all of them."""

    @property
    def units(self) -> list[Unit]:
        """All units of the run, of all shards."""
        return [Unit(**unit) for unit in self.manifest["units"]]


def load_model(
    model: Any = None, *, weights: str | Path | None = None, data: Any = None, trust_pickle: bool = False
) -> LoadedModel:
    """The classifier at an address (or an object) for the images of `data`, in eval mode on the CPU.

    `data` is what `audit` takes; None is what `audit` would take for this model.

    Raises:
        InputError: no such model or data, or weights that do not fit.

    """
    read = load_data(default_data(model) if data is None else data)
    channels, size, _ = read.shape
    return read_model(
        model, weights=weights, channels=channels, classes=len(read.classes), size=size, trust_pickle=trust_pickle
    )


def prepare(
    model: Any = None,
    data: Any = None,
    *,
    weights: str | Path | None = None,
    radius: str | Radius | Sequence[str | Radius] | None = None,
    preset: str | None = None,
    threats: Sequence[str | Threat] = (),
    latent: str | None = None,
    limit: int | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    seed: int = 0,
    block: int = 256,
    shard: str | None = None,
    offline: bool = False,
    trust_pickle: bool = False,
) -> Prepared:
    """Resolve what an audit is asked to do, and plan its units; nothing is computed or written.

    Raises:
        InputError: a wrong address, data or option.
        SetupError: a device that is not there.

    """
    # What costs nothing to check comes before data and model are read.
    where, part, given = device_of(device), shard_of(shard), _radii(radius)
    if threats and preset is not None:
        raise InputError(f"--threats stand in the place of a preset, got --preset {preset} as well; give one of them")
    named = tuple(threats) or _preset(preset or DEFAULT_PRESET)
    searched = search_precision(precision, where)
    if block < 1:
        raise InputError(f"a block has at least 1 sample, got --block {block}")
    read = load_data(default_data(model) if data is None else data, split="test", offline=offline, seed=seed)
    if len(read.classes) < 2:
        raise InputError(f"{read.name} has one class only ({read.classes[0]}); an audit compares at least two classes")
    radii = given if given or read.radius is None else [Radius.of(read.radius)]
    planned = plan_threats(named, radii, surrogates(read, where, trust_pickle))
    loaded = load_model(model, weights=weights, data=read, trust_pickle=trust_pickle)
    read = as_many_classes(read, loaded.module)
    for threat in planned:
        if (check := getattr(threat, "check", None)) is not None:
            check(len(read.classes))
    read = read if limit is None else first_of(read, limit)
    config = AuditConfig(
        model=loaded.address,
        weights=None if weights is None else str(weights),
        data=read.name,
        radius=tuple(str(r) for r in radii),
        preset=None if threats else preset or DEFAULT_PRESET,
        threats=tuple(one if isinstance(one, str) else threat_address(one) for one in threats),
        limit=limit,
        precision=searched if any(getattr(one, "rough", False) for one in planned) else None,
        latent=latent,
        seed=seed,
        block=block,
    )
    described = {
        "address": loaded.address,
        "weights": config.weights,
        "class": type(loaded.module).__qualname__,
        "digest": loaded.digest,
        "parameters": _parameters(loaded.module),
    }
    told = [auditing.describe(threat) for threat in planned]
    manifest = auditing.plan(described, read, told, plain(replace(config, latent=None)), seed, block, where)
    # It says nothing about what was computed, so it is no part of what a run is.
    if (training := trained_on(loaded.address, weights, len(read.classes))) is not None:
        manifest["training"] = training
    folder = Path(out) if out is not None else Path("runs") / _name(manifest)
    return Prepared(loaded, read, tuple(planned), manifest, config, folder, where, part)


def as_many_classes(data: Data, module: Classifier) -> Data:
    """`data` with a class for each logit of the model, where its classes are no more than its labels' numbers."""
    try:
        with frozen(module), torch.no_grad():
            logits = module(data.batch([0])).shape[1]
    except Exception:  # the user's code may raise anything; `check_fit` will explain it
        return data
    return with_classes(data, logits)


def default_data(model: Any) -> str:
    """The data that a run folder was trained on, else the packaged set."""
    folder = Path(model) if isinstance(model, str | Path) else None
    if folder is None or not (folder / "model.json").is_file() or not (folder / "config.yaml").is_file():
        return DEFAULT_DATA
    return str(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")).get("data", DEFAULT_DATA))


def trained_on(model: str, weights: str | Path | None, classes: int) -> dict[str, Any] | None:
    """The name and class counts of what the model in a run folder was trained on; None where no one noted them.

    Weights from elsewhere were trained on something else.

    Raises:
        InputError: the counts are of another number of classes.

    """
    folder = Path(model)
    if not (folder / "model.json").is_file() or (weights is not None and Path(weights).parent != folder):
        return None
    return read_counts(folder, classes)


def _parameters(module: Classifier) -> int | None:
    """How many numbers were trained; None for a callable that does not tell."""
    return sum(p.numel() for p in module.parameters()) if isinstance(module, torch.nn.Module) else None


def on_device(device: torch.device, module: Classifier) -> Classifier:
    """The module on a device; any other callable takes care of its device itself."""
    return module.to(device) if isinstance(module, torch.nn.Module) else module


def _radii(radius: str | Radius | Sequence[str | Radius] | None) -> list[Radius]:
    """What was given, as a list; empty where the data's customary one is wanted."""
    if radius is None:
        return []
    return [Radius.of(one) for one in ([radius] if isinstance(radius, str | Radius) else radius)]


def _preset(name: str) -> tuple[str, ...]:
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def device_of(name: str) -> torch.device:
    """The device of that name; `auto` is the GPU where there is one.

    Raises:
        InputError: it is no device's name; SetupError: the device is not there.

    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"a device is auto, cpu, cuda or cuda:N, got {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SetupError(f"no CUDA device for --device {name}; this torch sees none: use --device cpu")
    return device


def shard_of(shard: str | None) -> tuple[int, int]:
    """Read "i/N"; None is all of it, (0, 1).

    Raises:
        InputError: it is no part.

    """
    if shard is None:
        return (0, 1)
    part, slash, parts = shard.partition("/")
    if not (slash and part.isdigit() and parts.isdigit() and int(part) < int(parts)):
        raise InputError(f"a shard is written i/N with 0 <= i < N, such as 0/2, got {shard!r}")
    return int(part), int(parts)


def _name(manifest: dict[str, Any]) -> str:
    """A folder name that is the same whenever the same audit is asked for."""
    identity = json.dumps([manifest[key] for key in auditing.IDENTITY], sort_keys=True)
    words = [manifest["model"]["class"], manifest["data"]["name"], sha256(identity.encode()).hexdigest()[:8]]
    return slug("-".join(words)).lower()
