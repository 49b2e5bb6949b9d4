"""Whether psi and the surfaces know which class is weak: rank correlations with the figures of an audit."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from weakspot.addresses import Radius
from weakspot.analysis.arrays import PerClass, ratio
from weakspot.analysis.attraction import attraction
from weakspot.analysis.bootstrap import resampled_means
from weakspot.analysis.confusion import confusion_matrix
from weakspot.analysis.psi import FEW
from weakspot.analysis.relate import image_correlation, rank_correlation
from weakspot.analysis.shape import along, curvature, rise
from weakspot.analysis.worst_case import worst_case
from weakspot.outcomes import Outcomes
from weakspot.report.explain_summary import Columns, Measured, forms_in
from weakspot.report.numbers import correlation, draws_for, numbers

PAIRS_UP_TO = 100
"""Above this many classes the pairs, and the intervals over images, are left out: they take K^2 numbers a resample."""


def link_section(
    folder: str, manifest: Mapping[str, Any], rows: Outcomes, side: Measured, radius: str, seed: int
) -> dict[str, Any]:
    """How each figure goes with robust accuracy and CFPS over classes, and the divergences' way with hard pairs.

    Args:
        folder: Of the audit.
        manifest: The audit's manifest.json.
        rows: All its rows.
        side: What was measured of the same model.
        radius: Of the ball that psi was searched in.
        seed: Of the resamples.

    """
    names = list(manifest["data"]["classes"])
    worst, scope, judged = _judged(manifest, rows, radius)
    found = attraction(worst.label, worst.prediction, len(names))
    accuracy = 1 - found.false_negative_rate
    figures = _figures(side, len(names))
    measured = {}
    for name, (values, sample, label) in figures.items():
        mine = _class_means(values, label, len(names))
        # psi is read so that a robust class is high.
        sign = -1 if name.startswith("psi") else 1
        entry: dict[str, Any] = {
            "robust_accuracy": correlation(rank_correlation(sign * mine, accuracy)),
            "cfps": correlation(rank_correlation(sign * mine, found.cfps)),
            "over_images": None,
        }
        if len(names) <= PAIRS_UP_TO:
            entry["over_images"] = _over_images(values, sample, worst, len(names), seed, sign)
        measured[name] = entry
    return {
        "run": folder,
        "condition": scope,
        "radius": judged,
        "notes": _notes(radius, scope, judged),
        "samples": len(worst),
        "classes": [
            {"name": name, "accuracy": a, "cfps": c}
            for name, a, c in zip(names, numbers(accuracy), numbers(found.cfps), strict=True)
        ],
        "figures": measured,
        "pairs": _pairs(side.table, worst, len(names)) if len(names) <= PAIRS_UP_TO else None,
    }


def _judged(manifest: Mapping[str, Any], rows: Outcomes, radius: str) -> tuple[Outcomes, str, str | None]:
    """The rows by which the audit judges: the worst case at this radius, or at its first one; otherwise the clean ones.

    With them "robust" or "clean", and the radius of the attacks.
    """
    attacks = [threat for threat in manifest["threats"] if threat["kind"] == "adversarial"]
    if not attacks:
        return rows.of("clean"), "clean", None
    at = {threat["radius"] for threat in attacks if threat["radius"] is not None}
    judged = next((one for one in at if Radius.of(one) == Radius.of(radius)), attacks[0]["radius"])
    chosen = [threat["address"] for threat in attacks if threat["radius"] == judged]
    return worst_case(rows, ["clean", *chosen]), "robust", judged


def _notes(radius: str, scope: str, judged: str | None) -> list[str]:
    """Whether psi and the audit speak of the same ball."""
    if scope == "clean":
        return [f"The audit has no attacks: psi within {radius} is related to its clean accuracy."]
    if judged is not None and Radius.of(judged) == Radius.of(radius):
        return []
    return [
        f"The audit has no attacks at {radius}, within which psi is searched: psi is related to its accuracy at "
        f"{judged or 'an unnamed radius'}, which is another question."
    ]


def _figures(side: Measured, classes: int) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By name: a value for each image, its number and its label; psi by the divergence, whose class mean it inverts."""
    found = {}
    for form in forms_in(side.table, classes):
        mine = side.table["form"] == form
        found[f"psi {form}"] = tuple(side.table[key][mine] for key in ("divergence", "sample", "label"))
    for pair, grids in side.surfaces.items():
        first, _, _ = pair.partition(",")
        for surface, called in (("cross_entropy", "cross-entropy"), ("decision", "decision")):
            lines, _ = along(grids[surface].astype(float), grids["first"], grids["second"])
            for what, of in (("rise", rise), ("curvature", curvature)):
                values = of(lines, grids["first"])
                found[f"{what} of {called} along {first}"] = (values, grids["sample"], grids["label"])
    return found


def _class_means(values: np.ndarray, label: np.ndarray, classes: int) -> PerClass:
    known = ~np.isnan(values)
    count = np.bincount(label[known], minlength=classes)
    return ratio(np.bincount(label[known], values[known], minlength=classes), count)


def _over_images(
    values: np.ndarray, sample: np.ndarray, worst: Outcomes, classes: int, seed: int, sign: int
) -> dict[str, Any] | None:
    """The correlation with robust accuracy on the images that both know, with an interval of resampled images.

    Where a class has fewer than FEW images there is no interval: resamples of so few repeat them.
    """
    common, one, two = np.intersect1d(sample, worst.sample, return_indices=True)
    known = ~np.isnan(values[one])
    one, two = one[known], two[known]
    if len(common) < 2 or not known.any():
        return None
    both = np.stack([sign * values[one], worst.correct[two].astype(float)], axis=1)
    label = worst.label[two]
    drawn = resampled_means(both, label, classes, draws_for(classes), seed)
    means = np.stack([_class_means(column, label, classes) for column in both.T])
    found = dict(correlation(image_correlation(means[0], means[1], drawn[:, :, 0], drawn[:, :, 1])))
    few = np.bincount(label, minlength=classes)[np.unique(label)].min() < FEW
    return found | {"low": None, "high": None} if few else found


def _pairs(table: Columns, worst: Outcomes, classes: int) -> dict[str, Any]:
    """Where predictions move to (form B) against who is mistaken for whom, over ordered pairs of classes.

    A prediction moves from the class that the clean image is taken for: an image that is wrong already and stays where
    it is has not moved.
    """
    mine = table["form"] == "B"
    before, after = table["prediction"][mine], table["moved_to"][mine]
    changed = int((before != after).sum())
    moved = confusion_matrix(before, after, classes)
    mistaken = confusion_matrix(worst.label, worst.prediction, classes)
    off = ~np.eye(classes, dtype=bool)
    one, two = (ratio(each, each.sum(axis=1, keepdims=True))[off] for each in (moved, mistaken))
    known = correlation(rank_correlation(one, two)) if changed >= FEW else None
    return {"correlation": known, "ordered_pairs": int(off.sum()), "images": changed}
