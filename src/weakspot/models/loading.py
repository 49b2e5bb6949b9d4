"""Every way in which a user hands a classifier over ends here."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from weakspot.contracts import Classifier
from weakspot.errors import InputError, SetupError, unknown
from weakspot.models import checkpoints, factories
from weakspot.models.digest import digest, digest_by_behaviour
from weakspot.models.exported import load_pt2
from weakspot.models.spec import ModelSpec, read_spec
from weakspot.models.zoo import NAMES, is_zoo_name
from weakspot.models.zoo.model import Shape

PACKAGED = Path(__file__).parent / "packaged"
"""Holds `fashion_cnn.safetensors` and `fashion_cnn.json`, made by the packaged recipe."""
PACKAGED_ADDRESS = "packaged"
"""Its address in a run's configuration, which must read back."""
WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")


@dataclass(frozen=True)
class LoadedModel:
    """A classifier and where it came from, for the manifest.

    A module that was loaded is in eval mode on the CPU; an object that was handed over is as its owner left it (hold
    it by `weakspot.models.frozen` while measuring).
    """

    module: Classifier
    address: str
    """Loads it again, except "object: CLASS"."""
    weights: str | None
    """The file of the weights; None where the object or its factory held them."""
    digest: str
    """SHA-256 (hex): the same digest, the same results."""


def load(
    model: nn.Module | Classifier | str | Path | None,
    *,
    weights: str | Path | None = None,
    channels: int,
    classes: int,
    size: int,
    trust_pickle: bool = False,
) -> LoadedModel:
    """The classifier that `model` names or is, for images of `channels` x `size` x `size` and so many classes.

    Args:
        model: a module or any callable from images to logits; a zoo name; `package.module:factory` or
            `path/to/file.py:factory`; a run folder; a `.pt2` file; None for the packaged robust Fashion-MNIST model.
            A zoo name comes before a folder of that name; write `./cnn` for the folder.
        weights: a checkpoint; a zoo name needs one.
        channels: of the data's images.
        classes: of the data.
        size: of the data's images, in pixels.
        trust_pickle: execute checkpoints that hold more than tensors, and programs that hold more than aten operators.

    Raises:
        InputError: nothing is there, or it does not fit the weights or the data.
        SetupError: the packaged model is missing from the installation.

    """
    shape, file = Shape(channels, classes, size), Path(weights) if weights is not None else None
    if model is None or model == PACKAGED_ADDRESS:
        _no_weights(file, "the packaged model")
        return _packaged(shape)
    if isinstance(model, str | Path):
        return _addressed(str(model), file, shape, trust_pickle)
    _no_weights(file, "a model that is an object")
    address = f"object: {getattr(model, '__qualname__', type(model).__qualname__)}"
    if isinstance(model, nn.Module):
        return LoadedModel(model, address, None, digest(model))
    return LoadedModel(model, address, None, digest_by_behaviour(model, (channels, size, size)))


def _addressed(address: str, weights: Path | None, shape: Shape, trust_pickle: bool) -> LoadedModel:
    path = Path(address)
    if is_zoo_name(address):
        if weights is None:
            raise InputError(f"{address} needs weights, since untrained it only guesses; add --weights FILE")
        spec = ModelSpec(zoo=address, channels=shape.channels, classes=shape.classes, size=shape.size)
        return _weighted(spec.build(), address, weights, trust_pickle)
    if path.suffix == ".pt2":
        _no_weights(weights, "a .pt2 file")
        program = load_pt2(path, trust_pickle=trust_pickle)
        return LoadedModel(program, address, address, digest(program))
    if ":" in address:
        return _weighted(factories.make(address, shape), address, weights, trust_pickle)
    if address and path.is_dir():
        return _described(path, "model", address, weights, shape, trust_pickle)
    if path.suffix in WEIGHTS:
        raise InputError(f"{address} holds weights only; name the model they fit: MODEL --weights {address}")
    if path.suffix == ".py":
        raise InputError(f"{address} needs the name of what makes the model: {address}:FACTORY")
    if path.name != address:
        raise InputError(f"no run folder at {address}; weakspot train writes one")
    raise unknown("model", address, NAMES)


def _packaged(shape: Shape) -> LoadedModel:
    if not (PACKAGED / "fashion_cnn.json").is_file():
        raise SetupError(
            "the packaged model is missing from this installation; install weakspot again, or name a model"
        )
    return _described(PACKAGED, "fashion_cnn", PACKAGED_ADDRESS, None, shape, False)


def _described(
    folder: Path, name: str, address: str, weights: Path | None, shape: Shape, trust_pickle: bool
) -> LoadedModel:
    """The model that `NAME.json` in `folder` describes, with the weights beside it or others."""
    if not (folder / f"{name}.json").is_file():
        raise InputError(
            f"{folder} holds no {name}.json, so it is no folder of a trained model; weakspot train writes one"
        )
    spec = read_spec(folder / f"{name}.json")
    if (spec.channels, spec.classes) != (shape.channels, shape.classes):
        raise InputError(
            f"the model at {address} takes {spec.channels} channels and knows {spec.classes} classes, the data has "
            f"{shape.channels} and {shape.classes}; choose other data or another model"
        )
    model = spec.build()
    file = weights or folder / f"{name}.safetensors"
    checkpoints.load_into(model, file, trust_pickle=trust_pickle)
    model = spec.adjusted(model.cpu()).eval()
    return LoadedModel(model, address, str(file), digest(model))


def _weighted(model: nn.Module, address: str, weights: Path | None, trust_pickle: bool) -> LoadedModel:
    if weights is not None:
        checkpoints.load_into(model, weights, trust_pickle=trust_pickle)
    try:
        model = model.cpu().eval()
    except NotImplementedError as error:  # a factory may return a program of torch.export
        raise InputError(f"{address!r} returned a program of torch.export; give its .pt2 file instead") from error
    return LoadedModel(model, address, str(weights) if weights else None, digest(model))


def _no_weights(weights: Path | None, what: str) -> None:
    if weights is not None:
        raise InputError(f"{what} has its weights already, so {weights} has no place; give a zoo name or a factory")
