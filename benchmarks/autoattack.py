"""Our presets against an independent AutoAttack: strength per sample and time, side by side in one run.

    python benchmarks/autoattack.py MODEL DATA [--weights W] [--radius R] [--limit N] [--presets standard autoattack]

The opponent is put together from torchattacks' components with the reference's settings (100 steps, 9 targets, 5,000
queries without rescaling): torchattacks' own AutoAttack runs 10 steps. Both sides get the same samples, the same
batches of 256 and the same threads. Beside the seconds on the clock stands the processor's time, whose ratio does not
depend on what else the machine was doing. `pairs`, every image driven to every other class, may take a quarter of the
opponent's time. The table goes to benchmarks/results/autoattack.{md,csv}.
"""

import argparse
import csv
import platform
import time
from pathlib import Path

import torch
import torchattacks
from scipy.stats import beta

from weakspot import load_data, load_model
from weakspot.addresses import Radius
from weakspot.models import frozen
from weakspot.threats import parse_threat
from weakspot.threats.measure import measure
from weakspot.threats.precision import search_precision, with_rough

BLOCK = 256
RESULTS = Path(__file__).parent / "results"
COLUMNS = (
    "model", "data", "radius", "n", "clean", "opponent robust", "preset", "preset robust", "only ours robust",
    "only theirs robust", "bound", "opponent s", "preset s", "ratio", "CPU ratio", "widened",
    "forwards", "backwards", "machine",
)  # fmt: skip


def opponent(model, norm: str, radius: float, classes: int):
    """AutoAttack 'standard' in its order, from torchattacks' components."""
    norm = {"linf": "Linf", "l2": "L2"}[norm]
    common = {"norm": norm, "eps": radius, "n_restarts": 1}
    return [
        ("apgd-ce", torchattacks.APGD(model, steps=100, loss="ce", **common)),
        ("apgd-t", torchattacks.APGDT(model, steps=100, n_classes=classes, **common)),
        ("fab-t", torchattacks.FAB(model, steps=100, multi_targeted=True, n_classes=classes, **common)),
        ("square", torchattacks.Square(model, n_queries=5000, resc_schedule=False, **common)),
    ]


def run_opponent(model, images, labels, norm, radius, classes):
    """Which samples stay robust, part by part on the survivors, as the reference does; an image outside counts not."""
    robust = model(images).argmax(1) == labels
    for name, attack in opponent(model, norm, radius, classes):
        for rows in robust.nonzero().squeeze(1).split(BLOCK):
            attacked = attack(images[rows], labels[rows])
            order = {"linf": float("inf"), "l2": 2}[norm]
            inside = (attacked - images[rows]).flatten(1).norm(p=order, dim=1) <= radius * (1 + 1e-5) + 1e-6
            robust[rows[inside & (model(attacked).argmax(1) != labels[rows])]] = False
        print(f"  opponent after {name}: {int(robust.sum())}", flush=True)
    return robust


def run_ours(model, preset, images, labels):
    """Which samples stay robust, judged afresh; also evaluations per sample and what the sentinel did."""
    threat, searched = parse_threat(preset), model
    if search_precision("auto", images.device) == "bf16":
        searched, reason = with_rough(model, images[:64])
        print(f"  searching in {'bfloat16' if reason is None else f'float32: {reason}'}", flush=True)
    robust, spent, widened = torch.zeros(len(images), dtype=torch.bool), torch.zeros(2), set()
    for rows in torch.arange(len(images)).split(BLOCK):
        place = rows.to(images.device)
        found, _ = measure(searched, threat, preset, images[place], labels[place], place, 0)
        robust[rows] = ~torch.isin(rows, torch.from_numpy(found.sample[~found.correct]))
        spent += torch.tensor([found.forwards.sum(), found.backwards.sum()])
        widened |= {str(part) for part in found.found_by if ":" in str(part)}
    return robust.to(images.device), spent / len(images), ", ".join(sorted(widened)) or "no"


def main():
    """Measure one model and append its rows to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--weights")
    parser.add_argument("--radius")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--name", help="how the table calls the model")
    parser.add_argument("--presets", nargs="+", default=["standard", "autoattack", "pairs"])
    asked = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = load_data(asked.data)
    model = load_model(asked.model, weights=asked.weights, data=data).module.to(device)
    radius = Radius.of(asked.radius or data.radius)
    limit = min(asked.limit, len(data))
    images, labels = data.batch(range(limit)).to(device), data.labels[:limit].to(device)
    machine = f"{torch.cuda.get_device_name()}" if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    with frozen(model):
        clean = int((model(images).argmax(1) == labels).sum())
        start, began = time.perf_counter(), time.process_time()
        theirs = run_opponent(model, images, labels, radius.norm, float(radius), len(data.classes))
        opponent_seconds, opponent_work = time.perf_counter() - start, time.process_time() - began
        for preset in asked.presets:
            start, began = time.perf_counter(), time.process_time()
            ours, spent, widened = run_ours(model, f"{preset}@{radius}", images, labels)
            seconds, work = time.perf_counter() - start, time.process_time() - began
            only_ours, only_theirs = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
            # One-sided 95 % Clopper-Pearson bound on the share that the opponent breaks and we do not.
            bound = beta.ppf(0.95, only_ours + 1, limit - only_ours)
            row = (
                asked.name or asked.model, data.name, str(radius), limit, clean, int(theirs.sum()), preset,
                int(ours.sum()), only_ours, only_theirs, f"{bound:.2%}", f"{opponent_seconds:.1f}", f"{seconds:.1f}",
                f"{opponent_seconds / seconds:.1f}", f"{opponent_work / work:.1f}", widened,
                f"{spent[0]:.0f}", f"{spent[1]:.0f}", f"{machine}, {platform.machine()}, torch {torch.__version__}",
            )  # fmt: skip
            print(dict(zip(COLUMNS, row, strict=True)), flush=True)
            keep(row)


def keep(row):
    """Replace this model's row of the CSV table, and write the same table as Markdown."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "autoattack.csv"
    rows = list(csv.reader(path.open()))[1:] if path.exists() else []
    key = [COLUMNS.index(column) for column in ("model", "radius", "n", "preset", "machine")]
    fresh = [str(value) for value in row]
    rows = [old for old in rows if [old[k] for k in key] != [fresh[k] for k in key]] + [fresh]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    lines = ["| " + " | ".join(cells) + " |" for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows)]
    path.with_suffix(".md").write_text("\n".join(["# AutoAttack, side by side", "", *lines]) + "\n")


if __name__ == "__main__":
    main()
