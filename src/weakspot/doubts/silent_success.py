"""T8: an attack that passed by a success and returned something else (IoAF indicator 3): keep the best point."""

import numpy as np

from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, grade, not_checked
from weakspot.doubts.replay import adversarial, replay


def silent_success(context: Context) -> Finding:
    """Run the audit's threats again; count samples that a point on the way broke and the returned image did not."""
    threats = adversarial(context)
    if not threats:
        return not_checked("T8", "the audit ran no adversarial threat at this radius")
    lost, who = np.zeros(len(context), dtype=bool), []
    for ran in threats:
        again = replay(context, ran.address)
        passed = np.array([(path < 0).any() for path in again.paths]) & (again.returned >= 0).numpy()
        lost |= passed
        who += [ran.address] if passed.any() else []
    says = f"{int(lost.sum())} of {len(context)} samples were broken on the way and came back unbroken"
    if who:
        says += f" ({', '.join(who[:3])}); such a threat must return the best point that it met"
    return grade("T8", float(lost.mean()), says + ".", warn=0.0, fail=0.0)


CHECK = Check(
    id="T8",
    name="silent success",
    when="audit",
    cost=lambda context: 2 + sum(ran.cost for ran in adversarial(context)),
    steps=lambda context: 2 + sum(ran.longest for ran in adversarial(context)),
    samples=16,
    of="survivors",
    run=silent_success,
    rows=True,
    radius=True,
    gradient=True,
)
