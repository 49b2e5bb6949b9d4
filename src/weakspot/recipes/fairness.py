"""The third source's study: SPAT and the class-fair policies beside TRADES (docs/studies/fairness-plan.md).

Source of SPAT: arXiv 2210.15068; of the policies: see each file of `weakspot.training.policies`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from weakspot.addresses import Radius
from weakspot.recipes.fairness_pair import exchanges, shares, spaces, spat_claim
from weakspot.recipes.fairness_picture import picture
from weakspot.recipes.fairness_runs import (
    AUDITED,
    BASE,
    CONTROL,
    CONTROLLED,
    DATA,
    HARD,
    METHODS,
    RADIUS,
    SEEDS,
    TRAINING,
    hard_of,
    runs,
)
from weakspot.recipes.fairness_verdicts import LEVEL, against, beside_control, differences, ours_claim, speaking
from weakspot.recipes.study import Scale, Sets, Step, Study, Trained, cost, finished, images, trained_for
from weakspot.recipes.tables import Row, markdown, options, percent, share, to_csv
from weakspot.run import Run


def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
    """A step for each training."""
    return tuple(run.step(sets) for run in runs(scale))


def pages(out: Path, scale: Scale) -> Mapping[str, str]:
    """The page, its picture, and the classes as CSV, of the runs that are there; the others are named."""
    planned = runs(scale)
    found, left = finished(planned, out)
    judged = speaking(found)
    silent = [name for name in found if name not in judged]
    compared = against(judged)
    names = next((run.manifest["data"]["classes"] for run in judged.values()), None)
    one, two = (hard_of(names) if names else HARD[DATA[scale]]).pair
    alone = [name for name in METHODS if name not in (BASE, *compared)]
    lines = [
        "# SPAT and class fairness", "",
        f"Made by `weakspot reproduce fairness --scale {scale}` as [planned](fairness-plan.md): {DATA[scale]}, "
        f"{RADIUS}; {options(TRAINING[scale])}; audited on {AUDITED[scale]:,} test images by the default "
        "preset, seed 0. Per cent, differences in points.",
        "", f"{len(found)} of {len(planned)} runs. Not run: {', '.join(left) if left else 'none'}. Without robust "
        f"accuracy, and without part in what follows: {', '.join(silent) if silent else 'none'}. "
        f"{images(planned, found, out)} {cost(found, out)}",
        "", "![average against worst class](fairness.svg)",
        "", "Diamonds: TRADES (red, dashed lines) and the other methods with several seeds (blue), joined to a dot for "
        f"each seed; grey: one seed. Ring: TRADES at seed {SEEDS[0]}, with which the grey ones are compared. The "
        "lowest of the classes is a little too low in all.",
        "", "## Against TRADES", "", ours_claim(compared), "",
        f"Intervals of {100 * LEVEL:g} %. Over images only, where there is one seed: what seeds differ by is left out, "
        "so that they are too narrow for a method. The difference of the worst class is that of the lowest classes, "
        "seed by seed; from and to name the lowest of the mean over seeds. Not compared, since no seed has both it and "
        f"{BASE}: {', '.join(alone) if alone else 'none'}.", "", *markdown(differences(compared)),
        "", f"Less {CONTROL} and not {BASE}, seed {SEEDS[0]}, images only, described: what "
        f"{' and '.join(CONTROLLED)} do beyond a smaller radius.", "", *markdown(beside_control(judged)),
        "", f"## {one} and {two}, and feature space", "", spat_claim(judged, one, two), "",
        f"The same of every method, less {BASE}, intervals of 95 %, described: only SPAT was planned to be judged.", "",
        *markdown(exchanges(judged)), "",
        "Described: feature space of clean images, the mean over seeds. Scatter: between classes over within them, of "
        "all classes; distance in spreads: of the pair's means over its mean spread; cosine: 1 - the cosine between "
        f"the two means; purity: the share of {one} among the neighbours of {one}.", "",
        *markdown(spaces(judged)), "",
        "Of each run. Spread and distance are in each model's own unit, and SPAT's head ignores the length of "
        "features.", "", *markdown(shares(judged)), "", "## Models", "",
        "Mean radius: of training, over epochs and classes, where a policy turns it. Drawn: the chances of the classes "
        "as the last epoch begins, where a policy draws; FAAL's weights are of single batches and not recorded. "
        "Doubts: checks of the audit that warn or fail.", "", *markdown(models(found, out, scale)), "",
    ]  # fmt: skip
    text = "\n".join(lines)
    return {"fairness.md": text, "fairness.svg": picture(judged), "fairness.csv": to_csv(classes(found))}


def models(found: Mapping[str, Run], out: Path, scale: Scale) -> Iterator[Row]:
    """A row for each model."""
    planned = {run.name: run for run in runs(scale)}
    for name, run in found.items():
        worst = run.worst
        yield {
            "run": name,
            "clean": percent(run.summary["threats"]["clean"]),
            "robust": percent(run.robust),
            "worst class": "-" if worst is None else f"{worst['name']} {percent(worst)}",
            "corrected": "-" if worst is None else share(worst["corrected"]),
            "gap": share(run.robust["disparity"]["gap"]),
            "mean radius x 255": f"{255 * mean_radius(out / name, planned[name]):.1f}",
            "drawn, %": drawn(out / name),
            "doubts": ", ".join(each["check"] for each in run.doubts if each["status"] not in ("ok", "skipped")) or "-",
            "training min": f"{trained_for(out / name) / 60:.0f}",
            "audit s": f"{run.summary['cost']['seconds']:.0f}",
        }


def mean_radius(folder: Path, run: Trained) -> float:
    """The radius of training, meaned over epochs and classes where a policy turned it."""
    radii = [knobs["radius"] for knobs in turned(folder)]
    return float(np.mean(radii)) if radii else float(Radius.of(run.training["radius"]).size)


def drawn(folder: Path) -> str:
    """Per cent: the least and the largest chance of a class as the last epoch begins; a dash where none are drawn."""
    found = [knobs["chance"] for knobs in turned(folder) if "chance" in knobs]
    return f"{share(min(found[-1]))} to {share(max(found[-1]))}" if found else "-"


def turned(folder: Path) -> list[Mapping[str, list[float]]]:
    """What the policy turned for the classes, epoch by epoch; nothing without a policy."""
    epochs = [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    return [epoch["knobs"] for epoch in epochs if "knobs" in epoch]


def classes(found: Mapping[str, Run]) -> Sequence[Row]:
    """A row for each model and class."""
    return [
        {"run": name, "class": entry["name"], "samples": entry["samples"], "robust": share(entry["accuracy"]),
         "low": share(entry["low"]), "high": share(entry["high"]), "CFPS": share(entry["cfps"])}
        for name, run in found.items() for entry in run.classes
    ]  # fmt: skip


STUDY = Study(
    "fairness",
    "Do SPAT and the class-fair policies raise the worst class above TRADES's?",
    steps,
    pages,
    {scale: (data,) for scale, data in DATA.items()},
    partial=True,
)
