"""The zoo: networks for small images, by name. One file per family; numbers in a name set width or depth."""

import re
from collections.abc import Callable, Mapping, Sequence

import torch

from weakspot.errors import unknown
from weakspot.models.zoo.cnn import Cnn
from weakspot.models.zoo.initial import initialise
from weakspot.models.zoo.lenet5 import LeNet5
from weakspot.models.zoo.model import Normalize, Shape, ZooModel
from weakspot.models.zoo.preact_resnet import PreActResNet18
from weakspot.models.zoo.resnet import ResNet18
from weakspot.models.zoo.small_cnn import SmallCnn
from weakspot.models.zoo.wide_resnet import WideResNet

Make = Callable[[Shape, Normalize, Mapping[str, int]], ZooModel]

ZOO: Mapping[str, Make] = {
    "cnn": lambda shape, normalize, _: Cnn(shape, normalize),
    "lenet5": lambda shape, normalize, _: LeNet5(shape, normalize),
    "small-cnn": lambda shape, normalize, _: SmallCnn(shape, normalize),
    "small-cnn-bn": lambda shape, normalize, _: SmallCnn(shape, normalize, norms=True),
    "resnet18(-w(?P<width>[1-9][0-9]*))?": lambda shape, normalize, n: ResNet18(shape, normalize, n.get("width", 64)),
    "preact-resnet18(-w(?P<width>[1-9][0-9]*))?": lambda shape, normalize, n: PreActResNet18(
        shape, normalize, n.get("width", 64)
    ),
    "wrn-(?P<depth>[1-9][0-9]*)-(?P<widen>[1-9][0-9]*)": lambda shape, normalize, n: WideResNet(
        shape, normalize, n["depth"], n["widen"]
    ),
}
"""Families by the pattern of their names."""

NAMES = (
    "cnn", "lenet5", "small-cnn", "small-cnn-bn", "resnet18", "resnet18-w16", "preact-resnet18",
    "preact-resnet18-w16", "wrn-28-10", "wrn-34-10",
)  # fmt: skip
"""Names to list and to suggest; the numbers in them may be others."""


def is_zoo_name(name: str) -> bool:
    """Whether some family's pattern fits."""
    return any(re.fullmatch(pattern, name) for pattern in ZOO)


def build(
    name: str,
    *,
    channels: int,
    classes: int,
    size: int,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
    seed: int = 0,
) -> ZooModel:
    """The zoo model called `name` on the CPU, in training mode, for images of `channels` x `size` x `size` in [0, 1].

    `mean` and `std` (one number, or one per channel) normalise inside the model. The first weights depend on `seed`
    and the parameters' names alone.

    Raises:
        InputError: no such name (the nearest one is named), or an impossible shape.

    """
    shape = Shape(channels, classes, size)
    for pattern, make in ZOO.items():
        if found := re.fullmatch(pattern, name):
            numbers = {key: int(value) for key, value in found.groupdict().items() if value is not None}
            # torch's layers draw from the global stream when they are made: fork it, so that the caller's draws do not
            # depend on whether a model was built; `initialise` then replaces all that was drawn.
            with torch.random.fork_rng(devices=[]):
                model = make(shape, Normalize(channels, mean, std), numbers)
            initialise(model, seed)
            return model
    raise unknown("model", name, NAMES)
