"""T13: blind noise and a single step must not break what the audit's attacks could not (Carlini et al., 2019)."""

import torch

from weakspot.doubts.blind import TOGETHER, blind_margins
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding
from weakspot.doubts.hits import judge_hits
from weakspot.maths.losses import margin
from weakspot.threats.fgsm import Fgsm

DRAWS = 100
"""Of each kind."""
WARN, FAIL = 0.005, 0.02


def noise(context: Context) -> Finding:
    """100 uniform points of the ball, 100 random corners of it, and one step along the gradient where there is one."""
    assert context.radius is not None
    right = margin(context.logits(), context.labels) >= 0
    broken = torch.zeros_like(right)
    for extreme in (False, True):
        for margins in blind_margins(context, float(context.radius), DRAWS, "doubts/T13", extreme):
            broken |= (margins < 0).any(1)
    try:
        stepped = Fgsm(radius=context.radius)(
            context.model, context.images, context.labels, context.sample, context.seed
        )
        broken |= margin(context.logits(stepped), context.labels) < 0
    except RuntimeError:  # no gradient: T5 says so
        pass
    return judge_hits(
        "T13",
        context,
        right & broken,
        f"{2 * DRAWS} random points of the ball and a single gradient step",
        "blind trials should find nothing that iterated attacks miss, so gradients mislead them",
        warn=WARN,
        fail=FAIL,
    )


CHECK = Check(
    id="T13",
    name="noise and single step",
    when="audit",
    cost=2 * DRAWS + 7,
    steps=2 * DRAWS // TOGETHER + 7,
    samples=64,
    run=noise,
    of="survivors",
    rows=True,
    radius=True,
)
