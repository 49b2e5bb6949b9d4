"""The pilot of psi: its order on trained models, and the source's three claims on models trained here.

    python studies/psi_pilot.py [--out runs/psi-pilot] [--cifar parquet:../shared/data/cifar10] [--only fashion-mnist:0]

Trains 27 models on Fashion-MNIST and 9 on CIFAR-10, measures psi, PGD and a grid of settings of both, and writes
docs/pilots/psi.{md,csv} and its figures once all is there. It resumes: what is trained or measured is kept. `--only`
does the models of one data set and seed, so that several processes can share the work. The rules of
docs/pilots/psi-plan.md were written before the first run. Source: Yu et al., arXiv 1905.04270.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch

import weakspot
from weakspot.addresses import Radius
from weakspot.data import Subset, limit
from weakspot.explaining.files import read_grids, write_grids
from weakspot.explaining.measure import FORMS
from weakspot.landscape.forms import calibrate
from weakspot.landscape.seen import choose
from weakspot.models import frozen
from weakspot.recipes.psi_measure import grade, measure, parts

SEEDS = (0, 1, 2)
COMMON = {
    "precision": "bf16", "batch": 64, "average": 0, "select": "last", "validation": 0.05, "validation_steps": 3,
}  # fmt: skip
NATURAL, FGSM, N_FGSM, PGD_AT = "standard", "fgsm-rs", "n-fgsm", "pgd-at(steps=5)"
GRADED = 100
"""Images of the grid."""


@dataclass(frozen=True)
class Setting:
    """One data set, its models and how many images psi is measured on."""

    name: str
    radius: str
    training: int
    images: int
    options: dict
    models: dict


SETTINGS = {
    "fashion-mnist": Setting(
        "fashion-mnist", "linf:0.1", 10_000, 300, {"epochs": 3, "flip": False},
        {"cnn": (NATURAL, FGSM, N_FGSM, PGD_AT), "small-cnn": (NATURAL, N_FGSM, PGD_AT), "lenet5": (NATURAL, N_FGSM)},
    ),
    "cifar10": Setting(
        "cifar10", "linf:8/255", 4_000, 200, {"epochs": 6}, {"resnet18-w8": (NATURAL, N_FGSM, PGD_AT)}
    ),
}  # fmt: skip
GRIDDED = ("cnn", "small-cnn")
"""The architectures that the grid of settings is run on, on Fashion-MNIST."""


def folder_of(setting, model, method, seed, out):
    """Where a model's run and its measurements are."""
    return out / f"{setting.name}-{model}-{method.partition('(')[0]}-{seed}"


def trained(setting, model, method, seed, address, folder):
    """Train a model where that is not finished yet."""
    history = folder / "history.jsonl"
    if not history.exists() or len(history.read_text().splitlines()) < setting.options["epochs"]:
        data = limit(weakspot.load_data(address, split="train"), setting.training)
        weakspot.train(
            method, data, model=model, radius=setting.radius, seed=seed, out=folder, **setting.options, **COMMON
        )


def stored(path, make):
    """The arrays of a file, made where it is absent or damaged."""
    found = read_grids(path)
    if found is None:
        write_grids(path, make())
        found = read_grids(path)
    return found


def measured(setting, folder, whole, graded):
    """What is measured of one model, psi and where asked the grid."""
    radius = Radius.of(setting.radius)
    module = weakspot.load_model(str(folder), data=whole).module
    part = Subset(whole, tuple(choose(whole.labels, setting.images, 0).tolist()))
    few = Subset(whole, tuple(choose(whole.labels, GRADED, 0).tolist()))
    with frozen(module):
        found = stored(folder / "psi.npz", lambda: measure(module, whole, part, radius))
        grid = (
            stored(folder / "grid.npz", lambda: grade(module, calibrate(module, whole), next(parts(few)), radius))
            if graded
            else None
        )
    return found, grid


def main():
    """Train, measure, describe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/psi-pilot"))
    parser.add_argument("--cifar", default="parquet:../shared/data/cifar10", help="where CIFAR-10 is")
    parser.add_argument("--only", help="DATA:SEED, such as cifar10:1; the pages are written by a later run of all")
    parser.add_argument("--describe", action="store_true", help="train nothing: pages from what is measured")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    psi, grids, classes = {}, {}, {}
    for seed in SEEDS:
        for setting in SETTINGS.values():
            if asked.only not in (None, f"{setting.name}:{seed}"):
                continue
            address = asked.cifar if setting.name == "cifar10" else setting.name
            whole = weakspot.load_data(address)
            classes[setting.name] = whole.classes
            for model, methods in setting.models.items():
                for method in methods:
                    graded = setting.name == "fashion-mnist" and model in GRIDDED
                    folder = folder_of(setting, model, method, seed, asked.out)
                    needed = ("psi.npz", "grid.npz") if graded else ("psi.npz",)
                    if asked.describe and not all((folder / name).exists() for name in needed):
                        continue
                    trained(setting, model, method, seed, address, folder)
                    key = setting.name, model, method.partition("(")[0], seed
                    psi[key], grids[key] = measured(setting, folder, whole, graded)
                    line = ", ".join(f"{form} {1 / psi[key][form].mean():.3g}" for form in FORMS)
                    print(*key, line, f"attacked {psi[key]['attacked'].mean():.2f}", flush=True)
    if asked.only is None:
        from psi_page import write_page

        write_page(psi, {key: grid for key, grid in grids.items() if grid is not None}, classes)


if __name__ == "__main__":
    main()
