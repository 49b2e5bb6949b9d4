"""A model held still while it is measured, and given back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from torch import nn

from weakspot.contracts import Classifier


@contextmanager
def frozen(model: Classifier) -> Iterator[Classifier]:
    """Hold `model` in eval mode with all parameters closed to gradients; afterwards every flag is as before.

    Gradients to the images still flow, at a lower price. Each submodule gets its own flag back, since a fine-tuned
    model may keep some batch norms in eval mode on purpose. A callable that is no module is left alone.
    """
    if not isinstance(model, nn.Module):
        yield model
        return
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        with suppress(NotImplementedError):  # programs of torch.export have no modes
            model.eval()
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        yield model
    finally:
        # By attribute and not by train(): a module's own train() may do more than set the flag.
        for module, mode in modes:
            module.training = mode
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
