"""The third source's study: SPAT and the class-fair policies beside TRADES (docs/studies/fairness-plan.md).

Source of SPAT: arXiv 2210.15068; of the policies: see each file of `weakspot.training.policies`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from weakspot.recipes.fairness_picture import picture
from weakspot.recipes.fairness_runs import AUDITED, HARD_PAIR, TRAINING, runs
from weakspot.recipes.fairness_verdicts import against, differences, ours_claim, pair_seen, spat_claim
from weakspot.recipes.study import Scale, Sets, Step, Study, cost, finished
from weakspot.recipes.tables import Row, markdown, options, percent, share, to_csv
from weakspot.run import Run


def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
    """A step for each training."""
    return tuple(run.step(sets) for run in runs(scale))


def pages(out: Path, scale: Scale) -> Mapping[str, str]:
    """The page, its picture, and the classes as CSV, of the runs that are there; the others are named."""
    planned = runs(scale)
    found, left = finished(planned, out)
    compared = against(found)
    lines = [
        "# SPAT and class fairness", "",
        f"Made by `weakspot reproduce fairness --scale {scale}` as [planned](fairness-plan.md): CIFAR-10, linf:8/255; "
        f"{options(TRAINING[scale])}; audited on {AUDITED[scale]:,} test images by the default preset, seed 0. Per "
        "cent with 95 % intervals, differences in points; images and seeds are crossed factors where a method has "
        "several seeds.",
        "", f"{len(found)} of {len(planned)} runs. Not run: {', '.join(left) if left else 'none'}. "
        f"{cost(found, out)}",
        "", "![average against worst class](fairness.svg)",
        "", "Diamonds: TRADES (red, dashed lines) and the other methods with several seeds (blue), a dot for each "
        "seed; grey: one seed. The lowest of ten classes is a little too low in all.",
        "", "## Against TRADES", "", ours_claim(compared), "",
        "The difference of the worst class is that of the lowest classes, seed by seed; from and to name the lowest of "
        "the mean over seeds.", "", *markdown(differences(compared)),
        "", f"## {HARD_PAIR[0]} seen as {HARD_PAIR[1]}, and feature space", "", spat_claim(found), "",
        "Features are in each model's own unit: compare models by distance / spread and purity, not by the two columns "
        "before.", "",
        *markdown(hard_pair(found)), "", "## Models", "", *markdown(models(found)), "",
    ]  # fmt: skip
    text = "\n".join(lines)
    return {"fairness.md": text, "fairness.svg": picture(found), "fairness.csv": to_csv(classes(found))}


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


def hard_pair(found: Mapping[str, Run]) -> Iterator[Row]:
    """The share of the first class seen as the second one, and what feature space says of the first."""
    for name, run in found.items():
        latent = run.summary["latent"]
        assert latent is not None, "the audit was asked for feature space"
        clean = latent["classes"][[entry["name"] for entry in run.classes].index(HARD_PAIR[0])]["clean"]
        yield {
            "run": name,
            f"{HARD_PAIR[0]} as {HARD_PAIR[1]}": share(float(pair_seen(run).mean())),
            f"spread of {HARD_PAIR[0]}": f"{clean['spread']['value']:.2f}",
            "to the nearest class": f"{clean['distance']['value']:.2f} ({clean['nearest']})",
            "distance / spread": f"{relative(clean['distance']['value'], clean['spread']['value']):.2f}",
            "purity": f"{clean['purity']['value']:.2f}",
        }


def relative(distance: float | None, spread: float | None) -> float:
    """The distance in units of the spread, which no unit of the features can change; NaN where one is undefined."""
    return distance / spread if distance is not None and spread else float("nan")


def classes(found: Mapping[str, Run]) -> Sequence[Row]:
    """A row for each model and class."""
    return [
        {"run": name, "class": entry["name"], "samples": entry["samples"], "robust": share(entry["accuracy"]),
         "low": share(entry["low"]), "high": share(entry["high"]), "CFPS": share(entry["cfps"])}
        for name, run in found.items() for entry in run.classes
    ]  # fmt: skip


STUDY = Study(
    "fairness", "Do SPAT and the class-fair policies raise the worst class above TRADES's?", steps, pages, partial=True
)
