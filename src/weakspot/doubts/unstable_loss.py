"""T7: the loss must not be so rough that a gradient says nothing about its surroundings (IoAF indicator 2)."""

import torch

from weakspot.doubts.blind import TOGETHER, blind_margins
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, Status
from weakspot.maths.losses import margin

DRAWS = 30
ROUGH = 0.10  # the indicator's threshold
VERY_ROUGH = 0.50
ONE_SIDED = 1.645
"""Standard errors below the mean at which 95 % of a normal distribution lie above."""


def unstable_loss(context: Context) -> Finding:
    """The mean of |L(x + r) - L(x)| / |L(x)|, capped at 1, over random r in half the ball; L is the margin.

    It warns if the mean's lower 95 % limit is above 0.1.

    The indicator takes the loss of the attack; the cross-entropy of a confident model is near 0, so that its relative
    change says nothing. The margin's does.
    """
    assert context.radius is not None
    before = margin(context.logits(), context.labels)[:, None]
    scale = torch.where(before == 0, torch.ones_like(before), before.abs())
    changes = [
        ((after - before).abs() / scale).clamp(max=1)
        for after in blind_margins(context, float(context.radius) / 2, DRAWS, "doubts/T7")
    ]
    each = torch.cat(changes, dim=1).mean(dim=1).double()
    figure = each.mean().item()
    # One sample beside the decision boundary has a large relative change: few samples must not warn because of it.
    surely = figure - ONE_SIDED * each.std().item() / len(each) ** 0.5 if len(each) > 1 else figure
    says = (
        f"Random noise of half the radius changes the margin by {figure:.1%} on average ({DRAWS} draws for each of "
        f"{len(context)} correct samples)"
    )
    status: Status = "fail" if surely > VERY_ROUGH else "ok" if surely <= ROUGH else "warn"
    if status != "ok":
        says += "; the loss may be too rough for gradients, so look at the gradient-free checks (T12, T13)"
    return Finding("T7", status, figure, VERY_ROUGH if status == "fail" else ROUGH, says + ".")


CHECK = Check(
    id="T7",
    name="unstable loss",
    when="audit",
    cost=1 + DRAWS,
    steps=1 + -(-DRAWS // TOGETHER),
    samples=64,
    run=unstable_loss,
    of="correct",
    radius=True,
)
