"""T3: an attack that may not move must change nothing (torchattacks issue 124: accuracy differed at radius 0)."""

import torch

from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, grade
from weakspot.maths.losses import cross_entropy, margin
from weakspot.threats.pgd import pgd
from weakspot.threats.search import Search

STEPS = 3
SAME = 1e-3


def identity(context: Context) -> Finding:
    """PGD at radius 0: no image may change, no sample may be broken, no margin may differ while a gradient is taken."""
    norm = context.radius.norm if context.radius is not None and context.radius.norm != "l1" else "linf"
    search = Search(context.model, context.images, context.labels, context.sample, context.seed)
    rows = torch.arange(len(context), device=context.images.device)
    right = search.lowest >= 0
    nothing = context.images.new_zeros(len(context))
    pgd(search, rows, nothing, norm, cross_entropy, STEPS, 0.1, "doubts/T3")
    broken = right & (search.lowest < 0)
    moved = (search.best != context.images).flatten(1).any(1)
    # A model may also answer more safely while a gradient is taken; no margin would fall then.
    before = margin(search.clean_logits, context.labels)
    during, _ = search.gradient(context.images, rows, margin)
    differs = (during - before).abs() > SAME * search.clean_logits.abs().amax(1) + SAME
    wrong = int((broken | moved | differs).sum())
    says = f"An attack of radius 0 changed the answer or the image of {wrong} of {len(context)} samples"
    if wrong:
        says += "; the model answers differently during an attack than before it, so successes are partly chance"
    return grade("T3", wrong / len(context), says + ".", warn=0.0, fail=0.0)


CHECK = Check(id="T3", name="radius 0", when="doctor", cost=5 + 3 * STEPS, samples=64, run=identity, gradient=True)
