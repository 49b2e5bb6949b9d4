"""`doctor`: what can be doubted about an evaluation before it is made."""

import copy
from dataclasses import replace

from torch import nn

from weakspot.addresses import Radius
from weakspot.contracts import Classifier, Data
from weakspot.doubts.context import Context, gather
from weakspot.doubts.finding import Finding
from weakspot.doubts.running import examine
from weakspot.outcomes import Outcomes
from weakspot.threats import PRESETS, plan_threats, threat_address
from weakspot.threats.measure import measure

PRESET = "quick"
"""What `full` audits the drawn samples with, so that the checks that read rows have some."""


def doctor(
    module: Classifier, data: Data, radius: Radius | None = None, full: bool = False, seed: int = 0
) -> list[Finding]:
    """Examine a model as it is handed over, in the mode it is in; nothing of it is changed.

    Args:
        module: From images in [0, 1] to logits, on the device where it is to be examined.
        data: Images and labels; 256 of them are used.
        radius: The radius to attack with; by default the data set's customary one.
        full: All checks, also the dear ones, after a small audit of the drawn samples.
        seed: Names all random draws.

    """
    if radius is None and data.radius is not None:
        radius = Radius.of(data.radius)
    if isinstance(module, nn.Module) and any(part.training for part in module.modules()):
        module = copy.deepcopy(module)  # in training mode batch norm would learn from the samples
    context = gather(module, data, radius, seed)
    return examine(audited(context), "full") if full else examine(context, "doctor")


def audited(context: Context) -> Context:
    """The context with the rows of a small audit of its samples; itself where there is no radius or the model fails."""
    if context.radius is None:
        return context
    rows, described = [], []
    try:
        for threat in plan_threats(PRESETS[PRESET], [context.radius]):
            address, radius = threat_address(threat), getattr(threat, "radius", None)
            made, _ = measure(
                context.model, threat, address, context.images, context.labels, context.sample, context.seed
            )
            rows.append(made)
            at = None if radius is None else str(radius)
            described.append({"address": address, "kind": threat.kind, "radius": at})
    except (ValueError, RuntimeError):  # NaN logits, no gradient: T0 and T5 say so
        return context
    return replace(context, rows=Outcomes.join(rows), manifest={"threats": described})
