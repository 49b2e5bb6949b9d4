"""What a threat returned, measured afresh: a threat is never trusted with its own result."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from weakspot.contracts import Classifier, Images, Labels, Logits, Rows, Threat
from weakspot.errors import InputError
from weakspot.maths.balls import distance
from weakspot.maths.losses import margin
from weakspot.outcomes import Outcomes
from weakspot.threats.search import Oracle

REFUSED = "refused"
"""`found_by` of a sample whose returned image left its set, or made the model return NaN: it counts as clean."""


def tolerance(radius: float) -> float:
    """How far beyond the radius float32 rounding may put an honest image: x + delta is rounded at each pixel."""
    return radius * (1 + 1e-5) + 1e-6


def check_logits(logits: Tensor, samples: int, sample: Labels) -> None:
    """Refuse logits of a wrong shape, and logits that are not finite on images as they are.

    Raises:
        InputError: one line that names the first samples concerned.

    """
    if logits.ndim != 2 or len(logits) != samples:
        raise InputError(
            f"the model must return logits of shape (batch, classes), got {tuple(logits.shape)} for {samples} images; "
            "wrap it so that it returns one row of scores per image"
        )
    broken = ~torch.isfinite(logits).all(dim=1)
    if broken.any():
        named = ", ".join(str(i) for i in sample[broken][:3].tolist())
        raise InputError(
            f"the model returned NaN or infinite logits for {int(broken.sum())} of {samples} clean images "
            f"(samples {named}); check its weights and its normalisation"
        )


def clean_logits(model: Classifier, images: Images, sample: Labels) -> Logits:
    """float32 logits of images as they are; computed once, they serve every threat on these images.

    Raises:
        InputError: they are not finite or of a wrong shape.

    """
    with torch.no_grad():
        clean = model(images).float()
    check_logits(clean, len(images), sample)
    return clean


def inside_set(threat: Threat, attacked: Images, images: Images) -> Bool[Tensor, " batch"]:
    """Which returned images are finite, in [0, 1], and within the threat's radius (a mask)."""
    flat = attacked.flatten(1)
    held = torch.isfinite(flat).all(1) & (flat >= 0).all(1) & (flat <= 1).all(1)
    radius = getattr(threat, "radius", None)
    if radius is not None:
        held &= distance(attacked - images, radius.norm) <= tolerance(float(radius))
    return held


def measure(
    model: Classifier,
    threat: Threat,
    address: str,
    images: Images,
    labels: Labels,
    sample: Labels,
    seed: int,
    clean: Logits | None = None,
) -> tuple[Outcomes, Float[Tensor, "rows channels height width"]]:
    """Run one threat on one block; returns its rows and, row by row, the images that they describe.

    A sample that is wrong when clean keeps its clean prediction under an adversarial threat (`found_by` "clean"): what
    an attack does to it says nothing about robustness. `clean` are the images' `clean_logits`, where they are known.

    Raises:
        InputError: the model's clean logits are not finite or of a wrong shape, or the threat returned another shape.

    """
    oracle = Oracle(model, len(images))
    clean = clean_logits(model, images, sample) if clean is None else clean
    rows, targets = cases(threat, clean, labels)
    attacked = threat(oracle, images, labels, sample, seed).detach()
    if attacked.shape != (len(rows), *images.shape[1:]):
        expected = (len(rows), *images.shape[1:])
        raise InputError(f"{address} returned images of shape {tuple(attacked.shape)}, expected {expected}")
    images, labels, sample, clean = images[rows], labels[rows], sample[rows], clean[rows]
    keep = torch.zeros(len(rows), dtype=torch.bool, device=images.device)  # rows that stay as they are when clean
    found_by = np.array(oracle.found_by, dtype=object)[rows.cpu().numpy()]
    logits = clean
    if threat.kind != "clean":
        held = inside_set(threat, attacked, images)
        logits = _evaluate(model, torch.where(held[:, None, None, None], attacked, images), len(oracle.forwards))
        held &= torch.isfinite(logits).all(1)
        found_by[(~held).cpu().numpy()] = REFUSED
        keep |= ~held
        if threat.kind == "adversarial":
            wrong = clean.argmax(1) != labels
            found_by[wrong.cpu().numpy()] = "clean"
            keep |= wrong
        logits = torch.where(keep[:, None], clean, logits)
        attacked = torch.where(keep[:, None, None, None], images, attacked)
    spent = Spent.of(oracle, rows)
    return _rows(threat, address, images, attacked, logits, labels, sample, targets, spent, found_by), attacked


def cases(threat: Threat, clean: Logits, labels: Labels) -> tuple[Rows, Rows]:
    """Which row of the block each returned image belongs to, and the class it aims at (-1: none).

    Most threats return one image per sample; one that aims at several classes says its cases itself.
    """
    if hasattr(threat, "cases"):
        rows, targets = threat.cases(clean, labels)
        return rows, targets
    target = getattr(threat, "target", -1)
    return torch.arange(len(labels), device=labels.device), torch.full_like(labels, target)


def _evaluate(model: Classifier, images: Images, batch: int) -> Logits:
    """float32 logits in batches no larger than the block."""
    with torch.no_grad():
        return torch.cat([model(part).float() for part in torch.split(images, batch)])


@dataclass(frozen=True)
class Spent:
    """Evaluations per row; those of a sample with several rows stand in its first one, so that sums stay right."""

    forwards: np.ndarray
    backwards: np.ndarray

    @classmethod
    def of(cls, oracle: Oracle, rows: Rows) -> "Spent":
        """The oracle's counts, one entry per row."""
        place = rows.cpu().numpy()
        _, first = np.unique(place, return_index=True)
        counted = np.zeros((2, len(place)), dtype=np.int64)
        counted[0, first], counted[1, first] = oracle.forwards.numpy(), oracle.backwards.numpy()
        return cls(counted[0], counted[1])


def _rows(
    threat: Threat,
    address: str,
    images: Images,
    attacked: Images,
    logits: Logits,
    labels: Labels,
    sample: Labels,
    targets: Labels,
    spent: Spent,
    found_by: np.ndarray,
) -> Outcomes:
    prediction = logits.argmax(1)
    correct = (prediction == labels).cpu().numpy()
    broke = (threat.kind == "adversarial") & ~correct & (found_by == "")
    found_by[broke] = threat.name
    found_by[correct & (found_by != REFUSED)] = ""
    delta = attacked - images
    return Outcomes.build(
        sample=sample.cpu().numpy(),
        label=labels.cpu().numpy(),
        threat=address,
        target=targets.cpu().numpy(),
        prediction=prediction.cpu().numpy(),
        correct=correct,
        margin=margin(logits, labels).cpu().numpy(),
        confidence=logits.softmax(1).amax(1).cpu().numpy(),
        runner_up=logits.topk(2, dim=1).indices[:, 1].cpu().numpy() if logits.shape[1] > 1 else -1,
        distance_linf=distance(delta, "linf").cpu().numpy(),
        distance_l2=distance(delta, "l2").cpu().numpy(),
        found_by=found_by,
        forwards=spent.forwards,
        backwards=spent.backwards,
        severity=getattr(threat, "severity", 0),
    )
