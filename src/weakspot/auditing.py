"""The audit's one loop: blocks of samples x threats -> outcomes, one immutable file per unit.

A unit is one threat on one block of consecutive samples. Its file name carries a digest of all that determines it, so
resuming is nothing but leaving out the files that are there and whole.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

import weakspot
from weakspot.addresses import slug
from weakspot.contracts import Classifier, Data, Threat
from weakspot.errors import InputError
from weakspot.machine import device_name
from weakspot.outcomes import SCHEMA, Outcomes
from weakspot.rng import uniform
from weakspot.store import read_json, unit_damage, write_arrays, write_json, write_unit
from weakspot.threats import threat_address
from weakspot.threats.measure import clean_logits, measure

PER_CELL = 4
"""How many images are kept for each threat and cell of the confusion (class, predicted class) in each block."""

IDENTITY = ("schema", "verb", "config", "model", "data", "threats", "seed")
"""The parts of a manifest that make two runs the same run."""


@dataclass(frozen=True)
class Unit:
    """One threat on the samples start, ..., stop - 1; `file` is relative to the run folder."""

    threat: str
    block: int
    start: int
    stop: int
    file: str


@dataclass(frozen=True)
class Progress:
    """Told after each unit: how many are done, of how many, in this call; seconds since its start; the unit."""

    done: int
    planned: int
    seconds: float
    unit: Unit


def plan_units(threats: Sequence[str], samples: int, block: int, identity: Mapping[str, Any]) -> list[Unit]:
    """All units, block by block; a unit's file name holds a digest of threat, block and `identity`."""
    units = []
    for number, start in enumerate(range(0, samples, block)):
        for threat in threats:
            stop = min(start + block, samples)
            text = json.dumps([SCHEMA, threat, start, stop, identity], sort_keys=True)
            digest = sha256(text.encode()).hexdigest()[:12]
            units.append(Unit(threat, number, start, stop, f"outcomes/{slug(threat)}/{number:05d}-{digest}.parquet"))
    return units


