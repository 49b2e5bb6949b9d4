"""The pilot of the training methods: what five of them do to the weakest class, each against TRADES on equal budgets.

    python studies/training_pilot.py [--out runs/training-pilot] [--only trades dafa ...]

Trains, audits by the default preset and describes in docs/pilots/training.{md,csv} what docs/pilots/training-plan.md
had fixed before the first run. It resumes: finished epochs and audits are kept, and `--only` does a part, so that two
processes can share the work; the page says what is missing. One thread.
"""

import argparse
import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.special import ndtr, ndtri

import weakspot
from weakspot.analysis.paired import holm, mcnemar
from weakspot.data.arrays import ArrayData
from weakspot.training.objectives import objective_of
from weakspot.training.policy import Given

DOCS = Path(__file__).parents[1] / "docs" / "pilots"
DATA, RADIUS = "fashion-mnist", "linf:0.05"
IMAGES, AUDITED, STEPS, EPOCHS = 12_000, 2000, 7, 14
COMMON = {
    "model": "small-cnn", "epochs": EPOCHS, "batch": 128, "lr": 0.1, "schedule": "one-cycle", "average": 0.999,
    "flip": False, "validation": 0.1, "validation_steps": 5, "select": "last",
}  # fmt: skip
"""Of all runs: the same held-out images, whether a policy looks at them or not, and no selection of an epoch."""
EQUAL = 0.02
"""The margin within which bfloat16 and float32 count as equally accurate on average."""
EARNS, COSTS = 0.05, -0.03
"""Our policy's margin: what the worst class must gain, and what average robust accuracy may lose at the most."""


@dataclass(frozen=True)
class Setting:
    """One training."""

    method: str
    policy: str = "none"
    precision: str = "bf16"
    seed: int = 0


RUNS = {
    "trades": Setting("trades"),
    "dafa": Setting("trades", policy="dafa"),
    "cfa": Setting("trades", policy="cfa(fawa=False)"),
    "spat": Setting("spat"),
    "pgd-at": Setting("pgd-at"),
    "confusion": Setting("trades", policy="confusion"),
    "pgd-at-fp32": Setting("pgd-at", precision="fp32"),
    "trades-seed-1": Setting("trades", seed=1),
}
BASE, CONTROL = "trades", "trades-seed-1"
RIVALS = ("pgd-at", "spat", "cfa", "dafa", "confusion")
"""The family of Holm's adjustment."""
STARTS = {"cfa": 10 / 200, "dafa": 70 / 110, "confusion": 0.3}
"""The share of the run after which a policy acts, its own default."""


def training_images():
    """The first images of the training split."""
    whole = weakspot.load_data(DATA, split="train")
    return ArrayData.of(
        whole.batch(range(IMAGES)).numpy(), whole.labels[:IMAGES].numpy(), classes=whole.classes,
        name=f"{DATA}, first {IMAGES}", split="train",
    )  # fmt: skip


def trained(name, out):
    """The run folder, trained where it is not finished; the CPU time of an uninterrupted training is kept beside it."""
    folder, setting, clock = out / name, RUNS[name], out / f"{name}.cpu.json"
    before = len(history(folder))
    if before < EPOCHS:
        start = time.process_time()
        method = f"{setting.method}(steps={STEPS})"
        chosen = {"policy": setting.policy, "precision": setting.precision, "seed": setting.seed}
        weakspot.train(method, training_images(), radius=RADIUS, out=folder, **COMMON, **chosen)
        if not before:
            clock.write_text(json.dumps(time.process_time() - start))
    return folder


def history(folder):
    """The rows of its finished epochs."""
    path = folder / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def audited(name, out):
    """The audit by the default preset, made where it is not finished yet."""
    return weakspot.audit(str(out / name), DATA, radius=RADIUS, limit=AUDITED, out=out / f"{name}-audit")


def passes(setting):
    """Forward and backward passes per training image and epoch, without validation."""
    objective = objective_of(f"{setting.method}(steps={STEPS})")
    if setting.method == "pgd-at":
        return objective.steps + 1, objective.steps + 1
    return objective.steps + 3, objective.steps + 2  # the clean logits that the attack moves away from, and two outer


def points(found, digits=1):
    """`12.3 [4.5, 20.1]` of an accuracy or a difference, in per cent or points."""
    value = found["accuracy"] if "accuracy" in found else found["difference"]
    return f"{100 * value:.{digits}f} [{100 * found['low']:.{digits}f}, {100 * found['high']:.{digits}f}]"


def change(first, last):
    """The conditions of a paired comparison, last minus first."""
    return weakspot.compare(first, last).summary["comparisons"][0]["conditions"]


