"""T15: twice the steps from another start must find nothing new (Carlini et al., 2019)."""

from weakspot.doubts.attack import ascend
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding
from weakspot.doubts.hits import judge_hits

STEPS = 200
WARN, FAIL = 0.005, 0.02


def doubling(context: Context) -> Finding:
    """APGD-DLR with 200 steps on survivors of the audit, twice what its attacks take."""
    assert context.radius is not None
    search = ascend(context, float(context.radius), STEPS)
    return judge_hits(
        "T15",
        context,
        search.lowest < 0,
        f"{STEPS} steps from another random start",
        "the audit's attacks stopped too early, so its robust accuracy is too high: use more steps or restarts",
        warn=WARN,
        fail=FAIL,
    )


CHECK = Check(
    id="T15",
    name="iteration doubling",
    when="audit",
    cost=3 * STEPS + 3,
    samples=64,
    run=doubling,
    of="survivors",
    rows=True,
    radius=True,
    gradient=True,
)
