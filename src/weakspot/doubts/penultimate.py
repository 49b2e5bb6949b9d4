"""The features that a model's last layer sees, with their graph."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weakspot.contracts import Images

Features = Float[Tensor, "batch features"]


def last_layer(model: object, images: Images, classes: int) -> nn.Module | None:
    """The module that turns features into logits: the attribute `head`, else the last nn.Linear with K outputs.

    None where there is no such module (a function, or a convolution as the last layer).
    """
    if not isinstance(model, nn.Module):
        return None
    head = getattr(model, "head", None)
    if isinstance(head, nn.Module):
        return head
    called: list[nn.Module] = []
    hooks = [
        module.register_forward_pre_hook(lambda module, _: called.append(module))
        for module in model.modules()
        if isinstance(module, nn.Linear) and module.out_features == classes
    ]
    try:
        with torch.no_grad():
            model(images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return called[-1] if called else None


def penultimate(model: nn.Module, layer: nn.Module) -> Callable[[Images], Features]:
    """A function from images to the input of `layer`, shape (B, D); gradients reach the images through it."""

    def features(images: Images) -> Features:
        seen: list[Tensor] = []
        hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            model(images)
        finally:
            hook.remove()
        return seen[-1].flatten(1)

    return features
