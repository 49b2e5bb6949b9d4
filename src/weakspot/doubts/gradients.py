"""T6: gradients that are zero or NaN, at the image and at a random start, where attacks begin (IoAF, AutoAttack)."""

import torch

from weakspot.contracts import Images
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, Status, not_checked
from weakspot.maths.balls import start_noise
from weakspot.maths.losses import cross_entropy, margin

WARN, FAIL = 0.01, 0.10
WITHOUT_RADIUS = 8 / 255
"""How far the random start may be where no radius is given."""


def gradients(context: Context) -> Finding:
    """The share of correct samples without a usable gradient of the margin (fails) or of the cross-entropy (warns).

    The cross-entropy alone loses its gradient when logits are large; scale-free losses then still work, so that warns.
    """
    context = context.correct()
    if not len(context):
        return not_checked("T6", "no sample is classified correctly")
    size = float(context.radius) if context.radius is not None else WITHOUT_RADIUS
    norm = context.radius.norm if context.radius is not None and context.radius.norm != "l1" else "linf"
    radii = context.images.new_full((len(context),), size)
    start = context.images + start_noise(context.images, radii, norm, context.sample, context.seed)
    margins, entropies = 0.0, 0.0
    for x in (context.images, start.clamp(0, 1)):
        without = _without(context, x)
        margins, entropies = max(margins, without[0]), max(entropies, without[1])
    worst = max(margins, entropies)
    status: Status = "fail" if margins > FAIL else "warn" if worst > WARN else "ok"
    says = (
        f"At the image or at a random start {margins:.1%} of {len(context)} correct samples have a margin whose "
        f"gradient is zero or NaN, and {entropies:.1%} such a cross-entropy"
    )
    if margins > WARN:
        says += "; gradient attacks stand still there, so look at the gradient-free ones"
    elif entropies > WARN:
        says += "; the logits are so large that the cross-entropy loses its gradient: believe scale-free losses (DLR)"
    return Finding("T6", status, worst, FAIL if status == "fail" else WARN, says + ".")


def _without(context: Context, x: Images) -> tuple[float, float]:
    """The share of samples without a finite non-zero gradient: of the margin, of the cross-entropy."""
    x = x.detach().requires_grad_()
    shares = []
    with torch.enable_grad():
        logits = context.model(x)
        for loss in (margin, cross_entropy):
            (gradient,) = torch.autograd.grad(loss(logits, context.labels).sum(), x, retain_graph=True)
            flat = gradient.flatten(1)
            shares.append(((flat == 0).all(1) | ~torch.isfinite(flat).all(1)).double().mean().item())
    return shares[0], shares[1]


CHECK = Check(id="T6", name="zero gradients", when="doctor", cost=11, samples=64, run=gradients, gradient=True)
