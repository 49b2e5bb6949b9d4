"""The verbs as typed functions. The command line calls these and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from weakspot import auditing, doubts, latent_space
from weakspot.addresses import Radius
from weakspot.auditing import Progress
from weakspot.comparison import Comparison, compare
from weakspot.config import to_yaml
from weakspot.contracts import Classifier, Threat
from weakspot.data import load as load_data
from weakspot.estimate import Estimate
from weakspot.estimate import estimate as probe
from weakspot.explanation import Explanation, explain
from weakspot.fit import check_fit
from weakspot.importing import import_run
from weakspot.models import frozen
from weakspot.planning import Prepared, as_many_classes, default_data, device_of, load_model, on_device, prepare
from weakspot.rarity import Rarity, rare_or_hard
from weakspot.run import Run, open_run
from weakspot.store import write_json, write_text
from weakspot.threats.precision import with_rough
from weakspot.training import adjust, export, saved_epoch, train

__all__ = [
    "Comparison",
    "Explanation",
    "Rarity",
    "Run",
    "adjust",
    "audit",
    "compare",
    "doctor",
    "estimate",
    "explain",
    "export",
    "import_run",
    "load_data",
    "load_model",
    "open_run",
    "prepare",
    "rare_or_hard",
    "saved_epoch",
    "train",
]

DOUBTS = "doubts.json"

TRIED = 64
"""Clean images on which the bfloat16 twin of a model is tried."""


def audit(
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
        threats: Addresses of threats, or threats made in Python, instead of a preset.
        latent: Also look at feature space before the last layer: "auto" finds it, else the path of a module whose input
            is wanted, such as "fc". It can be asked for later: rows that exist are kept.
        limit: Only the first N samples.
        out: The run folder; by default a name made of the run's digest under `runs/`, so that a repeated call resumes.
        device: "auto", "cpu", "cuda", "cuda:1", ...
        precision: What `standard` searches in, "fp32" or "bf16"; "auto" is bf16 where the device has units for it.
            float32 judges every image.
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
        latent=latent,
        limit=limit,
        out=out,
        device=device,
        precision=precision,
        seed=seed,
        block=block,
        shard=shard,
        offline=offline,
        trust_pickle=trust_pickle,
    )
    return carry_out(prepared, tell=tell, remark=remark, offline=offline)


def carry_out(
    prepared: Prepared,
    *,
    tell: Callable[[Progress], None] | None = None,
    remark: Callable[[str], None] | None = None,
    offline: bool = False,
) -> Run:
    """Do what `prepare` planned; finished units are left as they are."""
    tell, remark = tell or (lambda _: None), remark or (lambda _: None)
    module = on_device(prepared.device, prepared.model.module)
    with frozen(module):
        check_fit(module, prepared.data, prepared.device)
        layer = latent_space.layer_of(prepared, module, remark)
    for line in auditing.open_run(prepared.folder, prepared.manifest):
        remark(line)
    text = to_yaml(prepared.config)
    write_text(prepared.folder / "config.yaml", text)
    todo, lines = auditing.pending(prepared.folder, prepared.units, prepared.part)
    for line in lines:
        remark(line)
    with frozen(module):
        model = searchable(prepared, module, remark)
        auditing.run_units(
            model, prepared.data, prepared.threats, todo, prepared.folder, prepared.config.seed, prepared.device, tell
        )
        run = Run(prepared.folder)
        if not run.missing and (todo or not (prepared.folder / DOUBTS).exists()):
            remark("checking whether the result can be believed")
            doubt(prepared, run)
        if layer is not None and not run.missing:
            latent_space.look_inside(prepared, module, run, layer, remark, offline)
    run.report()
    return run


def searchable(prepared: Prepared, module: Classifier, remark: Callable[[str], None]) -> Classifier:
    """The module, with a bfloat16 twin where the audit searches in that precision and the model allows it."""
    if prepared.config.precision != "bf16":
        return module
    rows = range(min(TRIED, len(prepared.data)))
    model, reason = with_rough(module, prepared.data.batch(rows).to(prepared.device))
    if reason is not None:
        remark(f"searching in float32, since bfloat16 does not fit this model: {reason}")
    return model


def doubt(prepared: Prepared, run: Run) -> None:
    """Let the evaluation doubt itself, on all rows of a finished audit, and store what it finds as doubts.json."""
    radii = [threat["radius"] for threat in run.manifest["threats"] if threat["radius"]]
    context = doubts.gather(
        prepared.model.module,
        prepared.data,
        Radius.of(radii[0]) if radii else None,
        prepared.config.seed,
        device=prepared.device,
        rows=run.rows,
        manifest=run.manifest,
    )
    found = [asdict(finding) for finding in doubts.examine(context, "audit")]
    for finding in found:  # JSON knows no NaN: a figure that could not be measured is none
        finding["figure"] = finding["figure"] if isfinite(finding["figure"] or 0.0) else None
    write_json(prepared.folder / DOUBTS, found)


def estimate(prepared: Prepared) -> Estimate:
    """What `carry_out` would still have to compute, and its cost from a probe; nothing is written."""
    todo, _ = auditing.pending(prepared.folder, prepared.units, prepared.part)
    module = on_device(prepared.device, prepared.model.module)
    with frozen(module):
        check_fit(module, prepared.data, prepared.device)
        model = searchable(prepared, module, lambda _: None)
        return probe(
            model, prepared.data, prepared.threats, len(prepared.units), todo, prepared.config.seed, prepared.device
        )


def doctor(
    model: Any = None,
    data: Any = None,
    *,
    weights: str | Path | None = None,
    radius: str | Radius | None = None,
    full: bool = False,
    device: str = "auto",
    seed: int = 0,
    offline: bool = False,
    trust_pickle: bool = False,
) -> list[doubts.Finding]:
    """What speaks against auditing this model on this data, before it is done; the arguments are those of `audit`.

    With `full` the dear checks run too.

    Raises:
        InputError: a wrong address, data or option.
        SetupError: a device that is not there.

    """
    read = load_data(default_data(model) if data is None else data, split="test", offline=offline)
    module = load_model(model, weights=weights, data=read, trust_pickle=trust_pickle).module
    read = as_many_classes(read, module)
    at = None if radius is None else Radius.of(radius)
    return doubts.doctor(on_device(device_of(device), module), read, at, full, seed)
