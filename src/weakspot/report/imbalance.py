"""summary.json's `imbalance`: groups of classes by training count, where the counts are known and differ."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from weakspot.analysis.class_means import Estimate
from weakspot.analysis.corruption import image_scores
from weakspot.analysis.imbalance import GROUPS, UnderImbalance, checked, groups, under_imbalance, uneven
from weakspot.analysis.scores import Scores
from weakspot.outcomes import Outcomes
from weakspot.report.numbers import correlation, draws_for, number
from weakspot.report.schema_imbalance import (
    GapEstimate,
    GroupName,
    Imbalance,
    ImbalancedCondition,
    ImbalanceGroup,
    ShareEstimate,
)


def imbalance(
    manifest: Mapping[str, Any], rows: Mapping[str, Outcomes], clean: Outcomes, classes: list[str], seed: int
) -> Imbalance | None:
    """The section; None where the manifest knows no training counts, or all are the same.

    Args:
        manifest: The run's manifest; its `training` has the name of the data and the count of each class.
        rows: By condition: clean and robust with one row per sample, corrupted with all rows of corruptions.
        clean: The clean rows.
        classes: Their names.
        seed: Names the random draws.

    Raises:
        InputError: there is not one count for each class.

    """
    if manifest.get("training") is None:
        return None
    counts = checked(manifest["training"]["counts"], len(classes))
    if not uneven(counts):
        return None
    members = [cast(GroupName, GROUPS[at]) for at in groups(counts)]
    return {
        "data": str(manifest["training"]["name"]),
        "counts": counts.tolist(),
        "members": members,
        "ratio": number(counts.max() / counts.min()) if counts.min() else None,
        "conditions": {name: _condition(name, each, clean, counts, classes, seed) for name, each in rows.items()},
    }


def _condition(
    name: str, rows: Outcomes, clean: Outcomes, counts: np.ndarray, classes: list[str], seed: int
) -> ImbalancedCondition:
    draws = draws_for(len(classes))
    if name == "corrupted":
        found = under_imbalance(Scores(*image_scores(rows)), counts, seed, draws=draws)
    else:
        scores = Scores(rows.sample, rows.label, rows.correct.astype(float))
        found = under_imbalance(scores, counts, seed, rows, clean, draws=draws)
    return {
        "groups": [_group(found, at, classes) for at in range(len(GROUPS)) if found.groups[at].classes],
        "gap": _gap(found.gap),
        "accuracy": correlation(found.accuracy),
        "accuracy_images": correlation(found.accuracy_images),
        "attraction": correlation(found.attraction),
        "attraction_images": correlation(found.attraction_images),
    }


def _group(found: UnderImbalance, at: int, classes: list[str]) -> ImbalanceGroup:
    group = found.groups[at]
    return {
        "name": cast(GroupName, GROUPS[at]),
        "classes": [classes[c] for c in group.classes],
        "training": group.training,
        "samples": group.samples,
        "accuracy": _share(group.accuracy),
        "natural_error": _share(group.natural_error),
        "boundary_error": _share(group.boundary_error),
        "false_positive_rate": _share(group.false_positive_rate),
    }


def _share(found: Estimate) -> ShareEstimate:
    return {"value": number(found.value), "low": number(found.low), "high": number(found.high)}


def _gap(found: Estimate) -> GapEstimate:
    return {"value": number(found.value), "low": number(found.low), "high": number(found.high)}
