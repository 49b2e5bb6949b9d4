"""The pilot of the long tail: RoBal and its neighbours on Fashion-MNIST, by docs/studies/longtail-pilot-plan.md.

Source: Wu et al., Adversarial Robustness under Long-Tailed Distribution, arXiv:2104.02703.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import weakspot
from weakspot.analysis.fake_gain import FakeGain, fake_gain
from weakspot.api import adjust
from weakspot.errors import InputError
from weakspot.recipes.study import Scale, Sets, Step, Study, Trained
from weakspot.recipes.tables import Row, markdown, percent, share, to_csv
from weakspot.run import Run

DATA, TAIL, RADIUS = "fashion-mnist", "+lt=50", "linf:0.05"
STEPS = 7
TRAINING: Mapping[str, Any] = {
    "model": "small-cnn", "radius": RADIUS, "epochs": 12, "flip": False, "average": 0.999, "validation_steps": 5,
    "select": "last",
}  # fmt: skip
AUDIT: Mapping[str, Any] = {"radius": RADIUS, "limit": 2000, "threats": ("pgd", "standard")}
WEAK = f"pgd@{RADIUS}"

RUNS = (
    Trained("pgd-at", f"pgd-at(steps={STEPS})", DATA, TRAINING, AUDIT, part=TAIL),
    Trained("trades", f"trades(steps={STEPS})", DATA, TRAINING, AUDIT, part=TAIL),
    Trained("la", f"pgd-at(steps={STEPS})", DATA, {**TRAINING, "loss": "logit-adjustment"}, AUDIT, part=TAIL),
    Trained("robal-n", f"robal-n(steps={STEPS})", DATA, TRAINING, AUDIT, part=TAIL),
    Trained("robal-r", f"robal-r(steps={STEPS})", DATA, TRAINING, AUDIT, part=TAIL),
    Trained("pgd-at-1", f"pgd-at(steps={STEPS})", DATA, {**TRAINING, "seed": 1}, AUDIT, part=TAIL),
    Trained("balanced", f"pgd-at(steps={STEPS})", DATA, TRAINING, AUDIT, part="+lt=balanced:50"),
)
BASE = "pgd-at"
POST_HOC = {"cdt": "cdt(tau=0.3)", "post-la": "logit-adjustment"}
"""Inference adjustments of the base's model; nothing is trained."""
NAMES = (*(run.name for run in RUNS), *POST_HOC)


def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
    """The trainings, then the adjustments of one of them."""
    return (*(run.step(sets) for run in RUNS), *(adjusted(name, sets) for name in POST_HOC))


def adjusted(name: str, sets: Sets) -> Step:
    """The base's model with another last step, audited."""

    def make(out: Path) -> None:
        if not (out / BASE / "model.json").exists():
            raise InputError(f"{name} adjusts {BASE}, which is not trained yet; do that step first")
        if not (out / name / "model.json").exists():
            adjust(out / BASE, POST_HOC[name], out / name)
        weakspot.audit(str(out / name), sets.at(DATA), out=out / f"{name}-audit", **AUDIT)

    return Step(name, make, lambda out: (out / f"{name}-audit" / "summary.json").exists())


def pages(out: Path, scale: Scale) -> Mapping[str, str]:
    """The page and the classes as CSV."""
    found = {name: weakspot.open_run(out / f"{name}-audit") for name in NAMES}
    lines = [
        "# Pilot of the long tail", "",
        f"Made by `weakspot reproduce longtail-pilot` as [planned](longtail-pilot-plan.md): {DATA}{TAIL}, {RADIUS}, "
        f"{TRAINING}; audited on the first {AUDIT['limit']} test images (balanced) under PGD-20 and the default "
        "preset, seed 0. Per cent with 95 % intervals; groups are thirds of the classes by training count, and each "
        "class counts alike.", "",
        "## Models", "", *markdown(models(found)), "", "## Groups of classes", "", *markdown(groups(found)), "",
        "## Fake gain over plain adversarial training", "",
        "`balanced` was no control of the plan: plain adversarial training on other data, its logits untouched.", "",
        *markdown(fakes(found)), "", "## Rare or hard", "", *markdown(rare(found)), "",
    ]  # fmt: skip
    return {"longtail-pilot.md": "\n".join(lines), "longtail-pilot.csv": to_csv(classes(found))}


