"""The models of the study of psi, by docs/studies/psi-plan.md: what is trained, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weakspot.recipes.study import Scale

SEEDS = (3, 4, 5)
"""Not the pilot's 0, 1 and 2, whose results were known when the study was planned."""
FIRST = SEEDS[0]
NATURAL, GRAD_REG, N_FGSM, PGD_AT, TRADES = "standard", "grad-reg", "n-fgsm", "pgd-at", "trades"
TRAININGS: Mapping[str, str] = {
    NATURAL: "natural", GRAD_REG: "gradient-regularised", N_FGSM: "N-FGSM", PGD_AT: "PGD-AT", TRADES: "TRADES",
}  # fmt: skip
"""The methods, and what the page calls them."""
ATTACKED = (N_FGSM, PGD_AT, TRADES)
"""Those that train on attacked images."""
STEPS = 5
"""Of the attack in training at the small scale; at the large ones each method has its own."""
LARGE = ("cnn", "resnet18", "wrn-34-10")
SIZES: Mapping[Scale, tuple[str, ...]] = {
    "cpu": ("small-cnn", "cnn", "resnet18-w16"),
    "gpu": LARGE,
    "gpu-100": LARGE,
}
DATA: Mapping[Scale, str] = {"cpu": "fashion-mnist", "gpu": "cifar10", "gpu-100": "cifar100"}
PART: Mapping[Scale, str] = {"cpu": "+lt=balanced:3000", "gpu": "", "gpu-100": ""}
"""What is trained on; at the small scale 10,177 images, as many of each class."""
RADIUS: Mapping[Scale, str] = {"cpu": "linf:0.1", "gpu": "linf:8/255", "gpu-100": "linf:8/255"}
COMMON: Mapping[str, Any] = {"select": "last", "precision": "bf16"}
PUBLISHED: Mapping[str, Any] = {
    **COMMON, "epochs": 110, "schedule": "step", "average": 0.999, "validation_steps": 5,
}  # fmt: skip
TRAINING: Mapping[Scale, Mapping[str, Any]] = {
    "cpu": {
        **COMMON, "epochs": 5, "batch": 64, "lr": 0.05, "average": 0.0, "validation": 0.05, "validation_steps": 3,
        "flip": False,
    },
    "gpu": PUBLISHED,
    "gpu-100": PUBLISHED,
}  # fmt: skip
IMAGES: Mapping[Scale, int] = {"cpu": 500, "gpu": 2000, "gpu-100": 2000}
"""Test images of psi and of accuracy, as many of each class."""
GRADED: Mapping[Scale, int] = {"cpu": 200, "gpu": 1000, "gpu-100": 1000}
"""Those of the grid: a part of them."""


@dataclass(frozen=True)
class Model:
    """One training of one network."""

    size: str
    training: str
    seed: int

    @property
    def name(self) -> str:
        """What its step is called."""
        return f"{self.size}-{self.training}-s{self.seed}"

    def method(self, scale: Scale) -> str:
        """How it is trained."""
        small = scale == "cpu" and self.training in (PGD_AT, TRADES)
        return f"{self.training}(steps={STEPS})" if small else self.training

    def options(self, scale: Scale) -> dict[str, Any]:
        """Of `weakspot.train`."""
        return {**TRAINING[scale], "model": self.size, "radius": RADIUS[scale], "seed": self.seed}


def models(scale: Scale) -> tuple[Model, ...]:
    """All of them, seed by seed, so that an interruption costs seeds and not trainings."""
    return tuple(Model(size, training, seed) for seed in SEEDS for size in SIZES[scale] for training in TRAININGS)
