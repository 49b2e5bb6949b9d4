"""The runs of the class-wise study, what decides the primary endpoint first (docs/studies/classwise-plan.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weakspot.recipes.study import Scale, Trained

SEEDS = (1, 2)
"""Not the pilot's 0, whose results were known when the study was planned."""
FIRST = SEEDS[0]
STEPS = 5
"""Of the attack in training at the small scale; at the large one each method has its own."""


@dataclass(frozen=True)
class Kind:
    """A network and how it is trained."""

    model: str
    method: str
    seeds: tuple[int, ...] = SEEDS


KINDS: Mapping[str, Kind] = {
    "resnet-pgd-at": Kind("resnet18-w16", "pgd-at"),
    "resnet-trades": Kind("resnet18-w16", "trades"),
    "preact-pgd-at": Kind("preact-resnet18-w16", "pgd-at", (FIRST,)),
    "preact-n-fgsm": Kind("preact-resnet18-w16", "n-fgsm"),
    "cnn-pgd-at": Kind("cnn", "pgd-at"),
    "cnn-trades": Kind("cnn", "trades"),
    "resnet-standard": Kind("resnet18-w16", "standard", (FIRST,)),
}
"""At the large scale the networks are as wide as published."""
STANDARD = "resnet-standard"
"""Not trained against attacks; it takes part only where nothing attacks."""
DATA: Mapping[str, str] = {"cifar10": "linf:8/255", "fashion-mnist": "linf:0.1"}
"""The radius of each data set."""
COMMON: Mapping[str, Any] = {"average": 0.999, "validation_steps": 5, "select": "last", "precision": "bf16"}
TRAINING: Mapping[Scale, Mapping[str, Mapping[str, Any]]] = {
    "cpu": {
        "cifar10": {**COMMON, "epochs": 10},
        "fashion-mnist": {**COMMON, "epochs": 6, "flip": False},
    },
    "gpu": {
        "cifar10": {**COMMON, "epochs": 110, "schedule": "step"},
        "fashion-mnist": {**COMMON, "epochs": 30, "flip": False},
    },
}
PART: Mapping[Scale, Mapping[str, str]] = {
    "cpu": {"cifar10": "", "fashion-mnist": "+lt=balanced:100"},
    "gpu": {"cifar10": "", "fashion-mnist": ""},
}
"""What is trained on; at the small scale about as many images of Fashion-MNIST as of CIFAR-10, equally many a class."""
LIMIT: Mapping[Scale, int] = {"cpu": 1000, "gpu": 10_000}
"""How many test images are audited."""
PRESET, PAIRS, CORRUPTIONS = "standard", "pairs", "corruptions"


def name_of(kind: str, data: str, seed: int = FIRST) -> str:
    """The name of a run."""
    return f"{kind}-{data}-s{seed}"


def runs(scale: Scale) -> tuple[Trained, ...]:
    """All of them: the first seed of every kind on both data sets, then the other seeds."""
    return tuple(
        trained(scale, kind, data, seed)
        for seed in SEEDS
        for data in DATA
        for kind in KINDS
        if seed in KINDS[kind].seeds
    )


def trained(scale: Scale, kind: str, data: str, seed: int) -> Trained:
    """A training with its audit: the preset, directed pairs, corruptions and feature space."""
    chosen, radius = KINDS[kind], DATA[data]
    small = scale == "cpu"
    steps = f"(steps={STEPS})" if small and chosen.method in ("pgd-at", "trades") else ""
    model = chosen.model if small else chosen.model.removesuffix("-w16")
    return Trained(
        name=name_of(kind, data, seed),
        method=f"{chosen.method}{steps}",
        data=data,
        training={**TRAINING[scale][data], "model": model, "radius": radius, "seed": seed},
        audit={
            "radius": radius, "limit": LIMIT[scale], "threats": (PRESET, PAIRS, CORRUPTIONS), "latent": "auto",
            "precision": "bf16",
        },
        part=PART[scale][data],
    )  # fmt: skip
