"""The steps of the study of psi: each trains a model and measures it into its folder, file by file."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

import weakspot
from weakspot.addresses import Radius
from weakspot.contracts import Data
from weakspot.data import Subset
from weakspot.explaining.files import Table, read_grids, write_grids
from weakspot.landscape.forms import calibrate
from weakspot.landscape.seen import choose
from weakspot.models import frozen
from weakspot.planning import on_device
from weakspot.recipes.psi_claims import Measured
from weakspot.recipes.psi_measure import grade, measure, parts, right
from weakspot.recipes.psi_runs import DATA, FIRST, GRADED, IMAGES, PART, RADIUS, Model
from weakspot.recipes.psi_surfaces import surface
from weakspot.recipes.study import Scale, Sets, Step, machines, trained_for
from weakspot.threats.apgd import ApgdDlr
from weakspot.training.resolve import device_of

APGD_STEPS = 20


def step(model: Model, scale: Scale, sets: Sets) -> Step:
    """Train where it is not finished, measure what is not measured; each file is whole or absent."""

    def make(out: Path) -> None:
        images = weakspot.load_data(sets.at(DATA[scale]) + PART[scale], split="train")
        folder = weakspot.train(model.method(scale), images, out=out / model.name, **model.options(scale))
        whole, device = weakspot.load_data(sets.at(DATA[scale])), device_of("auto")
        module = on_device(device, weakspot.load_model(str(folder), data=whole).module)
        assert isinstance(module, nn.Module), "a model of the zoo"
        radius = Radius.of(RADIUS[scale])
        with frozen(module):
            stored(folder / "psi.npz", lambda: figures(module, whole, scale, radius, device))
            stored(folder / "grid.npz", lambda: grid(module, whole, scale, radius, device))
            if model.seed == FIRST:
                stored(folder / "surfaces.npz", lambda: shapes(module, whole, radius, device))

    return Step(model.name, make, lambda out: all((out / model.name / file).exists() for file in files(model)))


def files(model: Model) -> tuple[str, ...]:
    """What is measured of a model."""
    return ("psi.npz", "grid.npz", *(("surfaces.npz",) if model.seed == FIRST else ()))


def stored(path: Path, make: Callable[[], Table]) -> None:
    """Make a file where it is absent or damaged, with what making took: "cpu_s" of the processor, "wall_s" passed."""
    if read_grids(path) is None:
        cpu, wall = time.process_time(), time.perf_counter()
        made = make()
        spent = {"cpu_s": np.array(time.process_time() - cpu), "wall_s": np.array(time.perf_counter() - wall)}
        write_grids(path, made | spent)


def figures(model: nn.Module, whole: Data, scale: Scale, radius: Radius, device: torch.device) -> Table:
    """Psi and PGD, and what PGD and APGD-DLR both leave right."""
    part = Subset(whole, tuple(choose(whole.labels, IMAGES[scale], 0).tolist()))
    made, left = measure(model, whole, part, radius, device), []
    attack = ApgdDlr(radius=radius, steps=APGD_STEPS)
    for images, labels, sample in parts(part, device):
        left.append(right(model, attack(model, images, labels, sample, 0), labels))
    return made | {"withstood": made["attacked"] & np.concatenate(left), "classes": np.array(whole.classes)}


def grid(model: nn.Module, whole: Data, scale: Scale, radius: Radius, device: torch.device) -> Table:
    """The grid of settings, image by image."""
    part, form = Subset(whole, tuple(choose(whole.labels, GRADED[scale], 0).tolist())), calibrate(model, whole, device)
    made = [grade(model, form, batch, radius) for batch in parts(part, device)]
    return {key: np.concatenate([each[key] for each in made]) if made[0][key].ndim else made[0][key]
            for key in made[0]}  # fmt: skip


def shapes(model: nn.Module, whole: Data, radius: Radius, device: torch.device) -> Table:
    """Its surfaces in the logits of form B."""
    return surface(model, calibrate(model, whole, device), whole, radius, device)


def measured(folder: Path) -> Measured | None:
    """What is stored of a model; None where it is not finished."""
    psi, graded = read_grids(folder / "psi.npz"), read_grids(folder / "grid.npz")
    return None if psi is None or graded is None else Measured(psi, graded)


def took(out: Path, found: Mapping[Model, Measured], surfaces: Mapping[Model, Table]) -> str:
    """What the models that are there took, and on what, in one sentence."""
    training = sum(trained_for(out / model.name) for model in found) / 3600
    tables = [table for each in found.values() for table in (each.psi, each.grid)] + list(surfaces.values())
    measuring = sum(float(table["wall_s"]) for table in tables) / 3600
    worlds = [json.loads((out / model.name / "environment.json").read_text(encoding="utf-8")) for model in found]
    return (
        f"Time passed: {training:.1f} hours in trainings, {measuring:.1f} in measuring, each in one process "
        f"({machines(worlds)})."
    )


def planes(folder: Path) -> Table | None:
    """What is stored of a model's surfaces; None where it is not measured."""
    return read_grids(folder / "surfaces.npz")
