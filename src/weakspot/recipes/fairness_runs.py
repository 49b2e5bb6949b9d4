"""The runs of the study of class fairness, those with three seeds first (docs/studies/fairness-plan.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weakspot.errors import InputError
from weakspot.recipes.study import Scale, Trained

RADIUS = "linf:8/255"
METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "trades": ("trades", {}),
    "spat": ("spat", {}),
    "cfa": ("trades", {"policy": "cfa(fawa=False)"}),
    "dafa": ("trades", {"policy": "dafa"}),
    "confusion": ("trades", {"policy": "confusion"}),
    "trades-small": ("trades", {"radius": "linf:5/255"}),
    "pgd-at": ("pgd-at", {}),
    "mart": ("mart", {}),
    "frl": ("trades", {"policy": "frl"}),
    "wat": ("trades", {"policy": "wat"}),
    "fair-tat": ("trades", {"policy": "fair-tat(fawa=False)"}),
    "faal": ("trades", {"policy": "faal"}),
    "cfol": ("trades", {"policy": "cfol(eta=100)"}),
}
"""Method and options of training by the name of the run."""
BASE = "trades"
CONTROL, CONTROLLED = "trades-small", ("cfa", "fair-tat")
"""What shrinks the radius and does nothing else, and the methods that shrink it among other things."""
LEADING = ("trades", "spat", "cfa", "dafa", "confusion")
"""Those with three seeds."""
SEEDS = (1, 2, 3)
"""Not the pilots' 0."""
STEPS = 5
"""Of every attack in training at the small scale; at the large one each method has its own."""


@dataclass(frozen=True)
class Hard:
    """What is hard by name, before any run is seen."""

    pair: tuple[str, str]
    """Taken for each other."""
    classes: tuple[str, ...]


HARD: Mapping[str, Hard] = {
    "cifar10": Hard(("dog", "cat"), ("bird", "cat", "deer", "dog")),
    "cifar100": Hard(("boy", "girl"), ("baby", "boy", "girl", "man", "woman")),
}
"""The first source's four weakest; the people."""
COMMON = {"average": 0.999, "validation": 0.1, "validation_steps": 5, "select": "last"}
LARGE = {**COMMON, "model": "resnet18", "schedule": "step", "epochs": 110, "precision": "bf16"}
TRAINING: Mapping[Scale, Mapping[str, Any]] = {
    "cpu": {**COMMON, "model": "small-cnn-bn", "schedule": "one-cycle", "epochs": 14, "precision": "fp32"},
    "gpu": LARGE,
    "gpu-wide": {**LARGE, "model": "wrn-34-10"},
    "gpu-100": LARGE,
}
DATA: Mapping[Scale, str] = {scale: "cifar100" if scale == "gpu-100" else "cifar10" for scale in TRAINING}
AUDITED: Mapping[Scale, int] = {scale: 5000 if scale == "cpu" else 10_000 for scale in TRAINING}
OF_CIFAR100: Mapping[str, Mapping[str, Any]] = {"dafa": {"policy": "dafa(lam=1.5)"}}
"""What a method's paper sets otherwise there."""


def hard_of(names: Sequence[str]) -> Hard:
    """What is hard among classes of these names.

    Raises:
        InputError: nothing is known to be.

    """
    for each in HARD.values():
        if {*each.pair, *each.classes} <= set(names):
            return each
    needed = ", or ".join(", ".join(each.classes) for each in HARD.values())
    raise InputError(f"the study is about classes named {needed}; these are {', '.join(names)}")


def name_of(method: str, seed: int) -> str:
    """The name of a run."""
    return f"{method}-{seed}"


def runs(scale: Scale) -> tuple[Trained, ...]:
    """Every training with its audit: the leading methods seed by seed, then the others once."""
    leading = [(name, seed) for seed in SEEDS for name in LEADING]
    once = [(name, SEEDS[0]) for name in METHODS if name not in LEADING]
    return tuple(trained(scale, name, seed) for name, seed in (*leading, *once))


def trained(scale: Scale, name: str, seed: int) -> Trained:
    """A training and its audit, which has the same radius for all."""
    method, options = METHODS[name]
    if DATA[scale] == "cifar100":
        options = {**options, **OF_CIFAR100.get(name, {})}
    return Trained(
        name=name_of(name, seed),
        method=f"{method}(steps={STEPS})" if scale == "cpu" else method,
        data=DATA[scale],
        training={"radius": RADIUS, **TRAINING[scale], **options, "seed": seed},
        audit={"radius": RADIUS, "limit": AUDITED[scale], "latent": "auto"},
    )
