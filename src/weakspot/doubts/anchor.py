"""T22: a far dearer attack on a part of the survivors, and the slack that its result leaves to the robust accuracy."""

from weakspot.addresses import Radius
from weakspot.contracts import Threat
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding
from weakspot.doubts.hits import bounds
from weakspot.maths.losses import margin
from weakspot.threats import PRESETS, parse_threat

ANCHOR = "autoattack"
TOLERATED = 0.05
"""A larger slack warns: 100 survivors of which none breaks leave 3 %, one leaves 4.7 %."""
FAIL = 0.02
"""It fails if the share that breaks is above this beyond chance."""
SEED = 1
"""Added to the run's seed, so that no random start of the audit comes back."""


def anchor_threats(radius: Radius) -> list[Threat]:
    """The anchor: AutoAttack 'standard'."""
    return [parse_threat(address, radius) for address in PRESETS[ANCHOR]]


def anchor(context: Context) -> Finding:
    """The share of survivors that the anchor breaks; the finding's figure is its upper 95 % limit, the attack slack."""
    assert context.radius is not None
    standing = context.take(len(context))
    for threat in anchor_threats(context.radius):
        if not len(standing):
            break
        attacked = threat(standing.model, standing.images, standing.labels, standing.sample, context.seed + SEED)
        held = (attacked - standing.images).isfinite().flatten(1).all(1)
        standing = standing.take(~held | (margin(standing.logits(attacked), standing.labels) >= 0))
    hits = len(context) - len(standing)
    low, slack = bounds(hits, len(context))
    says = (
        f"AutoAttack broke {hits} of {len(context)} samples that the audit left standing; attack slack: with 95 % "
        f"confidence it would break at most {slack:.1%} of all that are left"
    )
    if low > FAIL:
        says += "; the audit is too weak for this model, so audit with `--preset autoattack`"
        return Finding("T22", "fail", slack, TOLERATED, says + ".")
    if slack > TOLERATED:
        says += "; subtract that share from the robust accuracy, or examine more samples"
        return Finding("T22", "warn", slack, TOLERATED, says + ".")
    return Finding("T22", "ok", slack, TOLERATED, says + ".")


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
