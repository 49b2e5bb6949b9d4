"""T4: did every threat stay in its set? The audit has measured each returned image afresh; this reads the rows."""

import numpy as np

from weakspot.addresses import Radius
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, grade
from weakspot.threats.measure import REFUSED, tolerance


def returned(context: Context) -> Finding:
    """Count refused images (out of the ball or of [0, 1], NaN pixels or logits) and distances beyond the radius."""
    rows = context.rows
    assert rows is not None  # `examine` leaves this check out without rows
    wrong = rows.found_by == REFUSED
    wrong |= ~np.isfinite(rows.margin) | ~np.isfinite(rows.distance_linf) | ~np.isfinite(rows.distance_l2)
    for threat in (context.manifest or {}).get("threats", ()):
        if threat["radius"] is not None:
            radius = Radius.of(threat["radius"])
            distance = rows.distance_linf if radius.norm == "linf" else rows.distance_l2
            beyond = distance > tolerance(float(radius))
            wrong |= beyond & (rows.threat == threat["address"]) & (radius.norm != "l1")
    attacked = int((rows.threat != "clean").sum())
    says = f"Of {attacked} returned images {int(wrong.sum())} left their set or made the model return NaN"
    if wrong.any():
        threats = ", ".join(sorted({str(name) for name in rows.threat[wrong]})[:3])
        says += f" and were counted as clean ({threats}); the robust accuracy is too high until that threat is mended"
    return grade("T4", float(wrong.sum()) / max(attacked, 1), says + ".", warn=0.0, fail=0.0)


CHECK = Check(id="T4", name="returned images", when="doctor", cost=0, samples=0, run=returned, rows=True)
