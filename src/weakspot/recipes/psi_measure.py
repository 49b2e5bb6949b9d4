"""What studies of psi measure of a model: psi in its forms, accuracy, and a grid of settings of psi and of PGD.

Used by the pilot (docs/pilots/psi-plan.md) and the study (docs/studies/psi-plan.md). Hold the model still (`frozen`).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weakspot.addresses import Radius
from weakspot.contracts import Classifier, Data, Images, Labels, Logits, PerSample
from weakspot.explaining.files import Table
from weakspot.explaining.measure import FORMS, Scaled, forms_of
from weakspot.landscape.divergence import Divergence
from weakspot.landscape.forms import GapScaled, calibrate
from weakspot.maths.losses import cross_entropy, kl, margin
from weakspot.threats.pgd import Pgd, pgd
from weakspot.threats.search import Loss, Oracle, Search

GRADIENTS, STEPS, RESTARTS, LADDER = (2, 4, 8, 16), (0.1, 0.25, 1.0), (1, 2), (2, 4, 8, 16, 32)
OTHER_STEP = 0.25
"""At which the second loss is climbed."""
PART = 100
FEW = 20
"""Images on which the logits are multiplied by ten."""

Batch = tuple[Images, Labels, Labels]
"""Images, their classes, their numbers."""


class Recording(Search):
    """A search that remembers the margins of every point it judges."""

    def __init__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> None:
        super().__init__(model, images, labels, sample, seed)
        self.margins: list[Tensor] = []

    def judge(self, x: Images, logits: Logits, rows: Labels) -> PerSample:
        """Keep and remember."""
        found = super().judge(x, logits, rows)
        self.margins.append(found.detach().clone())
        return found


def parts(data: Data, device: torch.device | str = "cpu") -> Iterator[Batch]:
    """The data batch by batch, on the device."""
    for start in range(0, len(data), PART):
        rows = list(range(start, min(start + PART, len(data))))
        yield data.batch(rows).to(device), data.labels[rows].to(device), torch.tensor(rows, device=device)


def measure(model: Classifier, whole: Data, data: Data, radius: Radius, device: torch.device | str = "cpu") -> Table:
    """Psi of each image in each form, its cost, and what the model gets right, clean and under PGD.

    Args:
        model: A classifier.
        whole: The split that form B is calibrated on.
        data: The images that are measured.
        radius: Of psi and of PGD.
        device: Where the model is.

    """
    fitted, search = calibrate(model, whole, device), Divergence(radius=radius)
    larger = Scaled(model, 10.0)
    other = forms_of(calibrate(larger, whole, device), len(whole.classes))
    made: Table = {"label": data.labels.numpy(), "gap": np.array(fitted.gap)}
    found: dict[str, list[np.ndarray]] = {key: [] for key in ("clean", "attacked", *FORMS)}
    for at, (images, labels, sample) in enumerate(parts(data, device)):
        found["clean"].append(right(model, images, labels))
        found["attacked"].append(right(model, Pgd(radius=radius)(model, images, labels, sample, 0), labels))
        for name, form in forms_of(fitted, len(whole.classes)).items():
            oracle = Oracle(model, len(images))
            divergence = search(oracle, images, sample, 0, form).divergence
            found[name].append(divergence.cpu().numpy())
            made["forwards"], made["backwards"] = oracle.forwards[0].numpy(), oracle.backwards[0].numpy()
            if at == 0:
                ten = search(larger, images[:FEW], sample[:FEW], 0, other[name]).divergence
                made[f"tenfold_{name}"] = np.array(float(ten.mean() / divergence[:FEW].mean()))
    return made | {name: np.concatenate(each) for name, each in found.items()}


def right(model: Classifier, images: Images, labels: Labels) -> np.ndarray:
    """Which images are taken for their class."""
    with torch.no_grad():
        return (margin(model(images), labels) > 0).cpu().numpy()


def grade(model: Classifier, form: GapScaled, batch: Batch, radius: Radius) -> Table:
    """Divergence in form B by each setting of psi, whether PGD fools by each of its own, and both ladders; (images,).

    Names are FIGURE/LOSS/STEP/GRADIENTS/RESTARTS, in steps of radii; passes of the rungs of psi are counted.
    """
    images, labels, sample = batch
    with torch.no_grad():
        clean = model(images)
    seen = {"label": labels.cpu().numpy()}
    made: dict[tuple[Any, ...], np.ndarray] = {}
    for step in STEPS:
        for gradients in GRADIENTS:
            search = Divergence(radius=radius, steps=gradients // 2, step=step, restarts=max(RESTARTS))
            trace = search(model, images, sample, 0, form).trace
            for restarts in RESTARTS:
                made["psi", "own", step, gradients, restarts] = trace[restarts * (gradients + 2)].cpu().numpy()
    raw = forms_of(form, clean.shape[1])["raw"]
    for gradients in GRADIENTS:
        search = Divergence(radius=radius, steps=gradients // 2, step=OTHER_STEP)
        points = search(model, images, sample, 0, raw).images
        with torch.no_grad():
            reached = kl(form(clean.double()), form(model(points).double()))
        made["psi", "other", OTHER_STEP, gradients, 1] = reached.cpu().numpy()
    made |= grade_pgd(model, batch, radius, (margin(clean, labels) < 0).cpu().numpy())
    for steps in (each // 2 for each in LADDER):
        oracle = Oracle(model, len(images))
        search = Divergence(radius=radius, steps=steps)
        found = search(oracle, images, sample, 0, form).divergence
        made["psi", "ladder", search.step, 2 * steps, 1] = found.cpu().numpy()
        seen[f"passes_{2 * steps}"] = np.array(int(oracle.forwards[0] + oracle.backwards[0]))
    return seen | {"/".join(str(each) for each in key): value for key, value in made.items()}


def grade_pgd(model: Classifier, batch: Batch, radius: Radius, fooled: np.ndarray) -> dict[tuple[Any, ...], np.ndarray]:
    """Whether PGD fools by each of its settings; `fooled` are the images that are wrong without it."""
    made: dict[tuple[Any, ...], np.ndarray] = {}
    for step in STEPS:
        for restarts in RESTARTS:
            longest = max(LADDER) if restarts == 1 else max(GRADIENTS)
            lowest = traced_pgd(model, batch, radius, cross_entropy, longest, step, restarts - 1)
            for gradients in LADDER if restarts == 1 else GRADIENTS:
                before = made["pgd", "own", step, gradients, 1] if restarts > 1 else fooled
                made["pgd", "own", step, gradients, restarts] = before | (lowest[gradients] < 0).cpu().numpy()
    lowest = traced_pgd(model, batch, radius, falling_margin, max(GRADIENTS), OTHER_STEP, 0)
    for gradients in GRADIENTS:
        made["pgd", "other", OTHER_STEP, gradients, 1] = (lowest[gradients] < 0).cpu().numpy() | fooled
    return made


def falling_margin(logits: Logits, labels: Labels) -> PerSample:
    """The second loss of PGD."""
    return -margin(logits, labels)


def traced_pgd(
    model: Classifier, batch: Batch, radius: Radius, loss: Loss, steps: int, step: float, restart: int
) -> Tensor:
    """The lowest margin of the start and the points after each step up to every length of one run, (lengths, images).

    A run of g steps is the beginning of any longer one, so one run gives them all.
    """
    images, labels, sample = batch
    search, rows = Recording(model, images, labels, sample, 0), torch.arange(len(images), device=images.device)
    pgd(search, rows, images.new_full((len(images),), float(radius)), radius.norm, loss, steps, step, f"pgd/{restart}")
    return torch.stack(search.margins).cummin(0).values
