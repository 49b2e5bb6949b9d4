"""What the usual search for psi misses on the pilot's models, and whether its order of trainings depends on it.

    python studies/psi_search.py [--out runs/psi-pilot] [--cifar parquet:../shared/data/cifar10]

Runs the thorough search (4 restarts of 30 steps) beside the usual one on the first 100 images of the models that the
claim on order is about, and writes docs/pilots/psi-search.md. Not part of the plan: it was added after the verdicts.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import psi_claims as claims
import torch
from psi_page import CALLED, DOCS, MAIN, ORDER, table, three
from psi_pilot import FORMS, SEEDS, SETTINGS, folder_of, stored

import weakspot
from weakspot.addresses import Radius
from weakspot.explaining.measure import LONG, RESTARTS, forms_of
from weakspot.landscape.divergence import Divergence
from weakspot.landscape.forms import calibrate
from weakspot.landscape.seen import choose
from weakspot.models import frozen

IMAGES = 100
METHODS = ("standard", "n-fgsm", "pgd-at")


def both(model, whole, radius):
    """The divergence of each image in each form by the usual and by the thorough search."""
    rows = choose(whole.labels, IMAGES, 0)
    images, sample = whole.batch(rows.tolist()), torch.arange(len(rows))
    usual = Divergence(radius=radius)
    thorough = replace(usual, restarts=RESTARTS, steps=LONG)
    made = {"label": whole.labels[rows].numpy()}
    for name, form in forms_of(calibrate(model, whole)).items():
        for what, search in (("usual", usual), ("thorough", thorough)):
            made[f"{name}/{what}"] = search(model, images, sample, 0, form).divergence.numpy()
    return made


def main():
    """Search, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/psi-pilot"))
    parser.add_argument("--cifar", default="parquet:../shared/data/cifar10", help="where CIFAR-10 is")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for data, architecture in MAIN.items():
        whole = weakspot.load_data(asked.cifar if data == "cifar10" else data)
        for method in METHODS:
            for seed in SEEDS:
                folder = folder_of(SETTINGS[data], architecture, method, seed, asked.out)
                module = weakspot.load_model(str(folder), data=whole).module
                with frozen(module):
                    radius = Radius.of(SETTINGS[data].radius)
                    found[data, method, seed] = stored(
                        folder / "search.npz", lambda m=module, w=whole, r=radius: both(m, w, r)
                    )
                print(data, method, seed, flush=True)
    lines = [
        "# What the search for psi misses", "",
        f"Made by `python studies/psi_search.py` on {IMAGES} images of each model; no part of [the plan](psi-plan.md), "
        "added after the verdicts. How much of the mean divergence that the thorough search finds "
        f"({RESTARTS} restarts of {LONG} steps, about thirteen times as dear) the usual one finds, in per cent: psi is "
        "above its true value by the rest at least.", "",
        *table(missed(found)), "", "## The order of trainings by either search", "",
        "ln of the ratio of psi, on the same images; intervals of images resampled within their classes.", "",
        *table(order(found)), "",
    ]  # fmt: skip
    (DOCS / "psi-search.md").write_text("\n".join(lines))


def missed(found):
    """A row for each data set and training: the share of each form in each seed."""
    for data in MAIN:
        for method in METHODS:
            cells = {}
            for form in FORMS:
                each = [found[data, method, seed] for seed in SEEDS]
                shares = [100 * one[f"{form}/usual"].mean() / one[f"{form}/thorough"].mean() for one in each]
                cells[form] = ", ".join(f"{share:.0f}" for share in shares)
            yield {"data": data, "training": CALLED[method], **cells}


def order(found):
    """A row for each step of the order, form and search."""
    for data in MAIN:
        for form in FORMS:
            for weaker, stronger in ORDER:
                for search in ("usual", "thorough"):
                    cells = {}
                    for seed in SEEDS:
                        one, two = (found[data, method, seed] for method in (weaker, stronger))
                        weights = claims.resamples(np.asarray(one["label"]))
                        key = f"{form}/{search}"
                        cells[f"seed {seed}"] = three(claims.order_step(weights, one[key], two[key]))
                    step = f"{CALLED[weaker]} < {CALLED[stronger]}"
                    yield {"data": data, "form": form, "step": step, "search": search, **cells}


if __name__ == "__main__":
    main()
