"""T16: what only a scale-free loss breaks is hidden from the cross-entropy (60.0 against 52.9 % in one publication)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from weakspot.addresses import ThreatAddress
from weakspot.doubts.attack import ascend
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding
from weakspot.doubts.hits import bounds
from weakspot.maths.losses import cross_entropy, dlr
from weakspot.outcomes import Outcomes

STEPS = 50
MASKED = 0.02
PAIR = ("apgd-ce", "apgd-dlr")
"""The same attack with either loss."""


def loss_disagreement(context: Context) -> Finding:
    """The share of correct samples that fall to APGD-DLR and not to APGD-CE, from the rows where both were run."""
    found = pair(context.manifest or {}, str(context.radius)) if context.rows is not None else None
    if context.rows is not None and found is not None:
        entropy, ratio = (_right(context.rows, address) for address in found)
        right = _right(context.rows, "clean")
    else:
        right = (context.logits().argmax(1) == context.labels).cpu().numpy()
        assert context.radius is not None
        entropy, ratio = (
            (ascend(context, float(context.radius), STEPS, (loss,)).lowest >= 0).cpu().numpy()
            for loss in (cross_entropy, dlr)
        )
    only, samples = int((right & entropy & ~ratio).sum()), int(right.sum())
    other = int((right & ratio & ~entropy).sum())
    says = f"Of {samples} correct samples {only} fell to DLR, a scale-free loss, alone and {other} to CE alone"
    # The lower limit, not the share: both losses miss a few by chance.
    if bounds(only, samples)[0] > MASKED:
        says += "; the cross-entropy alone misses those, so accuracies under PGD or APGD-CE alone are too high"
        return Finding("T16", "warn", only / samples, MASKED, says + ".")
    return Finding("T16", "ok", only / max(samples, 1), MASKED, says + ".")


def pair(manifest: Mapping[str, Any], radius: str) -> tuple[str, str] | None:
    """The addresses of the two attacks at this radius, with equal options; None if the audit did not run both."""
    run: dict[tuple[object, ...], dict[str, str]] = {}
    for threat in manifest.get("threats", ()):
        address = ThreatAddress.of(threat["address"])
        if threat["radius"] == radius and address.name in PAIR:
            run.setdefault(address.options, {})[address.name] = threat["address"]
    both = [found for found in run.values() if len(found) == len(PAIR)]
    return (both[0][PAIR[0]], both[0][PAIR[1]]) if both else None


def _right(rows: Outcomes, threat: str) -> np.ndarray:
    """Which samples are correct under a threat, by number of the sample."""
    mine = rows.of(threat)
    return mine.correct[np.argsort(mine.sample, kind="stable")]


def _cost(context: Context) -> int:
    ran = context.rows is not None and pair(context.manifest or {}, str(context.radius)) is not None
    return 0 if ran else 2 * (3 * STEPS + 3)


CHECK = Check(
    id="T16",
    name="loss disagreement",
    when="audit",
    cost=_cost,
    samples=64,
    run=loss_disagreement,
    radius=True,
    gradient=True,
)
