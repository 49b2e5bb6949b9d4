"""summary.json's `overstated`: for each attack, the part of its accuracy that all attacks together do not confirm."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from weakspot.addresses import ThreatAddress
from weakspot.analysis.overstated import Overstated as Found
from weakspot.analysis.overstated import overstated
from weakspot.outcomes import Outcomes
from weakspot.report.numbers import number
from weakspot.report.schema_overstated import Overstated, OverstatedClass

ADVERSARIAL: Final = "adversarial"
WEAK = frozenset({"fgsm", "square", "transfer", "stored", "targeted", "pairs"})
"""Attacks that are expected to lie far above robust accuracy: one step (FGSM); no gradients of this model (Square, a
surrogate's or another run's images); aimed at given classes (a targeted attack, directed pairs). Nobody takes one for a
measure of robustness, and a flag that every run raises warns of nothing: they are listed, and not flagged."""


def overstating(
    manifest: Mapping[str, Any],
    rows: Mapping[str, Outcomes],
    clean: Outcomes,
    robust: Mapping[str, Outcomes],
    names: list[str],
) -> list[Overstated]:
    """Each attack that all images of its radius went through; empty where no radius has two attacks.

    An ensemble such as `standard` is one attack, as it is one threat of the run.

    Args:
        manifest: The run's manifest; its threats have an address, a kind and a radius.
        rows: The rows by threat.
        clean: The clean rows; what is wrong there is so under every attack.
        robust: One row per sample of the worst case over all attacks, by radius ("" for none).
        names: The classes.

    """
    attacks = [threat for threat in manifest["threats"] if threat["kind"] == ADVERSARIAL]
    made: list[Overstated] = []
    for threat in attacks:
        worst, mine = robust[threat["radius"] or ""], rows[threat["address"]]
        rivals = sum(other["radius"] == threat["radius"] for other in attacks) - 1
        # Stored images may be of some samples only: there the attack would pass for one that broke nothing.
        if rivals and len(worst) and np.isin(worst.sample, mine.sample).all():
            broken = np.concatenate([each.sample[~each.correct] for each in (clean, mine)])
            alone = ~np.isin(worst.sample, broken)
            made.append(_one(threat, overstated(alone, worst.correct, worst.label, len(names)), names))
    return made


def weak_by_design(address: str) -> bool:
    """Whether an attack is one of `WEAK`, or any other that takes a single step."""
    read = ThreatAddress.of(address)
    return read.name in WEAK or ("steps", "1") in read.options


def _one(threat: Mapping[str, Any], found: Found, names: list[str]) -> Overstated:
    weak = weak_by_design(threat["address"])
    classes: list[OverstatedClass] = [
        {
            "name": name,
            "samples": int(found.samples[c]),
            "count": int(found.count[c]),
            "value": number(found.share[c]),
            "low": number(found.limits.low[c]),
            "high": number(found.limits.high[c]),
            "flagged": bool(found.flagged_classes[c]) and not weak,
        }
        for c, name in enumerate(names)
    ]
    return {
        "threat": threat["address"],
        "radius": threat["radius"],
        "weak": weak,
        "alone": number(found.alone),
        "together": number(found.together),
        "value": number(found.overall.value),
        "low": number(found.overall.low),
        "high": number(found.overall.high),
        "flagged": found.flagged and not weak,
        "classes": classes,
    }
