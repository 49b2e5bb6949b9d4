"""The same model in float64, where rounding hides nothing."""

import copy

import torch
from torch import nn

from weakspot.doubts.context import Context


def in_double(context: Context) -> Context | None:
    """The context with a float64 copy of its model and float64 images; None where there can be no such copy.

    That is so for a model that is no nn.Module, and for one that holds on to float32 in its code. Parameters of the
    copy do not require gradients.
    """
    if not isinstance(context.model, nn.Module):
        return None
    try:
        model = copy.deepcopy(context.model).double().requires_grad_(False)
        with torch.no_grad():
            answer = model(context.images[:2].double())
    except Exception:  # any model may come here, and what it cannot do in float64 is no fault of its
        return None
    if answer.dtype != torch.float64:
        return None
    return Context(
        model=model,
        images=context.images.double(),
        labels=context.labels,
        sample=context.sample,
        classes=context.classes,
        radius=context.radius,
        seed=context.seed,
    )
