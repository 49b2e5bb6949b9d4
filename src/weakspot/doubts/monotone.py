"""T14: a larger ball holds the smaller one, so accuracy must fall as the radius grows, and reach 0 (Carlini, 2019)."""

import numpy as np
import torch
from jaxtyping import Bool, Float

from weakspot.analysis.arrays import Labels
from weakspot.analysis.paired import mcnemar, paired
from weakspot.doubts.attack import ascend, whole_box
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding

FACTORS = (0.5, 1.0, 2.0, 4.0, 8.0)
STEPS = 20
LEFT = 0.05
"""More accuracy than this at 8 times the radius is a doubt, if that radius is a quarter of the box or more."""
ALPHA = 0.05


def monotone(context: Context) -> Finding:
    """Attack afresh at 1/2, 1, 2, 4 and 8 times the radius; the larger attacks know nothing of the smaller ones."""
    assert context.radius is not None
    most = whole_box(context.images, context.radius.norm)
    sizes = [min(float(context.radius) * factor, most) for factor in FACTORS]
    # All radii in one batch: a small batch takes nearly as long as a large one.
    many = context.take(torch.arange(len(context)).repeat(len(sizes)))
    lowest = ascend(many, context.images.new_tensor(sizes).repeat_interleave(len(context)), STEPS).lowest
    robust = (lowest >= 0).view(len(sizes), -1).cpu().numpy()
    accuracy = robust.mean(1)
    rises = rising(robust, context.labels.cpu().numpy(), len(context.classes))
    listed = ", ".join(f"{share:.0%} at {factor:g}x" for share, factor in zip(accuracy, FACTORS, strict=True))
    says = f"Robust accuracy on {len(context)} correct samples is {listed} the radius"
    rise = float(np.diff(accuracy).max())
    if rises:
        then = "it rises with the radius, so the attack misses what lies in the smaller ball"
        return Finding("T14", "fail", rise, 0.0, f"{says}; {then}.")
    if accuracy[-1] > LEFT and sizes[-1] >= most / 4:
        then = "no image should withstand so large a radius, so the attack is blocked"
        return Finding("T14", "fail", float(accuracy[-1]), LEFT, f"{says}; {then}.")
    return Finding("T14", "ok", rise, 0.0, f"{says}.")


def rising(robust: Bool[np.ndarray, "radii samples"], label: Labels, classes: int) -> bool:
    """Whether accuracy rises from one radius to the next, over all samples or in a class, beyond chance.

    Exact McNemar at 5 % for all samples, and per class with Holm's adjustment.
    """
    for small, large in zip(robust, robust[1:], strict=False):
        lost, gained = int((small & ~large).sum()), int((large & ~small).sum())
        if gained > lost and mcnemar(lost, gained) < ALPHA:
            return True
        each: Float[np.ndarray, " classes"] = paired(small, large, label, classes).p_holm
        up = np.bincount(label[large & ~small], minlength=classes) > np.bincount(
            label[small & ~large], minlength=classes
        )
        if (each[up] < ALPHA).any():
            return True
    return False


CHECK = Check(
    id="T14",
    name="monotone in the radius",
    when="audit",
    cost=len(FACTORS) * (3 * STEPS + 3),
    samples=32,
    steps=3 * STEPS + 3,
    run=monotone,
    of="correct",
    radius=True,
    gradient=True,
)