def p_average(found):
    """Exact McNemar over all images."""
    lost, gained = (sum(entry[side] for entry in found["classes"]) for side in ("lost", "gained"))
    return float(mcnemar(np.array(lost), np.array(gained)))


def p_worst(found):
    """Of the level at which the interval of the worst class's difference ends at 0.

    That interval is value and corrected value, either way, plus normal errors (`analysis.worst_difference`).
    """
    ends = sorted((found["difference"], found["corrected"]))
    error = (found["high"] - found["low"] - (ends[1] - ends[0])) / (2 * ndtri(0.975))
    nearest = max(0.0, ends[0], -ends[1])
    return float(2 * ndtr(-nearest / error)) if error else 1.0


def models(runs, out):
    """A row for each model."""
    for name, run in runs.items():
        setting, robust = RUNS[name], run.summary["robust"]
        worst, rows, clock = robust["worst_class"], history(out / name), out / f"{name}.cpu.json"
        forward, backward = passes(setting)
        yield {
            "run": name, "method": setting.method, "policy": setting.policy, "precision": setting.precision,
            "seed": setting.seed, "clean": points(run.summary["threats"]["clean"]), "robust": points(robust),
            "worst class": worst["name"], "worst class, robust": points(worst),
            "corrected": f"{100 * worst['corrected']:.1f}",
            "balanced robust": f"{100 * robust['balanced_accuracy']:.1f}",
            "gap best to worst": f"{100 * robust['disparity']['gap']:.1f}",
            "acts from epoch": first_epoch(setting), "forward/backward": f"{forward}/{backward}",
            "CPU s": f"{json.loads(clock.read_text()):.0f}" if clock.exists() else "-",
            "wall s": f"{sum(row['seconds'] for row in rows):.0f}", "audit s": f"{run.summary['cost']['seconds']:.0f}",
        }  # fmt: skip


def first_epoch(setting):
    """The epoch, counted from 1, from which the policy of a run acts."""
    name = setting.policy.partition("(")[0]
    if name not in STARTS:
        return "-"
    given = Given(base=None, counts=None, epochs=EPOCHS, draws=0, method="", carries=frozenset(), trade_off=0.0)
    return given.acts_from(STARTS[name]) + 1


def differences(runs):
    """Against TRADES: average and worst class, Holm-adjusted over the rivals; the other seed is a yardstick."""
    found = {name: change(runs[BASE], runs[name]) for name in (*RIVALS, CONTROL) if name in runs}
    adjusted = {}
    for which, p in (("overall", p_average), ("worst_class", lambda robust: p_worst(robust["worst_class"]))):
        # A method that is not there yet counts as 1, so that what is there is adjusted for all that was planned.
        values = [p(found[name]["robust"]) if name in found else 1.0 for name in RIVALS]
        adjusted[which] = dict(zip(RIVALS, holm(np.array(values)), strict=True))
    yardstick = found[CONTROL]["robust"] if CONTROL in found else None
    for name, each in found.items():
        row = {"against trades": name, "clean": points(each["clean"]["overall"])}
        for which, title in (("overall", "robust"), ("worst_class", "worst class")):
            one = each["robust"][which]
            p = adjusted[which].get(name)
            row[title] = points(one)
            if which == "worst_class":
                row["corrected"] = f"{100 * one['corrected']:.1f}"
                row["from, to"] = f"{one['first_class']}, {one['last_class']}"
            row[f"{title}, Holm's p"] = "-" if p is None else f"{p:.2g}"
            row[f"{title}, seen"] = "-" if p is None else seen(one, p, yardstick and yardstick[which])
        yield row


def seen(found, p, yardstick):
    """The plan's rule: Holm's p below 0.05 and a difference above that of another seed."""
    if p >= 0.05:
        return "not seen"
    if yardstick is None:
        return "by its p-value; the other seed is missing"
    if abs(found["difference"]) <= abs(yardstick["difference"]):
        return "within a seed's reach"
    return "better" if found["difference"] > 0 else "worse"


def verdict(rows, runs):
    """Whether our own policy earns its place."""
    if "confusion" not in runs:
        return "`confusion` is not there yet."
    row = next(row for row in rows if row["against trades"] == "confusion")
    robust = change(runs[BASE], runs["confusion"])["robust"]
    gained, kept = robust["worst_class"]["difference"] >= EARNS, robust["overall"]["low"] >= COSTS
    earned = row["worst class, seen"] == "better" and gained and kept
    return (
        f"`confusion` over TRADES {'passes' if earned else 'does not pass'} the margin of the plan: the worst class "
        f"{row['worst class']} points ({row['worst class, seen']}; at least {100 * EARNS:.0f} asked for), the average "
        f"{row['robust']} (its lower limit at least {100 * COSTS:.0f})."
    )


