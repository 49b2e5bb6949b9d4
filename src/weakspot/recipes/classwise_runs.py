"""The runs of a class-wise study by its plan, what decides the primary endpoint first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weakspot.recipes.study import Scale, Trained

STEPS = 5
"""Of the attack in training at the small scale; at the large one each method has its own."""
DATA = ("cifar10", "fashion-mnist")
"""The data sets of all sizes but one."""
RADIUS: Mapping[str, str] = {"cifar10": "linf:8/255", "fashion-mnist": "linf:0.1", "cifar100": "linf:8/255"}
COMMON: Mapping[str, Any] = {"average": 0.999, "validation_steps": 5, "select": "last"}
PART: Mapping[Scale, Mapping[str, str]] = {
    "cpu": {"cifar10": "", "fashion-mnist": "+lt=balanced:100"},
    "gpu": {"cifar10": "", "fashion-mnist": ""},
    "gpu-100": {"cifar100": ""},
}
"""What is trained on of each data set; at the small scale about as many images of Fashion-MNIST as of CIFAR-10, equally
many a class."""
LIMIT: Mapping[Scale, int] = {"cpu": 1000, "gpu": 10_000, "gpu-100": 2000}
"""How many test images are audited."""
PRESET, PAIRS, CORRUPTIONS = "standard", "pairs", "corruptions"


@dataclass(frozen=True)
class Kind:
    """A network and how it is trained."""

    model: str
    method: str
    once: bool = False
    """With the first seed only."""
    large: bool = False
    """At the large scales only."""


@dataclass(frozen=True)
class Plan:
    """Which models a class-wise study trains; all else is the same in each."""

    name: str
    title: str
    """Of its page."""
    kinds: Mapping[str, Kind]
    """At the large scales the networks are as wide as published."""
    seeds: tuple[int, ...]
    training: Mapping[Scale, Mapping[str, Mapping[str, Any]]]
    """Options of `weakspot.train` of each data set."""
    precision: str
    """Of trainings and of the audits' searches; verdicts are in float32."""
    says: Mapping[Scale, str]
    """What the options of a training do not say."""


def name_of(kind: str, data: str, seed: int) -> str:
    """The name of a run."""
    return f"{kind}-{data}-s{seed}"


def parts_of(name: str) -> tuple[str, str, int]:
    """Kind, data set and seed of a run's name."""
    data = next((each for each in RADIUS if f"-{each}-s" in name), None)
    assert data is not None, f"{name} is no run of a class-wise study"
    kind, seed = name.rsplit(f"-{data}-s", 1)
    return kind, data, int(seed)


def runs(plan: Plan, scale: Scale) -> tuple[Trained, ...]:
    """All of them: the first seed of every kind on all data sets, then the other seeds."""
    return tuple(
        trained(plan, scale, kind, data, seed)
        for seed in plan.seeds
        for data in PART[scale]
        for kind in plan.kinds
        if (seed == plan.seeds[0] or not plan.kinds[kind].once) and (scale != "cpu" or not plan.kinds[kind].large)
    )


def trained(plan: Plan, scale: Scale, kind: str, data: str, seed: int) -> Trained:
    """A training with its audit: the preset, directed pairs, corruptions and feature space."""
    chosen, radius = plan.kinds[kind], RADIUS[data]
    small = scale == "cpu"
    steps = f"(steps={STEPS})" if small and chosen.method in ("pgd-at", "trades", "spat") else ""
    model = chosen.model if small else chosen.model.removesuffix("-w16")
    given = {**plan.training[scale][data], "precision": plan.precision}
    return Trained(
        name=name_of(kind, data, seed),
        method=f"{chosen.method}{steps}",
        data=data,
        training={**given, "model": model, "radius": radius, "seed": seed},
        audit={
            "radius": radius, "limit": LIMIT[scale], "threats": (PRESET, PAIRS, CORRUPTIONS), "latent": "auto",
            "precision": plan.precision,
        },
        part=PART[scale][data],
    )  # fmt: skip
