"""T17: logits can be so large that float32 loses the cross-entropy's gradient.

In float32 the softmax of the true class rounds to exactly 1 from a margin of 16.75 on (24 bits of mantissa, ln 2^24),
and the other probabilities underflow to 0 from 104 on: the first half of the gradient is lost, then all of it.
"""

import torch

from weakspot.contracts import Images
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.double import in_double
from weakspot.doubts.finding import Finding
from weakspot.maths.losses import cross_entropy

LARGE = 16.0
AGREEMENT = 0.99


def logit_scale(context: Context) -> Finding:
    """The median gap of the two largest logits, and how many signs of the gradient float32 and float64 share."""
    top = context.logits().topk(2, dim=1).values
    gap = (top[:, 0] - top[:, 1]).double()
    median, high = gap.quantile(0.5).item(), gap.quantile(0.99).item()
    says = f"The two largest logits differ by {median:.1f} (median) and {high:.1f} (99 %) on {len(context)} samples"
    twin = in_double(context)
    agreement = 1.0
    if twin is not None:
        single, double = _gradient(context), _gradient(twin)
        agreement = (single.sign() == double.sign()).double().mean().item()
        says += f"; {agreement:.1%} of the cross-entropy's gradient signs agree between float32 and float64"
    if not (median <= LARGE and agreement >= AGREEMENT):
        says += "; the cross-entropy is unreliable at this scale, so believe scale-free losses (DLR) only"
        large = not median <= LARGE
        return Finding("T17", "warn", median if large else agreement, LARGE if large else AGREEMENT, says + ".")
    return Finding("T17", "ok", median, LARGE, says + ".")


def _gradient(context: Context) -> Images:
    x = context.images.detach().requires_grad_()
    with torch.enable_grad():
        value = cross_entropy(context.model(x), context.labels).sum()
        (gradient,) = torch.autograd.grad(value, x)
    return gradient


CHECK = Check(
    id="T17", name="logit scale", when="audit", cost=12, samples=64, run=logit_scale, of="correct", gradient=True
)
