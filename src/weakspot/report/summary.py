"""summary.json: the numbers of a run, computed from its rows by `weakspot.analysis`; this file only puts them in order.

`weakspot.store.write_json` writes it; it holds no NaN.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from weakspot.analysis.attraction import attraction
from weakspot.analysis.confusion import confusion_matrix, ranked_confusions
from weakspot.analysis.decomposition import decompose
from weakspot.analysis.intervals import Interval, wilson
from weakspot.analysis.rates import Rates, by_class
from weakspot.analysis.worst_case import worst_case
from weakspot.analysis.worst_class import worst_class
from weakspot.outcomes import Outcomes
from weakspot.report.schema import FULL_CONFUSION, SCHEMA, Cell, ClassEntry, Confused, Cost, Doubt, Summary, WorstClass

CLEAN = "clean"
TOP = 50
"""How many of the most frequent confusions are listed."""


def summarise(
    manifest: Mapping[str, Any],
    rows: Outcomes,
    doubts: Iterable[Mapping[str, Any]] = (),
    cost: Mapping[str, float] | None = None,
    missing: Sequence[str] = (),
) -> Summary:
    """The numbers of a run, with the keys of `schema.json`, as plain Python values.

    Args:
        manifest: The run's manifest.json.
        rows: All rows that exist.
        doubts: Findings about the evaluation itself.
        cost: What the run spent; without it, evaluations are counted from the rows and the time is unknown.
        missing: Planned files of outcomes that do not exist yet. A sample that still lacks a row of an attack is left
            out of the worst case over attacks: calling it robust would be a guess.

    """
    names = list(manifest["data"]["classes"])
    seed = int(manifest["seed"])
    clean = _one_per_sample(rows, CLEAN)
    threats = {
        threat["address"]: _cell(_one_per_sample(rows, threat["address"]), clean, threat["kind"], names, seed)
        for threat in manifest["threats"]
    }
    robust = {
        radius: _cell(_robust_rows(manifest, rows, radius, missing), clean, "adversarial", names, seed)
        for radius in _radii(manifest)
    }
    return {
        "schema": SCHEMA,
        "model": dict(manifest["model"]),
        "data": {"name": manifest["data"]["name"], "classes": names, "samples": int(manifest["data"]["samples"])},
        "threats": threats,
        "robust": next(iter(robust.values()), None),
        "robust_at": dict(list(robust.items())[1:]),
        "corrupted": None,
        "pairs": None,
        "psi": None,
        "latent": None,
        "doubts": [_doubt(doubt) for doubt in doubts],
        "cost": _cost(rows, cost),
        "missing": [str(file) for file in missing],
    }


def number(value: Any) -> float | None:
    """A Python float; None where the value is missing, NaN or infinite, which JSON cannot say."""
    return None if value is None or not math.isfinite(value) else float(value)


def _radii(manifest: Mapping[str, Any]) -> list[str]:
    """The radii of the adversarial threats, in the manifest's order; "" where a threat has none."""
    return list(dict.fromkeys(t["radius"] or "" for t in manifest["threats"] if t["kind"] == "adversarial"))


def _one_per_sample(rows: Outcomes, threat: str) -> Outcomes:
    """The threat's rows; where a sample has several (targets), its worst one."""
    found = rows.of(threat)
    return found if len(np.unique(found.sample)) == len(found) else worst_case(found, [threat])


def _robust_rows(manifest: Mapping[str, Any], rows: Outcomes, radius: str, missing: Sequence[str]) -> Outcomes:
    """The worst case over clean and the attacks of `radius`, of the samples that no missing unit may still break."""
    attacks = [
        threat["address"]
        for threat in manifest["threats"]
        if threat["kind"] == CLEAN or (threat["kind"] == "adversarial" and (threat["radius"] or "") == radius)
    ]
    waiting = {unit["threat"] for unit in manifest["units"] if unit["file"] in set(missing)}
    worst = worst_case(rows, attacks)
    for threat in attacks:
        if threat in waiting:
            worst = worst.where(np.isin(worst.sample, rows.of(threat).sample))
    return worst


def _cell(rows: Outcomes, clean: Outcomes, kind: Any, names: list[str], seed: int) -> Cell:
    """All classes of `rows`, which hold one row per sample."""
    rates = by_class(rows.label, rows.prediction, len(names))
    correct, samples = int(rates.correct.sum()), int(rates.samples.sum())
    overall = wilson(np.array(correct), np.array(samples))
    interval = wilson(rates.correct, rates.samples)
    top = ranked_confusions(rows.label, rows.prediction, len(names))
    confused: list[Confused] = [
        {"source": names[source], "target": names[target], "count": int(count), "share": float(share)}
        for source, target, count, share in zip(
            top.source[:TOP], top.target[:TOP], top.count[:TOP], top.share_of_source[:TOP], strict=True
        )
    ]
    small = len(names) <= FULL_CONFUSION
    return {
        "kind": kind,
        "samples": samples,
        "accuracy": number(rates.overall),
        "low": number(overall.low),
        "high": number(overall.high),
        "balanced_accuracy": number(rates.balanced),
        "worst_class": _worst(rates, names, seed),
        "classes": _classes(rows, clean, rates, interval, names),
        "confusion": confusion_matrix(rows.label, rows.prediction, len(names)).tolist() if small else None,
        "top_confusions": confused,
    }


def _classes(rows: Outcomes, clean: Outcomes, rates: Rates, interval: Interval, names: list[str]) -> list[ClassEntry]:
    errors = decompose(clean, rows, len(names))
    drawn = attraction(rows.label, rows.prediction, len(names))
    return [
        {
            "name": name,
            "samples": int(rates.samples[c]),
            "correct": int(rates.correct[c]),
            "accuracy": number(rates.accuracy[c]),
            "low": number(interval.low[c]),
            "high": number(interval.high[c]),
            "natural_error": number(errors.natural_error[c]),
            "boundary_error": number(errors.boundary_error[c]),
            "false_positives": int(drawn.false_positives[c]),
            "cfps": number(drawn.cfps[c]),
            "cfns": number(drawn.cfns[c]),
        }
        for c, name in enumerate(names)
    ]


def _worst(rates: Rates, names: list[str], seed: int) -> WorstClass | None:
    """The class of the lowest accuracy and how sure that is; None where no class has samples."""
    found = worst_class(rates.correct, rates.samples, seed)
    if found.index < 0:
        return None
    return {
        "name": names[found.index],
        "accuracy": found.accuracy,
        "low": found.low,
        "high": found.high,
        "corrected": found.corrected,
        "probability": float(found.probability[found.index]),
    }


def _doubt(found: Mapping[str, Any]) -> Doubt:
    return {
        "check": str(found["check"]),
        "status": found["status"],
        "figure": number(found["figure"]),
        "threshold": number(found["threshold"]),
        "says": str(found["says"]),
    }


def _cost(rows: Outcomes, cost: Mapping[str, float] | None) -> Cost:
    if cost is not None:
        return {
            "forwards_per_sample": number(cost["forwards_per_sample"]),
            "backwards_per_sample": number(cost["backwards_per_sample"]),
            "seconds": number(cost["seconds"]),
        }
    samples = max(1, len(np.unique(rows.sample)))
    return {
        "forwards_per_sample": float(rows.forwards.sum() / samples),
        "backwards_per_sample": float(rows.backwards.sum() / samples),
        "seconds": None,
    }