def models(found: Mapping[str, Run]) -> Iterator[Row]:
    """A row for each model."""
    for name, run in found.items():
        yield {
            "run": name,
            "clean": percent(run.summary["threats"]["clean"]),
            "PGD-20": percent(run.summary["threats"][WEAK]),
            "robust": percent(run.robust),
            "worst class": "-" if run.worst is None else f"{run.worst['name']} {percent(run.worst)}",
            "corrected": "-" if run.worst is None else share(run.worst["corrected"]),
        }


def groups(found: Mapping[str, Run]) -> Iterator[Row]:
    """Head, medium and tail under attack: accuracy and its two errors."""
    for name, run in found.items():
        imbalance = run.summary["imbalance"]
        if imbalance is None:  # the balanced control
            continue
        for group in imbalance["conditions"]["robust"]["groups"]:
            yield {
                "run": name,
                "group": group["name"],
                "classes": ", ".join(group["classes"]),
                "robust": percent(group["accuracy"], "value"),
                "natural error": percent(group["natural_error"], "value"),
                "boundary error": percent(group["boundary_error"], "value"),
            }


def fakes(found: Mapping[str, Run]) -> Iterator[Row]:
    """Gains under PGD and under the preset, and whether the first is fake."""
    for name in NAMES:
        if name == BASE:
            continue
        gain = faked(found[BASE], found[name])
        worst = max(range(len(gain.classes)), key=lambda c: gain.classes[c].low)
        yield {
            "run": name,
            "gain, PGD-20": share(gain.weak),
            "gain, standard": share(gain.strong),
            "fake gain": percent(vars(gain.overall), "value"),
            "seen": "yes" if gain.overall.low > 0 else "no",
            "class of the largest lower limit": f"{found[name].classes[worst]['name']} "
            f"{percent(vars(gain.classes[worst]), 'value')}",
        }


def rare(found: Mapping[str, Run]) -> Iterator[Row]:
    """Each class in the tail's order, trained on the long tail and on balanced data of the same size."""
    long, even = found[BASE], found["balanced"]
    imbalance = long.summary["imbalance"]
    groups = [] if imbalance is None else imbalance["conditions"]["robust"]["groups"]
    for name in long.summary["data"]["classes"]:
        one, two = (next(each for each in run.classes if each["name"] == name) for run in (long, even))
        group = next((each["name"] for each in groups if name in each["classes"]), "-")
        yield {"class": name, "group": group, BASE: percent(one), "balanced": percent(two)}


def faked(baseline: Run, method: Run) -> FakeGain:
    """The fake gain of a run over another one on the same images."""
    label = baseline.rows.of("clean").label
    one, two = (survivals(run) for run in (baseline, method))
    return fake_gain(one, two, label, len(baseline.classes))


def survivals(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Correctness of each sample under PGD alone, and under everything."""
    weak = run.rows.of(WEAK).correct
    return weak, weak & run.rows.of(f"standard@{RADIUS}").correct


def classes(found: Mapping[str, Run]) -> list[Row]:
    """A row for each model and class."""
    return [
        {"run": name, "class": entry["name"], "samples": entry["samples"], "robust": share(entry["accuracy"]),
         "low": share(entry["low"]), "high": share(entry["high"]), "CFPS": share(entry["cfps"])}
        for name, run in found.items() for entry in run.classes
    ]  # fmt: skip


STUDY = Study("longtail-pilot", "RoBal and its neighbours on a long-tailed Fashion-MNIST, small.", steps, pages)
