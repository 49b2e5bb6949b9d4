"""T22: a far dearer attack on a part of the survivors, and the slack that its result leaves to the robust accuracy."""

from weakspot.addresses import Radius
from weakspot.contracts import Threat
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding
from weakspot.doubts.hits import judge_hits
from weakspot.maths.losses import margin
from weakspot.threats import PRESETS, parse_threat

ANCHOR = "autoattack"
WARN, FAIL = 0.005, 0.02
SEED = 1
"""Added to the run's seed, so that no random start of the audit comes back."""


def anchor_threats(radius: Radius) -> list[Threat]:
    """The anchor: AutoAttack 'standard'."""
    return [parse_threat(address, radius) for address in PRESETS[ANCHOR]]


def anchor(context: Context) -> Finding:
    """The share of survivors that the anchor breaks; its upper 95 % limit is the audit's attack slack."""
    assert context.radius is not None
    standing = context.take(len(context))
    for threat in anchor_threats(context.radius):
        if not len(standing):
            break
        attacked = threat(standing.model, standing.images, standing.labels, standing.sample, context.seed + SEED)
        held = (attacked - standing.images).isfinite().flatten(1).all(1)
        standing = standing.take(~held | (margin(standing.logits(attacked), standing.labels) >= 0))
    broken = ~(context.sample[:, None] == standing.sample[None]).any(1)
    return judge_hits(
        "T22",
        context,
        broken,
        "AutoAttack",
        "subtract that from the robust accuracy, or audit with that attack",
        warn=WARN,
        fail=FAIL,
    )


CHECK = Check(
    id="T22",
    name="reference anchor",
    when="full",
    cost=12000,
    samples=100,
    run=anchor,
    of="survivors",
    rows=True,
    radius=True,
    gradient=True,
)
