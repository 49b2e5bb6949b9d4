"""Tables of the class-wise study: models, classes, corruptions, feature space."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from weakspot.recipes.classwise_figures import attacked, known
from weakspot.recipes.classwise_runs import parts_of
from weakspot.recipes.study import trained_for
from weakspot.recipes.tables import Row, percent, share
from weakspot.run import Run


def models(found: Mapping[str, Run], out: Path) -> Iterator[Row]:
    """A row for each model."""
    for name, run in found.items():
        cell, corrupted = attacked(run), run.summary["corrupted"]
        assert corrupted is not None, "the audit was asked for corruptions"
        worst = cell["worst_class"]
        yield {
            "run": name,
            "clean": percent(run.summary["threats"]["clean"]),
            "attacked": percent(cell),
            "corrupted": percent(corrupted),
            "worst class": "-" if worst is None else f"{worst['name']} {percent(worst)}",
            "training s": f"{trained_for(out / name):.0f}",
            "audit s": f"{run.summary['cost']['seconds'] or 0:.0f}",
        }


def classes(found: Mapping[str, Run]) -> Iterator[Row]:
    """A row for each model and class."""
    for name, run in found.items():
        latent, pairs, corrupted = (run.summary["latent"], run.summary["pairs"], run.summary["corrupted"])
        assert latent is not None, "the audit was asked for feature space"
        assert pairs is not None, "the audit was asked for directed pairs"
        assert corrupted is not None, "the audit was asked for corruptions"
        for c, entry in enumerate(attacked(run)["classes"]):
            clean, spoiled = (cell["classes"][c] for cell in (run.summary["threats"]["clean"], corrupted))
            side = latent["classes"][c]["clean"]
            yield {
                "run": name, "class": entry["name"], "samples": entry["samples"], "clean": share(clean["accuracy"]),
                "attacked": share(entry["accuracy"]), "low": share(entry["low"]), "high": share(entry["high"]),
                "corrupted": share(spoiled["accuracy"]), "CFPS": share(entry["cfps"]),
                "CFPS clean": share(clean["cfps"]), "CFPS corrupted": share(spoiled["cfps"]),
                "hub": share(pairs["classes"][c]["hub"]), "exposure": share(pairs["classes"][c]["exposure"]),
                "distance": side["distance"]["value"], "nearest": side["nearest"],
                "spread": side["spread"]["value"], "purity": share(side["purity"]["value"]),
            }  # fmt: skip


def spaces(found: Mapping[str, Run]) -> Iterator[Row]:
    """A row for each model: how far classes are apart in clean feature space, and which are each other's nearest."""
    for name, run in found.items():
        latent = run.summary["latent"]
        assert latent is not None, "the audit was asked for feature space"
        whole, sides = latent["clean"], {each["name"]: each["clean"] for each in latent["classes"]}
        nearest = {one: side["nearest"] for one, side in sides.items()}
        mutual = [f"{one} and {two}" for one, two in nearest.items() if two is not None and nearest[two] == one < two]
        # A model that answers one class may have a ratio, of rounding errors, and has no interval.
        limits = (whole["ratio"], whole["low"], whole["high"])
        there = None not in limits
        ratio = "{:.3f} [{:.3f}, {:.3f}]".format(*limits) if there else "-"
        yield {
            "run": name, "layer": latent["layer"], "features": latent["features"],
            "scatter": ratio, "purity": share(whole["purity"]),
            "each other's nearest": "; ".join(mutual) if mutual and there else "-",
        }  # fmt: skip


def kinds_of_corruption(run: Run) -> Mapping[str, np.ndarray]:
    """Accuracy of each class (K,) under each kind of corruption, the mean over its severities; NaN without samples."""
    cells: dict[str, list[np.ndarray]] = {}
    for address, cell in run.summary["threats"].items():
        if cell["kind"] == "corruption":
            accuracy = known(entry["accuracy"] for entry in cell["classes"])
            cells.setdefault(address.split("@")[0], []).append(accuracy)
    return {kind: np.mean(each, axis=0) for kind, each in cells.items()}


def corruptions(found: Mapping[str, Run]) -> Iterator[Row]:
    """A row for each model, kind of corruption and class: accuracy in per cent, the mean over severities."""
    for name, run in found.items():
        for kind, accuracy in kinds_of_corruption(run).items():
            for entry, value in zip(run.classes, accuracy.tolist(), strict=True):
                shown = "" if np.isnan(value) else share(value)
                yield {"run": name, "corruption": kind, "class": entry["name"], "accuracy": shown}


def by_corruption(part: Mapping[str, Run], sets: Sequence[str]) -> Iterator[Row]:
    """A row for each kind: accuracy, the mean of the classes, over the models of a data set with their range."""
    made = {name: kinds_of_corruption(run) for name, run in part.items()}
    for kind in next(iter(made.values()), {}):
        row = {"corruption": kind}
        for data in sets:
            accuracy = {name: each[kind] for name, each in made.items() if parts_of(name)[1] == data}
            means = [100 * np.nanmean(each) for each in accuracy.values()]
            row[data] = f"{np.mean(means):.1f} ({min(means):.1f} to {max(means):.1f})" if means else "-"
            weakest = Counter(part[name].classes[int(np.nanargmin(each))]["name"] for name, each in accuracy.items())
            row[f"{data}, weakest"] = ", ".join(f"{each} {count}" for each, count in weakest.most_common()) or "-"
        yield row
