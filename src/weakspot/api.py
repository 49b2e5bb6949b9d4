"""The verbs as typed functions. The command line calls these and nothing else."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from weakspot import auditing
from weakspot.addresses import Radius, slug
from weakspot.auditing import Progress, Unit
from weakspot.config import AuditConfig, plain, to_yaml
from weakspot.contracts import Classifier, Data, Threat
from weakspot.data import limit as first_of
from weakspot.data import load as load_data
from weakspot.errors import InputError, SetupError, unknown
from weakspot.estimate import Estimate
from weakspot.estimate import estimate as probe
from weakspot.models import LoadedModel, frozen
from weakspot.models import load as read_model
from weakspot.run import Run
from weakspot.store import read_json, write_atomically
from weakspot.threats import PRESETS, plan_threats

__all__ = ["Run", "audit", "estimate", "load_data", "load_model", "open_run", "prepare"]

DEFAULT_DATA = "fashion-mnist-mini"
DEFAULT_PRESET = "quick"


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

    @property
    def units(self) -> list[Unit]:
        """All units of the run, of all shards."""
        return [Unit(**unit) for unit in self.manifest["units"]]


def load_model(
    model: Any = None, *, weights: str | Path | None = None, data: Data, trust_pickle: bool = False
) -> LoadedModel:
    """The classifier at an address (or an object) for the images of `data`, in eval mode on the CPU.

    Raises:
        InputError: no such model, or weights that do not fit.

    """
    channels, size, _ = data.shape
    return read_model(
        model, weights=weights, channels=channels, classes=len(data.classes), size=size, trust_pickle=trust_pickle
    )


def prepare(
    model: Any = None,
    data: Any = None,
    *,
    weights: str | Path | None = None,
    radius: str | Radius | Sequence[str | Radius] | None = None,
    preset: str | None = None,
    threats: Sequence[str] = (),
    limit: int | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    block: int = 256,
    offline: bool = False,
    trust_pickle: bool = False,
) -> Prepared:
    """Resolve what an audit is asked to do, and plan its units; nothing is computed or written.

    Raises:
        InputError: a wrong address, data or option.
        SetupError: a device that is not there.

    """
    read = load_data(_default_data(model) if data is None else data, split="test", offline=offline, seed=seed)
    read = read if limit is None else first_of(read, limit)
    loaded = load_model(model, weights=weights, data=read, trust_pickle=trust_pickle)
    radii = _radii(radius, read)
    named = tuple(threats) or _preset(preset or DEFAULT_PRESET)
    planned = plan_threats(named, radii)
    config = AuditConfig(
        model=loaded.address,
        weights=None if weights is None else str(weights),
        data=read.name,
        radius=tuple(str(r) for r in radii),
        preset=None if threats else preset or DEFAULT_PRESET,
        threats=tuple(threats),
        limit=limit,
        seed=seed,
        block=block,
    )
    where = _device(device)
    described = {
        "address": loaded.address,
        "weights": config.weights,
        "class": type(loaded.module).__qualname__,
        "digest": loaded.digest,
        "parameters": _parameters(loaded.module),
    }
    manifest = auditing.plan(described, read, planned, plain(config), seed, block, where)
    folder = Path(out) if out is not None else Path("runs") / _name(manifest)
    return Prepared(loaded, read, tuple(planned), manifest, config, folder, where)


def audit(
    model: Any = None,
    data: Any = None,
    *,
    weights: str | Path | None = None,
    radius: str | Radius | Sequence[str | Radius] | None = None,
    preset: str | None = None,
    threats: Sequence[str] = (),
    limit: int | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    block: int = 256,
    shard: str | None = None,
    offline: bool = False,
    trust_pickle: bool = False,
    tell: Callable[[Progress], None] | None = None,
    remark: Callable[[str], None] | None = None,
) -> Run:
    """Audit a classifier class by class, and write a run folder with its report.

    Args:
        model: An nn.Module (or callable) from images in [0, 1], shape (B, C, H, W), to logits; or an address: a zoo
            name, `package.module:factory`, `file.py:factory`, a run folder, a `.pt2` file. None: the packaged model.
        data: (images, labels), a torch Dataset or DataLoader, or an address such as "cifar10" or "folder:PATH".
            None: the data of the run folder, else the packaged set.
        weights: A file of weights for the model.
        radius: `linf:8/255`, several of them, or None for the data set's customary one.
        preset: A named list of threats; see `weakspot.threats.PRESETS`.
        threats: Addresses of threats instead of a preset.
        limit: Only the first N samples.
        out: The run folder; by default a name made of the run's digest under `runs/`, so that a repeated call resumes.
        device: "auto", "cpu", "cuda", "cuda:1", ...
        seed: Names all random draws.
        block: Samples in a unit of work.
        shard: "i/N" computes the blocks i, i + N, ... only; all shards share one `out`.
        offline: Touch no network.
        trust_pickle: Load weights that would execute code.
        tell: Called after each unit.
        remark: Called with each line worth knowing (resumed, recomputed, ...).

    Raises:
        InputError: wrong input; SetupError: the machine must change. Whatever was computed stays on disk.

    """
    prepared = prepare(
        model,
        data,
        weights=weights,
        radius=radius,
        preset=preset,
        threats=threats,
        limit=limit,
        out=out,
        device=device,
        seed=seed,
        block=block,
        offline=offline,
        trust_pickle=trust_pickle,
    )
    return carry_out(prepared, shard=shard, tell=tell, remark=remark)


def carry_out(
    prepared: Prepared,
    *,
    shard: str | None = None,
    tell: Callable[[Progress], None] | None = None,
    remark: Callable[[str], None] | None = None,
) -> Run:
    """Do what `prepare` planned; finished units are left as they are."""
    tell, remark = tell or (lambda _: None), remark or (lambda _: None)
    part = _shard(shard)
    for line in auditing.open_run(prepared.folder, prepared.manifest):
        remark(line)
    text = to_yaml(prepared.config)
    write_atomically(prepared.folder / "config.yaml", lambda aside: aside.write_text(text))
    todo, lines = auditing.pending(prepared.folder, prepared.units, part)
    for line in lines:
        remark(line)
    module = _on(prepared.device, prepared.model.module)
    with frozen(module):
        auditing.run_units(
            module, prepared.data, prepared.threats, todo, prepared.folder, prepared.config.seed, prepared.device, tell
        )
    run = Run(prepared.folder)
    run.report()
    return run


def estimate(prepared: Prepared, *, shard: str | None = None) -> Estimate:
    """What `carry_out` would still have to compute, and its cost from a probe; nothing is written."""
    todo, _ = auditing.pending(prepared.folder, prepared.units, _shard(shard))
    module = _on(prepared.device, prepared.model.module)
    with frozen(module):
        return probe(
            module, prepared.data, prepared.threats, len(prepared.units), todo, prepared.config.seed, prepared.device
        )


def open_run(folder: str | Path) -> Run:
    """The run in `folder`.

    Raises:
        InputError: there is no manifest.json.

    """
    run = Run(Path(folder))
    if run.manifest.get("verb") != "audit":
        raise InputError(f"{folder} is no audit: its manifest says {run.manifest.get('verb')!r}")
    return run


def _default_data(model: Any) -> str:
    """The data of a run folder, else the packaged set."""
    manifest = Path(model) / "manifest.json" if isinstance(model, (str, Path)) else None
    if manifest is not None and manifest.exists():
        return str(read_json(manifest)["data"]["name"])
    return DEFAULT_DATA


def _parameters(module: Classifier) -> int | None:
    """How many numbers were trained; None for a callable that does not tell."""
    return sum(p.numel() for p in module.parameters()) if isinstance(module, torch.nn.Module) else None


def _on(device: torch.device, module: Classifier) -> Classifier:
    """The module on a device; any other callable takes care of its device itself."""
    return module.to(device) if isinstance(module, torch.nn.Module) else module


def _radii(radius: str | Radius | Sequence[str | Radius] | None, data: Data) -> list[Radius]:
    if radius is None:
        return [] if data.radius is None else [Radius.of(data.radius)]
    return [Radius.of(r) for r in ([radius] if isinstance(radius, (str, Radius)) else radius)]


def _preset(name: str) -> tuple[str, ...]:
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"a device is auto, cpu, cuda or cuda:N, got {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SetupError(f"no CUDA device for --device {name}; this torch sees none: use --device cpu")
    return device


def _shard(shard: str | None) -> tuple[int, int]:
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
