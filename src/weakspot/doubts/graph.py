"""T5: the gradient must reach the input and be the model's own.

IoAF's indicator 1 (Pintor et al., 2022), with finite differences added. A part behind `detach` or `no_grad` stops the
gradient; one with a made-up gradient (a straight-through estimator) returns another function's. Both leave an attack
that follows the gradient with less than the model gives away.
"""

import torch

from weakspot.contracts import Images, PerSample
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.double import in_double
from weakspot.doubts.finding import Finding, grade
from weakspot.maths.balls import steepest
from weakspot.maths.losses import margin
from weakspot.rng import uniform

STEP = 1e-5
"""Of the finite difference, in pixels of [0, 1]; in float64 its error is about 1e-10 relative."""
DIFFERENT = 0.1
"""Relative difference between slope and gradient beyond which they disagree; a kink between two points is rare."""


def interruption(context: Context) -> str | None:
    """Why no gradient reaches the input, in torch's words; None where one does."""
    try:
        _gradient(context, context.images)
    except RuntimeError as error:
        return str(error).splitlines()[0][:100]
    return None


def graph(context: Context) -> Finding:
    """Fail if there is no gradient; else compare its length with the slope of the margin along it, in float64."""
    if (why := interruption(context)) is not None:
        says = (
            f"No gradient reaches the input ({why}); attacks that follow gradients are blind, so replace the part that "
            "stops it (BPDA) or trust gradient-free attacks alone."
        )
        return Finding("T5", "fail", 1.0, 0.0, says)
    twin = in_double(context)
    if twin is None:
        return Finding("T5", "ok", 0.0, 0.0, "The gradient reaches the input (it was not compared with differences).")
    # Inside (0, 1) and away from ties: a background of equal pixels makes max pooling kink in every direction.
    noise = uniform(tuple(context.images.shape[1:]), context.sample, context.seed, "doubts/graph")
    x = 0.02 + 0.96 * twin.images + 0.01 * noise.to(twin.images)
    _, gradient = _gradient(twin, x)
    along = steepest(gradient, "l2")
    with torch.no_grad():
        ahead, behind = (margin(twin.model(x + sign * STEP * along), twin.labels) for sign in (1, -1))
    slope, length = (ahead - behind) / (2 * STEP), gradient.flatten(1).norm(dim=1)
    differ = (slope - length).abs() > DIFFERENT * torch.maximum(slope.abs(), length) + 1e-9
    share = differ.double().mean().item()
    says = (
        f"For {int(differ.sum())} of {len(context)} samples the slope of the margin along its gradient is not the "
        "gradient's length"
    )
    if share > 0.1:
        says += "; a part of the model is not differentiable or has a made-up gradient, which misleads attacks"
    return grade("T5", share, says + ".", warn=0.1, fail=0.5)


def _gradient(context: Context, x: Images) -> tuple[PerSample, Images]:
    """The margin at `x` and its gradient; a RuntimeError where the graph is interrupted."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        value = margin(context.model(x), context.labels)
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), gradient


CHECK = Check(id="T5", name="interrupted graph", when="doctor", cost=16, samples=32, run=graph)
