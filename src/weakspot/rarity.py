"""Audits of models that were trained with other classes in the tail tell whether weak classes are rare or hard."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weakspot.analysis.arrays import ratio
from weakspot.analysis.imbalance import checked
from weakspot.analysis.rarity import rare_or_hard as split
from weakspot.analysis.same_runs import refuse_different
from weakspot.analysis.scores import Scores, scores
from weakspot.errors import InputError, unknown
from weakspot.report.numbers import draws_for
from weakspot.report.rarity import RaritySummary, rarity_summary
from weakspot.run import Run, open_run


@dataclass(frozen=True)
class Rarity:
    """What `weakspot.rare_or_hard` found; `summary` is what `weakspot rarity --json` prints."""

    summary: RaritySummary


def rare_or_hard(*runs: str | Path | Run, condition: str | None = None, seed: int = 0) -> Rarity:
    """Split what makes classes weak into how rare and how hard they are.

    Args:
        runs: Two or more audits of the same images, of models trained by `weakspot train` with different training
            counts per class: long tails with other orders of the classes (`+lt_order=1`).
        condition: "robust", "clean" or "corrupted"; by default the first of these that all runs have.
        seed: Names the random draws of the intervals.

    Raises:
        InputError: a run is no finished audit, does not know its training counts or differs in data or threats; or
            every class has the same count in all of them.

    """
    opened = [run if isinstance(run, Run) else open_run(run) for run in runs]
    if len(opened) < 2:
        raise InputError(f"rare and hard are told apart by two runs or more, got {len(opened)}; give another one")
    manifests, folders = [run.manifest for run in opened], [str(run.folder) for run in opened]
    refuse_different(manifests, folders)
    for run in opened:
        _refuse(run)
    names = list(manifests[0]["data"]["classes"])
    counts = [checked(manifest["training"]["counts"], len(names)) for manifest in manifests]
    chosen, found = _condition(
        [scores(manifest["threats"], run.rows) for manifest, run in zip(manifests, opened, strict=True)], condition
    )
    made = split(found, counts, seed, draws_for(len(names)))
    accuracy = [
        ratio(np.bincount(each.label, each.score, minlength=len(names)), np.bincount(each.label, minlength=len(names)))
        for each in found
    ]
    data = [str(manifest["training"]["name"]) for manifest in manifests]
    return Rarity(rarity_summary(made, chosen, names, folders, data, counts, accuracy))


def _refuse(run: Run) -> None:
    if run.missing:
        raise InputError(f"{run.folder} is not finished: {len(run.missing)} units are missing; repeat its audit")
    if run.manifest.get("training") is None:
        raise InputError(
            f"{run.folder} does not say how many samples of each class its model was trained on; audit the folder that "
            "weakspot train wrote"
        )


def _condition(found: list[dict[str, Scores]], wanted: str | None) -> tuple[str, list[Scores]]:
    shared = [name for name in ("robust", "clean", "corrupted") if all(name in each for each in found)]
    if not shared or (wanted is not None and wanted not in shared):
        raise unknown("condition", str(wanted), shared)
    chosen = wanted or shared[0]
    return chosen, [each[chosen] for each in found]
