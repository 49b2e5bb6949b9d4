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

import numpy as np
import torch

import weakspot
from weakspot.addresses import Radius
from weakspot.data import Subset, limit
from weakspot.explaining.files import read_grids, write_grids
from weakspot.explaining.measure import FORMS, Scaled, forms_of
from weakspot.landscape.divergence import Divergence
from weakspot.landscape.forms import calibrate
from weakspot.landscape.seen import choose
from weakspot.maths.losses import cross_entropy, kl, margin
from weakspot.models import frozen
from weakspot.threats.pgd import Pgd, pgd
from weakspot.threats.search import Oracle, Search

SEEDS = (0, 1, 2)
COMMON = {
    "precision": "bf16", "batch": 64, "average": 0, "select": "last", "validation": 0.05, "validation_steps": 3,
}  # fmt: skip
NATURAL, FGSM, N_FGSM, PGD_AT = "standard", "fgsm-rs", "n-fgsm", "pgd-at(steps=5)"
GRADIENTS, STEPS, RESTARTS, LADDER = (2, 4, 8, 16), (0.1, 0.25, 1.0), (1, 2), (2, 4, 8, 16, 32)
OTHER_STEP = 0.25
"""At which the second loss is climbed."""
GRADED = 100
"""Images of the grid."""
PART = 100


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


class Recording(Search):
    """A search that remembers the margins of every point it judges."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.margins = []

    def judge(self, x, logits, rows):
        """Keep and remember."""
        found = super().judge(x, logits, rows)
        self.margins.append(found.detach().clone())
        return found


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


def parts(data):
    """Images, labels and numbers of the samples, batch by batch."""
    for start in range(0, len(data), PART):
        rows = list(range(start, min(start + PART, len(data))))
        yield data.batch(rows), data.labels[rows], torch.tensor(rows)


def measure(model, whole, data, radius):
    """Psi of each image in each form, its cost, and what the model gets right, clean and under PGD."""
    fitted, search = calibrate(model, whole), Divergence(radius=radius)
    larger = Scaled(model, 10.0)
    other = forms_of(calibrate(larger, whole), len(whole.classes))
    made = {"label": data.labels.numpy(), "gap": np.array(fitted.gap)}
    found = {key: [] for key in ("clean", "attacked", *FORMS)}
    for at, (images, labels, sample) in enumerate(parts(data)):
        with torch.no_grad():
            found["clean"].append((margin(model(images), labels) > 0).numpy())
        attacked = Pgd(radius=radius)(model, images, labels, sample, 0)
        with torch.no_grad():
            found["attacked"].append((margin(model(attacked), labels) > 0).numpy())
        for name, form in forms_of(fitted, len(whole.classes)).items():
            oracle = Oracle(model, len(images))
            divergence = search(oracle, images, sample, 0, form).divergence
            found[name].append(divergence.numpy())
            made["forwards"], made["backwards"] = oracle.forwards[0].numpy(), oracle.backwards[0].numpy()
            if at == 0:
                few = slice(0, 20)
                ten = search(larger, images[few], sample[few], 0, other[name]).divergence
                made[f"tenfold_{name}"] = np.array(float(ten.mean() / divergence[few].mean()))
    return made | {name: np.concatenate(each) for name, each in found.items()}


def grade(model, whole, data, radius):
    """Divergence in form B (settings, images) and whether PGD fools (settings, images), and both ladders."""
    images, labels, sample = next(parts(data))
    form, made = calibrate(model, whole), {}
    with torch.no_grad():
        clean = model(images)
    seen = {"label": labels.numpy()}
    for step in STEPS:
        for gradients in GRADIENTS:
            search = Divergence(radius=radius, steps=gradients // 2, step=step, restarts=max(RESTARTS))
            trace = search(model, images, sample, 0, form).trace
            for restarts in RESTARTS:
                made["psi", "own", step, gradients, restarts] = trace[restarts * (gradients + 2)].numpy()
    for gradients in GRADIENTS:
        search = Divergence(radius=radius, steps=gradients // 2, step=OTHER_STEP)
        points = search(model, images, sample, 0, forms_of(form, len(whole.classes))["raw"]).images
        with torch.no_grad():
            reached = kl(form(clean.double()), form(model(points).double()))
        made["psi", "other", OTHER_STEP, gradients, 1] = reached.numpy()
    fooled = margin(clean, labels) < 0
    for step in STEPS:
        for restarts in RESTARTS:
            longest = max(LADDER) if restarts == 1 else max(GRADIENTS)
            lowest = traced_pgd(model, images, labels, sample, radius, cross_entropy, longest, step, restarts - 1)
            for gradients in LADDER if restarts == 1 else GRADIENTS:
                before = made["pgd", "own", step, gradients, 1] if restarts > 1 else fooled.numpy()
                made["pgd", "own", step, gradients, restarts] = before | (lowest[gradients] < 0).numpy()
    lowest = traced_pgd(model, images, labels, sample, radius, falling_margin, max(GRADIENTS), OTHER_STEP, 0)
    for gradients in GRADIENTS:
        made["pgd", "other", OTHER_STEP, gradients, 1] = ((lowest[gradients] < 0) | fooled).numpy()
    for steps in (each // 2 for each in LADDER):
        oracle = Oracle(model, len(images))
        made["psi", "ladder", 1.5, 2 * steps, 1] = Divergence(radius=radius, steps=steps)(
            oracle, images, sample, 0, form
        ).divergence.numpy()
        seen[f"passes_{2 * steps}"] = np.array(int(oracle.forwards[0] + oracle.backwards[0]))
    return seen | {"/".join(str(each) for each in key): value for key, value in made.items()}


def falling_margin(logits, labels):
    """The second loss of PGD."""
    return -margin(logits, labels)


def traced_pgd(model, images, labels, sample, radius, loss, steps, step, restart):
    """The lowest margin of the start and the points after each step up to every length of one run, (lengths, images).

    A run of g steps is the beginning of any longer one, so one run gives them all.
    """
    search, rows = Recording(model, images, labels, sample, 0), torch.arange(len(images))
    limits = images.new_full((len(images),), float(radius))
    pgd(search, rows, limits, radius.norm, loss, steps, step, f"pgd/{restart}")
    return torch.stack(search.margins).cummin(0).values


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
        grid = stored(folder / "grid.npz", lambda: grade(module, whole, few, radius)) if graded else None
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
