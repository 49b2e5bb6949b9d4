"""Outcomes: one row per sample and threat. A rate is computed from rows; a row is never computed from a rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

SCHEMA = 1
"""Raised whenever a column changes its meaning; stored units of another schema are recomputed, never mixed."""

COLUMNS: Mapping[str, str] = {
    "sample": "int64",  # position in the split
    "label": "int32",
    "threat": "str",  # the threat's address; "clean" is a threat like any other
    "target": "int32",  # the class a targeted threat aims at, else -1
    "prediction": "int32",  # at the lowest margin reached; the clean one where that is wrong already
    "correct": "bool",
    "margin": "float32",  # the true class's logit minus the best other one, where `prediction` was made
    "confidence": "float32",  # the softmax probability of `prediction`
    "runner_up": "int32",  # the class with the second largest logit
    "distance_linf": "float32",  # of the returned image from the clean one, measured by the audit
    "distance_l2": "float32",
    "found_by": "str",  # the part of an ensemble that broke the sample, "clean" where it was wrong before, else ""
    "forwards": "int32",  # model evaluations spent on this sample
    "backwards": "int32",
    "severity": "int32",  # of a corruption, 1 to 5, else 0
}
"""The columns in their stored order, with their numpy types; "str" columns are object arrays in memory."""


@dataclass(frozen=True)
class Outcomes:
    """Rows as columns: each array has one entry per row, in the order (threat of the manifest, sample)."""

    sample: np.ndarray
    label: np.ndarray
    threat: np.ndarray
    target: np.ndarray
    prediction: np.ndarray
    correct: np.ndarray
    margin: np.ndarray
    confidence: np.ndarray
    runner_up: np.ndarray
    distance_linf: np.ndarray
    distance_l2: np.ndarray
    found_by: np.ndarray
    forwards: np.ndarray
    backwards: np.ndarray
    severity: np.ndarray

    def __len__(self) -> int:
        return len(self.sample)

    def where(self, mask: np.ndarray) -> "Outcomes":
        """The rows that `mask` (boolean, or positions) selects."""
        return Outcomes(**{name: getattr(self, name)[mask] for name in COLUMNS})

    def of(self, threat: str) -> "Outcomes":
        """The rows of one threat."""
        return self.where(self.threat == threat)

    def columns(self) -> dict[str, np.ndarray]:
        """The columns by name, in their stored order."""
        return {name: getattr(self, name) for name in COLUMNS}

    def digest(self) -> str:
        """SHA-256 (hex) of all values, in order."""
        made = sha256()
        for values in self.columns().values():
            made.update(
                "\0".join(values).encode() if values.dtype == object else np.ascontiguousarray(values).tobytes()
            )
        return made.hexdigest()

    @classmethod
    def join(cls, parts: "list[Outcomes]") -> "Outcomes":
        """The rows of all `parts`, in their order."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS})

    @classmethod
    def build(cls, **columns: Any) -> "Outcomes":
        """Rows from arrays, cast to the stored types; a scalar fills its column, `sample` sets the length.

        Columns that are not given get their neutral value: 0, -1 for classes, "" for text.
        """
        size = len(columns["sample"])
        neutral: dict[str, Any] = {"target": -1, "runner_up": -1, "found_by": ""}
        made = {}
        for name, kind in COLUMNS.items():
            value = columns.pop(name, neutral.get(name, 0))
            made[name] = np.broadcast_to(np.asarray(value, dtype=object if kind == "str" else kind), (size,)).copy()
        assert not columns, f"unknown columns: {sorted(columns)}"
        return cls(**made)
