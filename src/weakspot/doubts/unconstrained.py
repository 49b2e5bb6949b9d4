"""T11: an attack that may do anything within [0, 1] must break everything (IoAF indicator 6; Carlini et al., 2019)."""

from weakspot.doubts.attack import ascend, whole_box
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, grade
from weakspot.maths.losses import cross_entropy, dlr

STEPS = 25
WARN, FAIL = 0.0, 0.10


def unconstrained(context: Context) -> Finding:
    """The share of correct samples that APGD cannot break without a radius, with DLR and then cross-entropy."""
    assert context.radius is not None
    search = ascend(context, whole_box(context.images, context.radius.norm), STEPS, (dlr, cross_entropy))
    standing = len(search.alive())
    says = f"Without a radius, {standing} of {len(context)} correct samples withstood {STEPS} steps of two attacks"
    if standing:
        says += "; some image of another class was within reach, so gradients do not lead there"
    return grade("T11", standing / len(context), says + ".", warn=WARN, fail=FAIL)


CHECK = Check(
    id="T11",
    name="unconstrained attack",
    when="audit",
    cost=6 * STEPS + 6,
    samples=64,
    run=unconstrained,
    of="correct",
    radius=True,
    gradient=True,
)
