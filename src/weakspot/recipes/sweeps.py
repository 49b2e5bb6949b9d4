"""The logit-scale sweep of trained models: how far PGD's verdict depends on a scale that changes no decision.

The rule is that of docs/studies/longtail-plan.md; the sweep is the one of `weakspot.doubts.fake_gain`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int

import weakspot
from weakspot.addresses import Radius
from weakspot.analysis.arrays import ratio
from weakspot.analysis.paired import agresti_min, mcnemar
from weakspot.data import limit
from weakspot.doubts.context import Context
from weakspot.doubts.fake_gain import SCALES, sweep
from weakspot.models import frozen
from weakspot.recipes.study import Sets, Step, trained
from weakspot.recipes.tables import Row, percent, share
from weakspot.store import write_json

IMAGES, BLOCK = 1000, 250
"""The first so many test images; so many at a time."""
POINT, ALPHA = 0.01, 0.05
ONE = SCALES.index(1.0)


@dataclass(frozen=True)
class Swept:
    """Which images are right under PGD-20 at each scale of the logits, and under APGD-DLR, which knows no scale."""

    right: Bool[np.ndarray, "scales images"]
    scale_free: Bool[np.ndarray, " images"]
    label: Int[np.ndarray, " images"]
    classes: tuple[str, ...]

    @property
    def lowest(self) -> int:
        """The scale at which fewest are right."""
        return int(self.right.sum(1).argmin())

    @property
    def changed(self) -> tuple[int, int]:
        """How many images are right at scale 1 and not at the lowest one, and the other way round."""
        one, low = self.right[ONE], self.right[self.lowest]
        return int((one & ~low).sum()), int((low & ~one).sum())

    @property
    def excess(self) -> float:
        """Accuracy at scale 1 less that at the lowest one."""
        lost, gained = self.changed
        return (lost - gained) / len(self.label)

    @property
    def p(self) -> float:
        """Exact McNemar between scale 1 and the lowest one, by Bonferroni for the scales it was chosen from."""
        lost, gained = self.changed
        return min(1.0, float(mcnemar(np.array(lost), np.array(gained))) * (len(SCALES) - 1))

    @property
    def by_scale(self) -> bool:
        """Whether a scale alone lowers the accuracy by more than a point, beyond chance."""
        return self.excess > POINT and self.p < ALPHA

    def of_classes(self) -> np.ndarray:
        """Per class: accuracy at scale 1 less that at the lowest scale of all images; NaN without images."""
        each = self.right[ONE].astype(int) - self.right[self.lowest]
        size = len(self.classes)
        return ratio(np.bincount(self.label, each, minlength=size), np.bincount(self.label, minlength=size))


def step(name: str, data: str, radius: str, sets: Sets) -> Step:
    """Sweep the run `name`, once it is trained, on the first test images of the named set."""

    def make(out: Path) -> None:
        folder = trained(out, name, step_name(name))
        read = limit(weakspot.load_data(sets.at(data)), IMAGES)
        model = weakspot.load_model(str(folder), data=read).module
        blocks = []
        with frozen(model):
            for first in range(0, len(read), BLOCK):
                rows = range(first, min(first + BLOCK, len(read)))
                sample = torch.arange(rows.start, rows.stop)
                images, labels = read.batch(rows), read.labels[sample]
                blocks.append(sweep(Context(model, images, labels, sample, read.classes, Radius.of(radius), seed=0)))
        right = np.concatenate([block.robust for block in blocks], axis=1)
        free = np.concatenate([block.scale_free for block in blocks])
        found: dict[str, Any] = {
            "scales": list(SCALES), "classes": list(read.classes), "label": read.labels[: len(read)].tolist(),
            "right": [_text(row) for row in right], "scale_free": _text(free),
        }  # fmt: skip
        write_json(out / f"{step_name(name)}.json", found)

    return Step(step_name(name), make, lambda out: (out / f"{step_name(name)}.json").exists())


def step_name(name: str) -> str:
    """What the sweep of a run is called."""
    return f"{name}-sweep"


def read_sweeps(out: Path, names: Sequence[str]) -> dict[str, Swept]:
    """The sweeps that are done, by the run's name."""
    found = {}
    for name in names:
        path = out / f"{step_name(name)}.json"
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            right = np.array([_flags(row) for row in kept["right"]])
            found[name] = Swept(right, _flags(kept["scale_free"]), np.array(kept["label"]), tuple(kept["classes"]))
    return found


def sweep_rows(swept: Mapping[str, Swept]) -> Iterator[Row]:
    """Accuracy at each scale, and how far it depends on it."""
    for name, found in swept.items():
        n, each = len(found.label), found.of_classes()
        lost, gained = found.changed
        interval = agresti_min(np.array(gained), np.array(lost), np.array(n))
        difference = {"value": found.excess, "low": float(interval.low), "high": float(interval.high)}
        most = int(np.nanargmax(each))
        yield {
            "run": name,
            **{f"times {scale:g}": share(float(row.mean())) for scale, row in zip(SCALES, found.right, strict=True)},
            "APGD-DLR": share(float(found.scale_free.mean())),
            "scale 1 less lowest": percent(difference, "value"),
            "p": f"{found.p:.2g}",
            "by scale": "yes" if found.by_scale else "no",
            "most": f"{found.classes[most]} {share(float(each[most]))}",
        }


def _text(flags: np.ndarray) -> str:
    return "".join("1" if flag else "0" for flag in flags)


def _flags(text: str) -> np.ndarray:
    return np.array([each == "1" for each in text])
