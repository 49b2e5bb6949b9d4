"""The third source's study: SPAT and the class-fair policies beside TRADES (docs/studies/fairness-plan.md).

Source of SPAT: arXiv 2210.15068; of the policies: see each file of `weakspot.training.policies`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import weakspot
from weakspot.analysis.paired import holm, mcnemar
from weakspot.recipes.study import Scale, Sets, Step, Study, Trained
from weakspot.recipes.tables import Row, markdown, percent, share, to_csv
from weakspot.run import Run

METHODS: Mapping[str, tuple[str, str]] = {
    "trades": ("trades", "none"),
    "spat": ("spat", "none"),
    "cfa": ("trades", "cfa(fawa=False)"),
    "dafa": ("trades", "dafa"),
    "confusion": ("trades", "confusion"),
    "pgd-at": ("pgd-at", "none"),
    "mart": ("mart", "none"),
    "frl": ("trades", "frl"),
    "wat": ("trades", "wat"),
    "fair-tat": ("trades", "fair-tat"),
    "faal": ("trades", "faal"),
    "cfol": ("trades", "cfol"),
}
"""Method and policy by the name of the run."""
BASE = "trades"
LEADING = ("trades", "spat", "cfa", "dafa", "confusion")
"""Those with three seeds."""
SEEDS = (0, 1, 2)
HARD_PAIR = ("dog", "cat")
COMMON = {"schedule": "step", "average": 0.999, "validation": 0.1, "validation_steps": 5, "select": "last"}
TRAINING: Mapping[Scale, Mapping[str, Any]] = {
    "cpu": {**COMMON, "model": "resnet18-w16", "epochs": 14, "precision": "bf16"},
    "gpu": {**COMMON, "model": "resnet18", "epochs": 110, "precision": "bf16"},
}
AUDITED: Mapping[Scale, int] = {"cpu": 2000, "gpu": 10_000}


def runs(scale: Scale) -> tuple[Trained, ...]:
    """Every training with its audit, seed 0 of all first."""
    wanted = [(name, seed) for seed in SEEDS for name in METHODS if seed == 0 or name in LEADING]
    audit = {"radius": "linf:8/255", "limit": AUDITED[scale], "latent": "auto"}
    return tuple(
        Trained(
            name=f"{name}-{seed}",
            method=METHODS[name][0],
            data="cifar10",
            training={**TRAINING[scale], "policy": METHODS[name][1], "radius": "linf:8/255", "seed": seed},
            audit=audit,
        )
        for name, seed in wanted
    )


def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
    """A step for each training."""
    return tuple(run.step(sets) for run in runs(scale))


def pages(out: Path, scale: Scale) -> Mapping[str, str]:
    """The page and the classes as CSV."""
    found = {run.name: weakspot.open_run(run.audited(out)) for run in runs(scale)}
    against = list(differences(found))
    lines = [
        "# SPAT and class fairness", "",
        f"Made by `weakspot reproduce fairness --scale {scale}` as [planned](fairness-plan.md): CIFAR-10, linf:8/255, "
        f"{TRAINING[scale]}; audited on {AUDITED[scale]:,} test images by the default preset, seed 0. Per cent with "
        "95 % intervals, differences in points; images and seeds are crossed factors where a method has several seeds.",
        "", "## Models", "", *markdown(models(found)), "", "## Against TRADES", "", *markdown(against), "",
        f"## {HARD_PAIR[0]} seen as {HARD_PAIR[1]}, and feature space", "", *markdown(hard_pair(found)), "",
    ]  # fmt: skip
    return {"fairness.md": "\n".join(lines), "fairness.csv": to_csv(classes(found))}


def models(found: Mapping[str, Run]) -> Iterator[Row]:
    """A row for each model."""
    for name, run in found.items():
        robust, worst = run.robust, run.worst
        yield {
            "run": name,
            "clean": percent(run.summary["threats"]["clean"]),
            "robust": percent(robust),
            "worst class": "-" if worst is None else f"{worst['name']} {percent(worst)}",
            "corrected": "-" if worst is None else share(worst["corrected"]),
            "gap": share(robust["disparity"]["gap"]),
            "audit s": f"{run.summary['cost']['seconds']:.0f}",
        }


def differences(found: Mapping[str, Run]) -> Iterator[Row]:
    """Each method against TRADES on the seeds that both have; Holm over the methods."""
    rivals = [name for name in METHODS if name != BASE]
    compared = {}
    for name in rivals:
        seeds = [seed for seed in SEEDS if f"{name}-{seed}" in found]
        first, last = ([found[f"{which}-{seed}"] for seed in seeds] for which in (BASE, name))
        compared[name] = weakspot.compare(first, last).summary["comparisons"][0]["conditions"]["robust"]
    p = holm(np.array([p_overall(found, name) for name in rivals]))
    for name, adjusted in zip(rivals, p, strict=True):
        overall, worst = compared[name]["overall"], compared[name]["worst_class"]
        yield {
            "method": name,
            "seeds": sum(f"{name}-{seed}" in found for seed in SEEDS),
            "robust": percent(overall, "difference"),
            "Holm's p, seed 0": f"{adjusted:.2g}",
            "worst class": percent(worst, "difference"),
            "from, to": f"{worst['first_class']}, {worst['last_class']}",
            "seen": "yes" if (worst["low"] or 0) > 0 else "worse" if (worst["high"] or 0) < 0 else "no",
        }


def p_overall(found: Mapping[str, Run], name: str) -> float:
    """Exact McNemar over all images of seed 0."""
    first, last = (robust_rows(found[f"{which}-0"]) for which in (BASE, name))
    return float(mcnemar(np.array((first & ~last).sum()), np.array((~first & last).sum())))


def robust_rows(run: Run) -> np.ndarray:
    """Whether each sample survived every threat, in the order of its number."""
    rows = run.rows
    samples, place = np.unique(rows.sample, return_inverse=True)
    held = np.ones(len(samples), dtype=bool)
    np.logical_and.at(held, place, rows.correct)
    return held


def hard_pair(found: Mapping[str, Run]) -> Iterator[Row]:
    """The share of the first class seen as the second one, and what feature space says of both."""
    for name, run in found.items():
        latent, confusion = run.summary["latent"], run.robust["confusion"]
        assert latent is not None, "the audit was asked for feature space"
        assert confusion is not None, "ten classes have a full table"
        source, target = ([entry["name"] for entry in run.classes].index(each) for each in HARD_PAIR)
        row, clean = confusion[source], latent["classes"][source]["clean"]
        yield {
            "run": name,
            f"{HARD_PAIR[0]} as {HARD_PAIR[1]}": share(row[target] / max(sum(row), 1)),
            f"spread of {HARD_PAIR[0]}": f"{clean['spread']['value']:.2f}",
            "to the nearest class": f"{clean['distance']['value']:.2f} ({clean['nearest']})",
            "purity": f"{clean['purity']['value']:.2f}",
        }


def classes(found: Mapping[str, Run]) -> Sequence[Row]:
    """A row for each model and class."""
    return [
        {"run": name, "class": entry["name"], "samples": entry["samples"], "robust": share(entry["accuracy"]),
         "low": share(entry["low"]), "high": share(entry["high"]), "CFPS": share(entry["cfps"])}
        for name, run in found.items() for entry in run.classes
    ]  # fmt: skip


STUDY = Study("fairness", "Do SPAT and the class-fair policies raise the worst class above TRADES's?", steps, pages)
