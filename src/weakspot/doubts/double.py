"""The same model in float64, where rounding hides nothing."""

import copy

from torch import nn

from weakspot.doubts.context import Context


def in_double(context: Context) -> Context | None:
    """The context with a float64 copy of its model and float64 images; None for a model that is no nn.Module.

    Parameters of the copy do not require gradients.
    """
    if not isinstance(context.model, nn.Module):
        return None
    model = copy.deepcopy(context.model).double().requires_grad_(False)
    return Context(
        model=model,
        images=context.images.double(),
        labels=context.labels,
        sample=context.sample,
        classes=context.classes,
        radius=context.radius,
        seed=context.seed,
    )