def precisions(runs):
    """bfloat16 minus float32, PGD-AT after the same epochs from the same weights."""
    if not {"pgd-at", "pgd-at-fp32"} <= runs.keys():
        return
    for condition, found in change(runs["pgd-at-fp32"], runs["pgd-at"]).items():
        for which in ("overall", "worst_class"):
            one = found[which]
            equal = max(-one["low"], one["high"]) < EQUAL
            yield {
                "accuracy": f"{condition}, {which.replace('_', ' ')}", "fp32": f"{100 * one['first']:.1f}",
                "bf16": f"{100 * one['last']:.1f}", "difference": points(one, 2),
                f"within {100 * EQUAL:.0f} points": "-" if which == "worst_class" else "yes" if equal else "not shown",
            }  # fmt: skip


def per_class(runs):
    """A row for each model and class."""
    for name, run in runs.items():
        clean = run.summary["threats"]["clean"]["classes"]
        for one, two in zip(clean, run.summary["robust"]["classes"], strict=True):
            yield {
                "run": name, "class": one["name"], "samples": one["samples"],
                **{f"{kind} {key}": f"{100 * entry[key]:.1f}" for kind, entry in (("clean", one), ("robust", two))
                   for key in ("accuracy", "low", "high")},
            }  # fmt: skip


def knobs(out, classes):
    """What the policies gave to each class in the last epoch."""
    for name in [name for name in STARTS if len(history(out / name)) == EPOCHS]:
        last = history(out / name)[-1]["knobs"]
        for knob, values in last.items():
            if len({round(value, 6) for value in values}) > 1:
                row = {"run": name, "knob": knob}
                yield row | {c: f"{value:.3g}" for c, value in zip(classes, values, strict=True)}


def table(rows):
    """Markdown."""
    rows = list(rows)
    if not rows:
        return ["Not there yet."]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def document(runs, out):
    """The page and the classes as CSV."""
    settings, found, classes = list(models(runs, out)), list(differences(runs)), list(per_class(runs))
    missing = [name for name in RUNS if name not in runs]
    text = [
        "# Pilot of the training methods", "",
        "Made by `python studies/training_pilot.py`; what is asked and by which rules stood in "
        "[the plan](training-plan.md) before the first run. "
        f"{DATA}, {RADIUS}, the first {IMAGES} training images (a tenth of each class held out), {STEPS} attack steps; "
        + ", ".join(f"{key} {value}" for key, value in COMMON.items())
        + f". Audited: the first {AUDITED} test images by the default preset, seed 0. Per cent with 95 % intervals "
        "(Wilson; of the worst class those of the lowest class accuracy, in the CSV each class's own), differences in "
        "points, paired. One model of "
        "each, so this is about these models; the second seed of TRADES shows what a seed alone does. Passes are "
        "forward/backward per training image and epoch. CPU seconds are those of an uninterrupted training on one "
        "thread of a busy machine, wall seconds hold whatever else it did."
        + (f" **Not there yet: {', '.join(missing)}.**" if missing else ""), "",
        "## Models", "", *table(settings), "",
        "## Against TRADES", "", *table(found), "", verdict(found, runs), "",
        "## bfloat16 and float32", "", *table(precisions(runs)), "",
        "## What the policies set in the last epoch", "",
        *table(knobs(out, [row["class"] for row in classes[: len(classes) // len(runs)]])), "",
        "## Robust accuracy of the classes", "", *table(wide(classes)), "",
    ]  # fmt: skip
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / "training.md").write_text("\n".join(text), encoding="utf-8")
    with (DOCS / "training.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(classes[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(classes)


def wide(classes):
    """Robust accuracies with a column for each class."""
    for name in RUNS:
        if any(row["run"] == name for row in classes):
            yield {"run": name} | {row["class"]: row["robust accuracy"] for row in classes if row["run"] == name}


def main():
    """Train, audit, describe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/training-pilot"))
    parser.add_argument("--only", nargs="*", choices=RUNS, default=list(RUNS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.only:
        trained(name, asked.out)
        robust = audited(name, asked.out).summary["robust"]
        print(name, robust["accuracy"], robust["worst_class"]["name"], robust["worst_class"]["accuracy"], flush=True)
    there = [name for name in RUNS if (asked.out / f"{name}-audit" / "doubts.json").exists()]
    if BASE in there and len(there) > 1:
        document({name: audited(name, asked.out) for name in there}, asked.out)


if __name__ == "__main__":
    main()
