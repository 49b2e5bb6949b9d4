"""The runs of the study of class fairness, the first seed of all methods first (docs/studies/fairness-plan.md)."""

from collections.abc import Mapping
from typing import Any

from weakspot.recipes.study import Scale, Trained

METHODS: Mapping[str, tuple[str, str]] = {
    "trades": ("trades", "none"),
    "spat": ("spat", "none"),
    "cfa": ("trades", "cfa(fawa=False)"),
    "dafa": ("trades", "dafa"),
    "confusion": ("trades", "confusion"),
    "pgd-at": ("pgd-at", "none"),
    "mart": ("mart", "none"),
    "frl": ("trades", "frl"),
    "wat": ("trades", "wat"),
    "fair-tat": ("trades", "fair-tat(fawa=False)"),
    "faal": ("trades", "faal"),
    "cfol": ("trades", "cfol"),
}
"""Method and policy by the name of the run."""
BASE = "trades"
LEADING = ("trades", "spat", "cfa", "dafa", "confusion")
"""Those with three seeds."""
SEEDS = (0, 1, 2)
HARD_PAIR = ("dog", "cat")
COMMON = {"schedule": "step", "average": 0.999, "validation": 0.1, "validation_steps": 5, "select": "last"}
TRAINING: Mapping[Scale, Mapping[str, Any]] = {
    "cpu": {**COMMON, "model": "resnet18-w16", "epochs": 14, "precision": "bf16"},
    "gpu": {**COMMON, "model": "resnet18", "epochs": 110, "precision": "bf16"},
}
AUDITED: Mapping[Scale, int] = {"cpu": 2000, "gpu": 10_000}


def name_of(method: str, seed: int) -> str:
    """The name of a run."""
    return f"{method}-{seed}"


def runs(scale: Scale) -> tuple[Trained, ...]:
    """Every training with its audit, seed 0 of all first."""
    wanted = [(name, seed) for seed in SEEDS for name in METHODS if seed == 0 or name in LEADING]
    audit = {"radius": "linf:8/255", "limit": AUDITED[scale], "latent": "auto"}
    return tuple(
        Trained(
            name=name_of(name, seed),
            method=METHODS[name][0],
            data="cifar10",
            training={**TRAINING[scale], "policy": METHODS[name][1], "radius": "linf:8/255", "seed": seed},
            audit=audit,
        )
        for name, seed in wanted
    )
