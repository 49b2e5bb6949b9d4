"""T9: the attack must not be getting anywhere any more when it stops: IoAF indicator 4, on the dearest threat."""

import numpy as np
from jaxtyping import Float

from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, grade, not_checked
from weakspot.doubts.replay import adversarial

LAST = 10
MOVING = 0.05


def incomplete(context: Context) -> Finding:
    """The mean progress in the last 10 steps, as a share of all progress, over samples that it did not break."""
    threats = adversarial(context)
    replays = context.memo.get("replays", {})
    if not threats or threats[0].address not in replays:
        return not_checked("T9", "T8 did not run the dearest threat again")
    address = threats[0].address
    again = replays[address]
    progress = [late_progress(path) for path in again.paths if len(path) > 1 and path.min() >= 0]
    if not progress:
        return not_checked("T9", f"{address} broke all {len(context)} samples")
    figure = float(np.mean(progress))
    says = f"{address} made {figure:.1%} of its progress on {len(progress)} unbroken samples in its last {LAST} steps"
    if figure > MOVING:
        says += "; it stopped too early, so give it more steps"
    return grade("T9", figure, says + ".", warn=MOVING, fail=0.5)


def late_progress(path: Float[np.ndarray, " steps"]) -> float:
    """How much of the path's range the best margin so far still fell in the last 10 steps; 0 for a path without range.

    Short paths have a shorter end: half of them.
    """
    best = np.minimum.accumulate(path)
    scale = path.max() - path.min()
    last = min(LAST, len(path) // 2)
    return float((best[-1 - last] - best[-1]) / scale) if scale > 0 else 0.0


CHECK = Check(
    id="T9",
    name="incomplete optimisation",
    when="audit",
    cost=0,  # T8 has run the threat on the same samples
    samples=16,
    run=incomplete,
    rows=True,
    radius=True,
    gradient=True,
    of="survivors",
)
