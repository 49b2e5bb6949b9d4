"""What `explain` measures: psi of every image in three forms, and surfaces around some of them."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from weakspot.contracts import Classifier, Data, Logits
from weakspot.explaining.files import Table
from weakspot.landscape.divergence import NOISE, Divergence
from weakspot.landscape.forms import GAP, UNIT, Form, GapScaled, calibrate, raw, unit_length
from weakspot.landscape.pairs import Planes
from weakspot.landscape.parameters import parameter_surface
from weakspot.landscape.surfaces import grid, surfaces
from weakspot.maths.losses import margin
from weakspot.threats.search import Oracle

FORMS = ("raw", "A", "B")
CONSTANTS = {"A": UNIT, "B": GAP}
PROOF, FACTOR = 32, 10.0
"""Images on which the forms are shown not to depend on the scale of the logits, and that scale."""
RESTARTS, LONG = 4, 30
"""Of the thorough search, about thirteen times as dear, that tells on the same images what the usual one misses."""
BATCH, NUMBERS = 256, 4_000_000
"""Images in a batch: at most so many, and so many pixel values."""
EXAMPLES = 6
"""Single images that are drawn."""
PARAMETER_STEPS, PARAMETER_REACH, PARAMETER_IMAGES = 21, 1.0, 100


class Scaled:
    """A model whose logits are multiplied in float64, so that no rounding is mistaken for an effect of the scale."""

    def __init__(self, model: Classifier, factor: float) -> None:
        self.model, self.factor = model, factor

    def __call__(self, images: torch.Tensor, /) -> Logits:
        """The scaled logits, float64."""
        return self.factor * self.model(images).double()


class Counting:
    """A model that counts the images that pass through it forwards and backwards."""

    def __init__(self, model: Classifier) -> None:
        self.model, self.forwards, self.backwards = model, 0, 0

    def __call__(self, images: torch.Tensor, /) -> Logits:
        """The logits."""
        logits = self.model(images)
        self.forwards += len(images)
        if logits.requires_grad:
            logits.register_hook(lambda _: self._back(len(images)))  # type: ignore[no-untyped-call]
        return logits

    def _back(self, images: int) -> None:
        self.backwards += images


def forms_of(fitted: GapScaled, classes: int) -> dict[str, Form]:
    """The forms by name; without A for two classes, where it is constant on each side of the decision boundary."""
    return {"raw": raw, "A": unit_length, "B": fitted} if classes > 2 else {"raw": raw, "B": fitted}


def batches(rows: Sequence[int], data: Data) -> list[list[int]]:
    """The positions in batches that fit into memory."""
    size = max(1, min(BATCH, NUMBERS // int(np.prod(data.shape))))
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


def measure_psi(
    model: Classifier, data: Data, search: Divergence, fitted: GapScaled, seed: int, device: torch.device
) -> tuple[Table, Table]:
    """Psi of every image in each form (`forms_of`): a row for each image and form, and how the searches converged.

    Returns:
        The rows, and by form the largest divergence after each evaluation, shape (evaluations, samples).

    """
    rows: dict[str, list[np.ndarray]] = {}
    forms = forms_of(fitted, len(data.classes))
    traces: dict[str, list[np.ndarray]] = {name: [] for name in forms}
    for part in batches(range(len(data)), data):
        images, labels = data.batch(part).to(device), data.labels[part].to(device)
        sample = torch.tensor(part, device=device)
        with torch.no_grad():
            clean = model(images)
        for name, form in forms.items():
            oracle = Oracle(model, len(part))
            began = time.monotonic()
            found = search(oracle, images, sample, seed, form)
            seconds = (time.monotonic() - began) / len(part)
            divergence = found.divergence.cpu().numpy()
            with np.errstate(divide="ignore"):
                psi = 1 / divergence
            columns = {
                "sample": np.array(part),
                "label": labels.cpu().numpy(),
                "prediction": clean.argmax(1).cpu().numpy(),
                "margin": margin(clean, labels).double().cpu().numpy(),
                "form": np.full(len(part), name),
                "divergence": divergence,
                "psi": psi,
                "moved_to": found.prediction.cpu().numpy(),
                "forwards": oracle.forwards.numpy().copy(),
                "backwards": oracle.backwards.numpy().copy(),
                "seconds": np.full(len(part), seconds),
            }
            for column, values in columns.items():
                rows.setdefault(column, []).append(values)
            traces[name].append(found.trace.cpu().numpy())
    made = {column: np.concatenate(values) for column, values in rows.items()}
    return made, {name: np.concatenate(each, axis=1) for name, each in traces.items()}


def thorough_of(search: Divergence) -> Divergence:
    """The search that tells what the usual one misses."""
    return replace(search, restarts=RESTARTS * search.restarts, steps=LONG)


def prove_invariance(
    model: Classifier, data: Data, whole: Data, search: Divergence, fitted: GapScaled, seed: int, device: torch.device
) -> dict[str, Any]:
    """Psi of the first images for the model, and for the model with its logits multiplied, form B calibrated anew.

    Returns:
        By form the largest relative change of the divergence, and the mean divergence as a share of what a thorough
        search finds; None where nothing moves any of the images. What rounding adds is no change.

    """
    thorough = thorough_of(search)
    rows = list(range(min(PROOF, len(data))))
    images, sample = data.batch(rows).to(device), torch.tensor(rows, device=device)
    larger = Scaled(model, FACTOR)
    classes = len(data.classes)
    other = forms_of(calibrate(larger, whole, device), classes)
    changes: dict[str, float | None] = {}
    shares: dict[str, float | None] = {}
    for name, form in forms_of(fitted, classes).items():
        one = search(model, images, sample, seed, form).divergence
        ten = search(larger, images, sample, seed, other[name]).divergence
        moved = one > 0
        changes[name] = float((((ten - one).abs() - NOISE).clamp(min=0) / one)[moved].max()) if moved.any() else None
        most = float(thorough(model, images, sample, seed, form).divergence.sum())
        shares[name] = float(one.sum()) / most if most > 0 else None
    return {"images": len(rows), "factor": FACTOR, "change": changes, "found": shares}


def measure_surfaces(
    model: Classifier, data: Data, rows: Sequence[int], planes: Planes, steps: int, reach: float, device: torch.device
) -> Table:
    """Both surfaces of these images over one pair of directions, with the attack's path and the ball's outline."""
    offsets = grid(steps, reach)
    parts: dict[str, list[np.ndarray]] = {}
    counting, began = Counting(model), time.monotonic()
    for part in batches(rows, data):
        images, labels = data.batch(part).to(device), data.labels[part].to(device)
        sample = torch.tensor(part, device=device)
        plane = planes(counting, images, labels, sample)
        found = surfaces(counting, images, labels, sample, (plane.first, plane.second), (offsets, offsets))
        columns = {
            "sample": sample,
            "label": labels,
            "cross_entropy": found.cross_entropy,
            "decision": found.decision,
            "path": plane.path,
            "outline": plane.outline,
        }
        for column, values in columns.items():
            parts.setdefault(column, []).append(values.cpu().numpy())
    made = {column: np.concatenate(values) for column, values in parts.items()}
    shown = _examples(made["label"])
    pictures = data.batch([int(made["sample"][at]) for at in shown])
    spent = {"forwards": counting.forwards, "backwards": counting.backwards}
    return {
        **made,
        "shown": np.array(shown),
        "pictures": (pictures * 255).round().byte().numpy(),
        "first": offsets.numpy(),
        "second": offsets.numpy(),
        **{name: np.array(value / len(rows)) for name, value in spent.items()},
        "seconds": np.array(time.monotonic() - began),
    }


def _examples(label: np.ndarray) -> list[int]:
    """The first image of each of the first classes: those whose pictures are stored and drawn."""
    _, first = np.unique(label, return_index=True)
    return [int(at) for at in first[:EXAMPLES]]


def measure_parameters(model: nn.Module, data: Data, rows: Sequence[int], seed: int, device: torch.device) -> Table:
    """The mean surfaces of these images over two directions of the parameters."""
    at = list(rows[:PARAMETER_IMAGES])
    offsets = grid(PARAMETER_STEPS, PARAMETER_REACH)
    images, labels = data.batch(at).to(device), data.labels[at].to(device)
    found = parameter_surface(model, images, labels, (offsets, offsets), seed)
    return {
        "first": offsets.numpy(),
        "second": offsets.numpy(),
        "cross_entropy": found.cross_entropy.numpy(),
        "decision": found.decision.numpy(),
    }
