"""summary.json: the numbers of a run, computed from its rows by `weakspot.analysis`; this file only puts them in order.

`weakspot.store.write_json` writes it; it holds no NaN.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from weakspot.analysis.worst_case import worst_case
from weakspot.outcomes import Outcomes
from weakspot.report.cells import cell
from weakspot.report.corrupted import corrupted
from weakspot.report.curves import curves
from weakspot.report.directed import directed_pairs
from weakspot.report.imbalance import imbalance
from weakspot.report.latent_tables import latent_block
from weakspot.report.numbers import number
from weakspot.report.overstated import ADVERSARIAL, overstating
from weakspot.report.relations import relations
from weakspot.report.schema import SCHEMA, Cell, Cost, Doubt, Pairs, Summary

CLEAN = "clean"


def summarise(
    manifest: Mapping[str, Any],
    rows: Outcomes,
    doubts: Iterable[Mapping[str, Any]] = (),
    cost: Mapping[str, float] | None = None,
    missing: Sequence[str] = (),
    latent: Mapping[str, Any] | None = None,
) -> Summary:
    """The numbers of a run, with the keys of `schema.json`, as plain Python values.

    Args:
        manifest: The run's manifest.json.
        rows: All rows that exist.
        doubts: Findings about the evaluation itself.
        cost: What the run spent; without it, evaluations are counted from the rows and the time is unknown.
        missing: Planned files of outcomes that do not exist yet. A sample that still lacks a row of an attack is left
            out of the worst case over attacks: calling it robust would be a guess.
        latent: The run's latent.json, where there is one.

    """
    names = list(manifest["data"]["classes"])
    seed = int(manifest["seed"])
    kinds: dict[str, Any] = {threat["address"]: threat["kind"] for threat in manifest["threats"]}
    by_threat = _by_threat(rows, list(kinds))
    clean = by_threat.get(CLEAN, rows.where(np.zeros(0, dtype=np.int64)))
    threats = {
        address: cell(_one_per_sample(by_threat[address], address), clean, kind, names, seed)
        for address, kind in kinds.items()
    }
    worst = {radius: robust_rows(manifest, by_threat, radius, missing) for radius in _radii(manifest)}
    robust = {radius: cell(each, clean, ADVERSARIAL, names, seed) for radius, each in worst.items()}
    first, first_rows = next(iter(robust.values()), None), next(iter(worst.values()), None)
    spoiled = {a: by_threat[a] for a, kind in kinds.items() if kind == "corruption"}
    substituted = [t["address"] for t in manifest["threats"] if t["address"] in spoiled and not t["comparable"]]
    corruption = corrupted(spoiled, clean, names, seed, substituted)
    conditions: dict[str, Cell | None] = {"clean": threats.get(CLEAN), "robust": first, "corrupted": corruption}
    related = {"clean": clean} | ({} if first_rows is None else {"robust": first_rows})
    corrupting = {} if corruption is None else {"corrupted": Outcomes.join(list(spoiled.values()))}
    return {
        "schema": SCHEMA,
        "model": dict(manifest["model"]),
        "data": {"name": manifest["data"]["name"], "classes": names, "samples": int(manifest["data"]["samples"])},
        "threats": threats,
        "robust": first,
        "robust_at": dict(list(robust.items())[1:]),
        "overstated": overstating(manifest, by_threat, clean, worst, names),
        "corrupted": corruption,
        "pairs": _pairs(manifest, by_threat, clean, names),
        "curves": curves(manifest, by_threat, names),
        "imbalance": imbalance(manifest, related | corrupting, clean, names, seed),
        "relations": relations(related, {k: c for k, c in conditions.items() if c is not None}, len(names), seed),
        "psi": None,
        "latent": latent_block(latent),
        "doubts": [_doubt(doubt) for doubt in doubts],
        "cost": _cost(rows, cost),
        "missing": [str(file) for file in missing],
    }


def _by_threat(rows: Outcomes, addresses: Sequence[str]) -> dict[str, Outcomes]:
    """The rows of each threat, in their order; one pass over the rows, of which there may be millions."""
    place = {address: at for at, address in enumerate(addresses)}
    which = np.fromiter((place.get(threat, -1) for threat in rows.threat), np.int64, len(rows))
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(len(addresses) + 1))
    return {address: rows.where(order[bounds[at] : bounds[at + 1]]) for address, at in place.items()}


def _radii(manifest: Mapping[str, Any]) -> list[str]:
    """The radii of the adversarial threats, in the manifest's order; "" where a threat has none."""
    return list(dict.fromkeys(t["radius"] or "" for t in manifest["threats"] if t["kind"] == ADVERSARIAL))


def _one_per_sample(rows: Outcomes, threat: str) -> Outcomes:
    """The threat's rows; where a sample has several (targets), its worst one."""
    return rows if len(np.unique(rows.sample)) == len(rows) else worst_case(rows, [threat])


def _attacks(manifest: Mapping[str, Any], radius: str) -> list[str]:
    """The adversarial threats of a radius."""
    return [
        threat["address"]
        for threat in manifest["threats"]
        if threat["kind"] == ADVERSARIAL and (threat["radius"] or "") == radius
    ]


def robust_rows(
    manifest: Mapping[str, Any], rows: Mapping[str, Outcomes], radius: str, missing: Sequence[str]
) -> Outcomes:
    """The worst case over clean and the attacks of `radius`, of the samples that no missing unit may still break."""
    attacks = [address for address in (CLEAN, *_attacks(manifest, radius)) if address in rows]
    absent = set(missing)
    waiting = {unit["threat"] for unit in manifest["units"] if unit["file"] in absent}
    worst = worst_case(Outcomes.join([rows[address] for address in attacks]), attacks)
    for threat in attacks:
        if threat in waiting:
            worst = worst.where(np.isin(worst.sample, rows[threat].sample))
    return worst


def _pairs(
    manifest: Mapping[str, Any], rows: Mapping[str, Outcomes], clean: Outcomes, names: list[str]
) -> Pairs | None:
    """The directed pairs at the first radius that has targeted rows."""
    for radius in _radii(manifest):
        attacks = _attacks(manifest, radius)
        aiming = [address for address in attacks if (rows[address].target >= 0).any()]
        if aiming:
            free = [CLEAN, *(address for address in attacks if address not in aiming)]
            untargeted = worst_case(Outcomes.join([rows[address] for address in free if address in rows]), free)
            targeted = Outcomes.join([rows[address] for address in aiming])
            return directed_pairs(targeted, untargeted, clean, aiming, radius, names)
    return None


def _doubt(found: Mapping[str, Any]) -> Doubt:
    # Runs of before `skipped` existed have ok there, and say it in words.
    left_out = found["figure"] is None and str(found["says"]).startswith("Not checked")
    return {
        "check": str(found["check"]),
        "status": "skipped" if left_out else found["status"],
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
