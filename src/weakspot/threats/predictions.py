"""Saved predictions that a user brings, as rows: another tool's results, where its images are gone.

Nothing here can be measured again: distances are unknown (NaN), and so are margins where only classes were saved. The
rows say so by `found_by` "imported".
"""

from pathlib import Path

import numpy as np

from weakspot.contracts import Kind
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes
from weakspot.threats.archive import check_labels, files_of, read_arrays, whole_numbers

IMPORTED = "imported"
"""`found_by` of a sample that the saved prediction gets wrong."""


def import_clean(path: Path, labels: np.ndarray, classes: int) -> Outcomes:
    """The rows of the threat "clean", one for each saved prediction on images as they are, in the archive's order.

    Args:
        path: the archive, or a folder of them, as for `import_predictions`.
        labels: of the data, all of them.
        classes: of the data.

    Raises:
        InputError: as for `import_predictions`.

    """
    label = labels.astype(np.int64)
    known = Outcomes.build(sample=np.arange(len(label)), label=label, threat="clean", prediction=label, correct=True)
    return import_predictions(path, known, "clean", classes, "clean")


def import_predictions(
    path: Path, clean: Outcomes, threat: str, classes: int, kind: Kind = "adversarial", severity: int = 0
) -> Outcomes:
    """One row of `threat` for each saved prediction, in the archive's order.

    The `.npz` archive holds `prediction` (n,), whole numbers, or `logits` (n, classes), and optionally `sample`, the
    numbers in the split (0, 1, 2, ... else), and `label`, which is compared. Under an adversarial threat a sample that
    is wrong when clean keeps its clean prediction (`found_by` "clean").

    Args:
        path: the archive, or a folder of them.
        clean: the rows of the threat "clean" on the same data; they bring the labels.
        threat: the address that the rows get, such as "apgd-ce@linf:8/255".
        classes: of the data.
        kind: of the threat.
        severity: of a corruption, 1 to 5, else 0.

    Raises:
        InputError: an archive is damaged, holds neither, names a class or sample that the data do not have, holds a
            sample twice, or was made from other data.

    """
    made = Outcomes.join([_rows(file, clean, threat, classes, kind, severity) for file in files_of(path)])
    if len(np.unique(made.sample)) < len(made):
        raise InputError(f"{path} holds predictions of one sample more than once; keep the worst of each")
    return made


def _rows(file: Path, clean: Outcomes, threat: str, classes: int, kind: Kind, severity: int) -> Outcomes:
    arrays = read_arrays(file)
    logits = _logits(arrays, classes, file)
    prediction = _classes(arrays, classes, file) if logits is None else logits.argmax(1)
    count = len(prediction)
    sample = whole_numbers(arrays, "sample", np.arange(count), file)
    before = clean.where(_places(clean, sample, file))
    check_labels(whole_numbers(arrays, "label", np.full(count, -1), file), sample, before.label, file)
    wrong = ~before.correct & (kind == "adversarial")
    prediction = np.where(wrong, before.prediction, prediction)
    margin, confidence, runner_up = _read_off(logits, before.label, count)
    broke = np.where((prediction != before.label) & (kind == "adversarial"), IMPORTED, "")
    moved = np.where(wrong | (kind == "clean"), 0, np.nan)
    return Outcomes.build(
        sample=sample,
        label=before.label,
        threat=threat,
        prediction=prediction,
        correct=prediction == before.label,
        margin=np.where(wrong, before.margin, margin),
        confidence=np.where(wrong, before.confidence, confidence),
        runner_up=np.where(wrong, before.runner_up, runner_up),
        distance_linf=moved,
        distance_l2=moved,
        found_by=np.where(wrong, "clean", broke),
        severity=severity,
    )


def _logits(arrays: dict[str, np.ndarray], classes: int, file: Path) -> np.ndarray | None:
    if "logits" not in arrays:
        return None
    logits = arrays["logits"]
    if logits.ndim != 2 or logits.shape[1] != classes or logits.dtype.kind != "f" or not np.isfinite(logits).all():
        raise InputError(
            f"{file}: logits must be finite floats of shape (n, {classes}), got {logits.dtype} of shape {logits.shape}"
        )
    return logits.astype(np.float64)


def _classes(arrays: dict[str, np.ndarray], classes: int, file: Path) -> np.ndarray:
    if "prediction" not in arrays or arrays["prediction"].ndim != 1:
        names = ", ".join(arrays) or "nothing"
        raise InputError(f"{file}: expected prediction (n,) or logits (n, {classes}), got {names}")
    prediction = whole_numbers(arrays, "prediction", np.empty(len(arrays["prediction"])), file)
    if prediction.max(initial=0) >= classes:
        raise InputError(f"{file}: predictions must be classes 0 to {classes - 1}, got {prediction.max()}")
    return prediction


def _places(clean: Outcomes, sample: np.ndarray, file: Path) -> np.ndarray:
    """Where each sample stands in the clean rows."""
    order = np.argsort(clean.sample, kind="stable")
    at = order[np.minimum(np.searchsorted(clean.sample[order], sample), len(clean) - 1)]
    if len(lost := sample[clean.sample[at] != sample]):
        raise InputError(
            f"{file} names {len(lost)} samples that are not audited (is there a --limit?), such as {lost[0]}"
        )
    return at


def _read_off(logits: np.ndarray | None, label: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margin, confidence and runner-up; NaN, NaN and -1 where no logits were saved."""
    if logits is None:
        return np.full(count, np.nan), np.full(count, np.nan), np.full(count, -1)
    order = np.argsort(-logits, axis=1, kind="stable")
    top = np.take_along_axis(logits, order[:, :2], axis=1)
    true = logits[np.arange(count), label]
    rival = np.where(order[:, 0] == label, top[:, 1], top[:, 0])
    confidence = 1 / np.exp(logits - top[:, :1]).sum(1)
    return true - rival, confidence, order[:, 1]
