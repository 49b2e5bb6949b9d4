"""T12: a search without gradients must be the weaker attack (Carlini et al., 2019; AutoAttack checks it too)."""

from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding
from weakspot.doubts.hits import judge_hits
from weakspot.maths.losses import margin
from weakspot.threats.square import Square

QUERIES = 1000
WARN = 0.002  # AutoAttack's threshold
FAIL = 0.02


def black_box(context: Context) -> Finding:
    """Square with 1,000 queries on survivors of the audit."""
    assert context.radius is not None
    square = Square(radius=context.radius, queries=QUERIES)
    found = square(context.model, context.images, context.labels, context.sample, context.seed)
    return judge_hits(
        "T12",
        context,
        margin(context.logits(found), context.labels) < 0,
        f"Square, which uses no gradients, with {QUERIES} queries",
        "it should find nothing that gradient attacks miss, so gradients mislead them: run square on all samples",
        warn=WARN,
        fail=FAIL,
    )


CHECK = Check(
    id="T12",
    name="black box beats white box",
    when="audit",
    cost=QUERIES + 1,
    steps=2 * QUERIES,  # drawing a square takes about as long as asking about it
    samples=64,
    run=black_box,
    of="survivors",
    rows=True,
    radius=True,
)
