#!/usr/bin/env python3
"""What an explanation costs: surfaces of 100 images of a ResNet-18 in 3 minutes, psi at no more than PGD's cost.

    python benchmarks/explain.py [--images 100] [--samples 1000] [--threads 2]

The model is a 16-channel ResNet-18 with first weights (the time of a forward pass does not depend on the weights), the
images are drawn, 3 x 32 x 32. Measured are 41 x 41 surfaces over one pair of directions (cross-entropy and decision
surface come from the same logits), and psi in one form and one norm beside PGD with 20 steps on the same images, in
turn, batch by batch. Counted are forward and backward passes for each image as well as seconds, and the seconds
that the process itself computed, which other work on the machine hardly changes. Exits with 1 beyond a budget (of the
seconds that passed); the table goes to benchmarks/results/explain.md.
"""

import argparse
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from weakspot.addresses import Radius
from weakspot.data.arrays import ArrayData
from weakspot.explaining.measure import measure_surfaces
from weakspot.landscape.divergence import Divergence
from weakspot.landscape.forms import raw
from weakspot.landscape.pairs import Pair, Planes
from weakspot.landscape.surfaces import REACH
from weakspot.models import build, frozen
from weakspot.threats.pgd import Pgd
from weakspot.threats.search import Oracle

MINUTES = 3.0
RADIUS = Radius.of("linf:8/255")
BATCH = 100
RESULT = Path(__file__).parent / "results" / "explain.md"


def drawn(samples: int) -> ArrayData:
    """Images of noise with labels."""
    random = np.random.default_rng(0)
    images = random.random((samples, 3, 32, 32), dtype=np.float32)
    return ArrayData.of(images, random.integers(0, 10, samples), name="drawn", split="test", radius=str(RADIUS))


def time_surfaces(model: torch.nn.Module, data: ArrayData, images: int) -> tuple[float, float, float]:
    """Seconds, seconds computed, and forward passes for each image."""
    computed = time.process_time()
    planes = Planes.of(Pair.of("gradient,random"), data, RADIUS, 0)
    found = measure_surfaces(model, data, range(images), planes, 41, REACH, torch.device("cpu"))
    return float(found["seconds"]), time.process_time() - computed, float(found["forwards"])


def time_searches(model: torch.nn.Module, data: ArrayData) -> dict[str, tuple[float, float, float, float]]:
    """By search: seconds, seconds computed, forward and backward passes for each image; a load hits both alike."""
    searches = {"psi": Divergence(radius=RADIUS), "PGD-20": Pgd(radius=RADIUS)}
    spent = {name: [0.0, 0.0, 0.0, 0.0] for name in searches}
    for start in range(0, len(data), BATCH):
        rows = list(range(start, min(start + BATCH, len(data))))
        images, sample = data.batch(rows), torch.tensor(rows)
        with torch.no_grad():
            # What the model says, so that no image leaves PGD early: its cost is that of an attack to the end.
            labels = model(images).argmax(1)
        for name, search in searches.items():
            oracle, began, computed = Oracle(model, len(rows)), time.monotonic(), time.process_time()
            if isinstance(search, Divergence):
                search(oracle, images, sample, 0, raw)
            else:
                search(oracle, images, labels, sample, 0)
            seconds = time.monotonic() - began, time.process_time() - computed
            passes = float(oracle.forwards.sum()) / len(data), float(oracle.backwards.sum()) / len(data)
            for at, value in enumerate((*seconds, *passes)):
                spent[name][at] += value
    return {name: (total[0], total[1], total[2], total[3]) for name, total in spent.items()}


def main() -> int:
    """Measure, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    data = drawn(max(asked.images, asked.samples))
    model = build("resnet18-w16", channels=3, classes=10, size=32).eval()
    with frozen(model):
        seconds, computed, forwards = time_surfaces(model, data, asked.images)
        print(f"surfaces of {asked.images} images: {seconds:.1f} s, {computed:.1f} s computed", flush=True)
        searches = time_searches(model, data)
    (psi, psi_cpu, *psi_passes), (pgd, pgd_cpu, *pgd_passes) = searches["psi"], searches["PGD-20"]
    fine = seconds <= 60 * MINUTES * asked.images / 100 and psi <= pgd
    fine &= all(one <= other for one, other in zip(psi_passes, pgd_passes, strict=True))
    machine = f"{platform.machine()}, {asked.threads} threads, torch {torch.__version__}"
    rows = [
        [
            f"41 x 41 surfaces of {asked.images} images",
            f"{seconds:.1f}",
            f"{computed:.1f}",
            f"{forwards:.0f}",
            "1",
            f"{1.8 * asked.images:.0f} s",
        ],
        [
            f"psi of {asked.samples} images",
            f"{psi:.1f}",
            f"{psi_cpu:.1f}",
            *(f"{each:.0f}" for each in psi_passes),
            "PGD-20",
        ],
        [
            f"PGD-20 on {asked.samples} images",
            f"{pgd:.1f}",
            f"{pgd_cpu:.1f}",
            *(f"{each:.0f}" for each in pgd_passes),
            "",
        ],
    ]
    header = ["resnet18-w16", "seconds", "seconds computed", "forwards an image", "backwards an image", "budget"]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows))
    print(table)
    RESULT.parent.mkdir(exist_ok=True)
    verdict = "Within budget." if fine else "BEYOND BUDGET."
    share = f"psi takes {psi / pgd:.2f} of the time of PGD-20, {psi_cpu / pgd_cpu:.2f} of its computing."
    load = f"Load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    RESULT.write_text(f"# Cost of an explanation\n\n{machine}. {verdict} {share} {load}\n\n{table}\n")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
