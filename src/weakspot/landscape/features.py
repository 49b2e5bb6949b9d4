"""What a model's last layer sees: the layer is found by one traced forward pass, or named by its module path."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weakspot.contracts import Classifier, Images
from weakspot.errors import InputError
from weakspot.models import frozen
from weakspot.models.exported import Exported
from weakspot.models.zoo.model import ZooModel

Features = Float[Tensor, "batch features"]


@dataclass(frozen=True)
class Layer:
    """The module whose input is taken for features, and its path in the model."""

    name: str
    module: nn.Module


def find_layer(model: Classifier, images: Images, classes: int, name: str | None = None) -> Layer:
    """The last layer of `model`: the module called `name`, a zoo model's head, else the last nn.Linear of K outputs.

    Args:
        model: A module; it is left as it was.
        images: At least one, on the model's device, for the traced forward pass.
        classes: K.
        name: A module path such as "fc" or "model.classifier.1"; the features are that module's input.

    Raises:
        InputError: the model has no modules to look into, none of that name, or no linear layer of K outputs.

    """
    if isinstance(model, Exported) or not isinstance(model, nn.Module):
        what = "an exported program" if isinstance(model, Exported) else f"a plain {type(model).__name__}"
        raise InputError(
            f"features are read from the layers of a torch.nn.Module, got {what}, which has none; hand over the module "
            "it was made from: a run folder, package.module:factory with --weights, or the object itself"
        )
    if name is not None:
        return Layer(name, _named(model, name))
    if isinstance(model, ZooModel):
        return Layer(model.head_name, model.head)
    linear: dict[nn.Module, str] = {
        module: path
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == classes
    }
    called: list[nn.Module] = []
    hooks = [module.register_forward_pre_hook(lambda module, _: called.append(module)) for module in linear]
    try:
        with frozen(model), torch.no_grad():
            model(images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    if not called:
        raise InputError(
            f"no linear layer with {classes} outputs runs in this {type(model).__name__}, so its last layer is not "
            f"known; name the module whose input is wanted, such as {_example(model)!r}"
        )
    return Layer(linear[called[-1]], called[-1])


@contextmanager
def tapped(layer: Layer) -> Iterator[list[Tensor]]:
    """While it is open, each forward pass of the model adds the layer's input to the list, with its graph."""
    seen: list[Tensor] = []

    def note(_: nn.Module, given: tuple[object, ...], named: dict[str, object]) -> None:
        inputs = [each for each in (*given, *named.values()) if isinstance(each, Tensor)]
        seen.extend(inputs[:1])

    hook = layer.module.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


def features_of(model: Classifier, layer: Layer, images: Images) -> Features:
    """The input of `layer` for a batch, one flat float32 row per image, on the CPU.

    The model runs in eval mode without gradients and is given back as it was.

    Raises:
        InputError: the layer does not run, gets no row for each image, or the features are not finite.

    """
    with frozen(model), torch.no_grad(), tapped(layer) as seen:
        model(images)
    if not seen or len(seen[-1]) != len(images) or seen[-1].ndim < 2:
        came = f"an input of shape {tuple(seen[-1].shape)}" if seen else "no call"
        raise InputError(
            f"layer {layer.name!r} must get one row of features for each of {len(images)} images, got {came}; "
            "name another module"
        )
    # A layer that runs several times in one pass is the last layer at its last call.
    found = seen[-1].flatten(1).float().cpu()
    if not torch.isfinite(found).all():
        bad = int((~torch.isfinite(found).all(1)).sum())
        raise InputError(
            f"the input of layer {layer.name!r} is NaN or infinite for {bad} of {len(found)} images; "
            "check the weights and the normalisation"
        )
    return found


def _named(model: nn.Module, name: str) -> nn.Module:
    modules = dict(model.named_modules())
    if not name or name not in modules:
        near = get_close_matches(name, [path for path in modules if path], n=3, cutoff=0.3) or [_example(model)]
        raise InputError(f"no module {name!r} in this {type(model).__name__}; did you mean {', '.join(near)}?")
    return modules[name]


def _example(model: nn.Module) -> str:
    """The path of the last module."""
    return list(dict(model.named_modules()))[-1]
