"""What the small studies of the long tail share: data, radius, network, training and audit."""

from collections.abc import Mapping
from typing import Any

DATA, RADIUS = "fashion-mnist", "linf:0.05"
STEPS = 7
"""Of the attack in training."""
TRAINING: Mapping[str, Any] = {
    "model": "small-cnn", "radius": RADIUS, "epochs": 12, "flip": False, "average": 0.999, "validation_steps": 5,
    "select": "last",
}  # fmt: skip
AUDIT: Mapping[str, Any] = {"radius": RADIUS, "limit": 2000, "threats": ("pgd", "standard")}
"""PGD-20, the weak attack, and the default preset, the strong one; the test images are balanced."""
