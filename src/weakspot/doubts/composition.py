"""T21: threats only take away: wrong when clean is wrong under attack, and a larger ball holds the smaller one."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from weakspot.addresses import Radius
from weakspot.analysis.worst_case import worst_case
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding
from weakspot.outcomes import Outcomes


def composition(context: Context) -> Finding:
    """Count attacked samples that are right though wrong when clean, and samples broken at a smaller radius only."""
    assert context.rows is not None
    rows, manifest = context.rows, context.manifest or {}
    clean = rows.of("clean")
    wrong = clean.sample[~clean.correct]
    attacked = np.isin(rows.threat, [t["address"] for t in manifest.get("threats", ()) if t["kind"] == "adversarial"])
    revived = int((attacked & rows.correct & np.isin(rows.sample, wrong)).sum())
    inverted = _inverted(rows, manifest)
    says = (
        f"{revived} of {int(attacked.sum())} attacked samples were right under attack though wrong when clean, and "
        f"{inverted} were broken at a smaller radius only"
    )
    if revived:
        says += "; rows contradict each other, so do not use this run"
        return Finding("T21", "fail", float(revived), 0.0, says + ".")
    if inverted:
        says += "; the attack at the larger radius missed what lies in the smaller ball, so it is too weak"
        return Finding("T21", "warn", float(inverted), 0.0, says + ".")
    return Finding("T21", "ok", 0.0, 0.0, says + ".")


def _inverted(rows: Outcomes, manifest: Mapping[str, Any]) -> int:
    """How many (sample, pair of radii of one norm) are robust at the larger radius and broken at the smaller one."""
    by_radius: dict[str, list[str]] = {}
    for threat in manifest.get("threats", ()):
        if threat["kind"] == "adversarial" and threat["radius"] is not None:
            by_radius.setdefault(threat["radius"], []).append(threat["address"])
    robust = {Radius.of(radius): worst_case(rows, ["clean", *names]) for radius, names in by_radius.items()}
    count = 0
    for small, large in combinations(sorted(robust, key=float), 2):
        if small.norm == large.norm:
            broken = robust[small].sample[~robust[small].correct]
            standing = robust[large].sample[robust[large].correct]
            count += len(np.intersect1d(broken, standing))
    return count


CHECK = Check(id="T21", name="monotone composition", when="audit", cost=0, samples=0, run=composition, rows=True)
