"""T2: a sample's answer must not depend on the samples beside it, as it does with batch norm in training mode."""

import torch

from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.determinism import relative
from weakspot.doubts.finding import Finding, Status

ALONE = 8
"""So many samples are also asked about one by one."""
SAME = 1e-3
"""Other batch sizes choose other kernels, and with TF32 their rounding shows in the fourth digit."""


def batches(context: Context) -> Finding:
    """Ask about the samples together, in two halves in reverse order, and alone; compare the answers."""
    together = context.logits()
    backwards = context.images.flip(0)
    halves = torch.cat([context.logits(half) for half in backwards.chunk(2)]).flip(0)
    try:
        alone = torch.cat([context.logits(image[None]) for image in context.images[:ALONE]])
    except (ValueError, RuntimeError) as error:
        says = f"The model cannot answer about one image alone ({str(error).splitlines()[0][:100]})."
        return Finding("T2", "fail", None, SAME, says)
    moved = torch.cat([relative(together, halves), relative(together[:ALONE], alone)])
    flipped = torch.cat([together.argmax(1) != halves.argmax(1), together[:ALONE].argmax(1) != alone.argmax(1)])
    # A prediction that rounding alone turns is a tie, not a dependence.
    changed = int((flipped & (moved > SAME)).sum())
    worst = moved.amax().item()
    says = (
        f"Of {len(context)} samples asked about together, in two halves and {min(ALONE, len(context))} of them alone, "
        f"{changed} answers changed and the logits moved by at most {worst:.1e} of their length"
    )
    if worst > SAME:
        says += "; a prediction depends on its batch (batch norm in training mode, or adaptation at test time)"
    status: Status = "fail" if changed else "warn" if worst > SAME else "ok"
    return Finding("T2", status, worst, SAME, says + ".")


CHECK = Check(id="T2", name="batch independence", when="doctor", cost=3, samples=64, run=batches)