def environment(device: torch.device) -> dict[str, Any]:
    """What the last digits of a result may depend on."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": device_name(device),
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
    }


def plan(
    model: Mapping[str, Any],
    data: Data,
    threats: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    seed: int,
    block: int,
    device: torch.device,
) -> dict[str, Any]:
    """The manifest of a run: what it is made of, and all its units. `model` and `threats` describe them."""
    described = {
        "name": data.name,
        "split": data.split,
        "classes": list(data.classes),
        "samples": len(data),
        "shape": list(data.shape),
        "digest": data.digest(),
        "counts": np.bincount(data.labels.numpy(), minlength=len(data.classes)).tolist(),
        "radius": data.radius,
    }
    identity = {"model": model["digest"], "data": described["digest"], "seed": seed, "device": device.type}
    identity["precision"] = config.get("precision")
    units = plan_units([threat["address"] for threat in threats], len(data), block, identity)
    return {
        "schema": SCHEMA,
        "weakspot": weakspot.__version__,
        "verb": "audit",
        "config": dict(config),
        "model": dict(model),
        "data": described,
        "threats": [dict(threat) for threat in threats],
        "seed": seed,
        "environment": environment(device),
        "units": [vars(unit) for unit in units],
    }


def describe(threat: Threat) -> dict[str, Any]:
    """A threat as a manifest holds it."""
    radius = getattr(threat, "radius", None)
    return {
        "address": threat_address(threat),
        "kind": threat.kind,
        "radius": None if radius is None else str(radius),
        "comparable": getattr(threat, "comparable", True),
    }


def open_run(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """Write the manifest, or check that the folder's own one is of the same run; returns remarks for the user.

    Raises:
        InputError: the folder holds another run; the message names the first difference.
        SetupError: the folder cannot be written.

    """
    path = folder / "manifest.json"
    if not path.exists():
        if folder.is_file():
            raise InputError(f"--out must be a folder, {folder} is a file")
        write_json(path, manifest)
        return []
    stored = read_json(path)
    for key in IDENTITY:
        if stored.get(key) != json.loads(json.dumps(manifest[key])):
            raise InputError(
                f"{folder} holds another run: {_difference(key, stored.get(key), manifest[key])}; "
                "give another --out, or delete that folder"
            )
    remarks = []
    for key, now in manifest["environment"].items():
        before = stored["environment"].get(key)
        if before != now:
            remarks.append(f"this run began with {key} {before} and goes on with {now}: last digits may differ")
    return remarks


def _difference(key: str, stored: Any, asked: Any) -> str:
    """The first place in which two manifests differ, in a few words."""
    if isinstance(stored, dict) and isinstance(asked, Mapping):
        for name in sorted(stored.keys() | asked.keys()):
            if stored.get(name) != json.loads(json.dumps(asked.get(name))):
                return _difference(f"{key}.{name}", stored.get(name), asked.get(name))
    short = [text if len(text) < 80 else text[:77] + "..." for text in (str(stored), str(asked))]
    return f"its {key} is {short[0]}, asked for {short[1]}"


def pending(folder: Path, units: Sequence[Unit], shard: tuple[int, int] = (0, 1)) -> tuple[list[Unit], list[str]]:
    """The units of this shard that must still be computed, and remarks on damaged files.

    Shard i of N takes the blocks i, i + N, i + 2N, ...
    """
    mine = [unit for unit in units if unit.block % shard[1] == shard[0]]
    todo, remarks = [], []
    for unit in mine:
        path = folder / unit.file
        if path.exists():
            reason = unit_damage(path, unit.stop - unit.start)
            if reason is None:
                continue
            remarks.append(f"computing {unit.file} again: {reason}")
        todo.append(unit)
    return todo, remarks


def run_units(
    model: Classifier,
    data: Data,
    threats: Sequence[Threat],
    units: Sequence[Unit],
    folder: Path,
    seed: int,
    device: torch.device,
    tell: Callable[[Progress], None],
) -> None:
    """Compute `units` block by block and store each as soon as it is done.

    Raises:
        InputError: the model returns NaN or a wrong shape on clean images.
        SetupError: the disk is full; everything that is stored stays valid.

    """
    by_address = {threat_address(threat): threat for threat in threats}
    began, done = time.monotonic(), 0
    with (folder / "run.log").open("a", buffering=1) as log:
        log.write(json.dumps({"event": "start", "units": len(units), "time": time.time()}) + "\n")
        start = time.monotonic()
        for group in _blocks(units):
            rows = range(group[0].start, group[0].stop)
            images = data.batch(rows).to(device)
            labels = data.labels[list(rows)].to(device)
            sample = torch.arange(group[0].start, group[0].stop, device=device)
            clean = clean_logits(model, images, sample)
            for unit in group:
                threat = by_address[unit.threat]
                outcomes, attacked = measure(model, threat, unit.threat, images, labels, sample, seed, clean)
                _keep_images(folder / unit.file, outcomes, images, attacked)
                write_unit(folder / unit.file, outcomes)
                done += 1
                now = time.monotonic()
                log.write(json.dumps({"event": "unit", "file": unit.file, "seconds": round(now - start, 4)}) + "\n")
                tell(Progress(done, len(units), now - began, unit))
                start = now


def _blocks(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    """Consecutive units of one block."""
    group: list[Unit] = []
    for unit in units:
        if group and unit.block != group[0].block:
            yield group
            group = []
        group.append(unit)
    if group:
        yield group


def _keep_images(unit: Path, rows: Outcomes, images: torch.Tensor, attacked: torch.Tensor) -> None:
    """Store some wrong images of a unit: per cell of the confusion the few with the smallest hash of their number.

    Those that were wrong already when clean are stored once, by the unit of the threat "clean".
    """
    order = uniform((1,), torch.from_numpy(rows.sample), 0, "kept images")[:, 0].numpy().argsort()
    wrong = [i for i in order if not rows.correct[i] and rows.found_by[i] != "clean"]
    cells: dict[tuple[int, int], list[int]] = {}
    for i in wrong:
        cells.setdefault((int(rows.label[i]), int(rows.prediction[i])), []).append(i)
    kept = sorted(i for cell in cells.values() for i in cell[:PER_CELL])
    if not kept:
        return
    write_arrays(
        unit.parents[2] / "adversarial" / unit.parent.name / f"{unit.stem}.npz",
        sample=rows.sample[kept],
        label=rows.label[kept],
        prediction=rows.prediction[kept],
        margin=rows.margin[kept],
        clean=images[rows.sample[kept] - rows.sample[0]].cpu().numpy(),
        attacked=attacked[kept].cpu().numpy(),
    )
