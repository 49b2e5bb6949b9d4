"""summary.json's `corrupted`: all corruption threats together, with intervals that resample images."""

from collections.abc import Collection, Mapping

import numpy as np

from weakspot.addresses import ThreatAddress
from weakspot.analysis.arrays import mean
from weakspot.analysis.corruption import (
    Corruptions,
    corruptions,
    image_scores,
    mean_corruption_error,
    overall_slopes,
    relative_corruption_error,
    severity_slopes,
)
from weakspot.analysis.measures import Measure, run_measures
from weakspot.analysis.rates import by_class
from weakspot.analysis.scores import CORRUPTED, Scores
from weakspot.outcomes import Outcomes
from weakspot.report.cells import cell
from weakspot.report.numbers import number, numbers
from weakspot.report.schema_cell import Cell, ClassEntry, WorstClass
from weakspot.report.schema_corrupted import ByCorruption, BySeverity, Corrupted

DRAWS = 400
"""Resamples for a standard error, which needs fewer than a percentile."""


def corrupted(
    rows: Mapping[str, Outcomes], clean: Outcomes, names: list[str], seed: int, substituted: Collection[str] = ()
) -> Corrupted | None:
    """All of `rows`, which are the corruption threats' by their addresses; None where there are none.

    `substituted` are the addresses of those that are not comparable with published numbers.

    An image that lacks a corruption which others have been through is left out.
    """
    if not any(len(each) for each in rows.values()):
        return None
    all_rows = Outcomes.join(list(rows.values()))
    whole, label, _ = image_scores(all_rows)
    all_rows = all_rows.where(np.isin(all_rows.sample, whole))
    table = corruptions(all_rows, len(names))
    slopes = severity_slopes(table)
    before = by_class(*_same(clean, whole), len(names))
    made = cell(all_rows, clean, "corruption", names, seed, clustered=True)
    errors = np.zeros(table.overall.shape)
    return {
        **_resampled(made, all_rows, names, seed),
        "substituted": list(dict.fromkeys(ThreatAddress.of(address).name for address in substituted)),
        "images": np.bincount(label, minlength=len(names)).tolist(),
        "by_corruption": _by_corruption(rows, all_rows, table, slopes, seed),
        "by_severity": _by_severity(all_rows, table, seed),
        "slopes": numbers(mean(slopes, 0)),
        "mean_corruption_error": number(mean_corruption_error(table.overall, errors)),
        "relative_corruption_error": number(
            relative_corruption_error(table.overall, before.overall, errors, 1.0)
        ),
        "relative_errors": numbers(
            relative_corruption_error(table.accuracy, before.accuracy, np.zeros(table.accuracy.shape), 1.0)
        ),
    }  # fmt: skip


def _same(clean: Outcomes, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and clean predictions of the images in `whole`."""
    mine = clean.where(np.isin(clean.sample, whole))
    return mine.label, mine.prediction


def _measured(rows: Outcomes, classes: int, seed: int) -> tuple[Measure, list[Measure], Measure, Measure]:
    """Over all images, per class, of the worst class and balanced; an image's score is its share of correct rows."""
    # Numbers instead of names, which may repeat.
    found = run_measures({CORRUPTED: Scores(*image_scores(rows))}, [str(c) for c in range(classes)], seed, DRAWS)
    each = [found[f"class({c}).{CORRUPTED}"] for c in range(classes)]
    return found[CORRUPTED], each, found[f"worst_class_{CORRUPTED}"], found[f"balanced_{CORRUPTED}"]


def _resampled(made: Cell, rows: Outcomes, names: list[str], seed: int) -> Cell:
    """The cell with the intervals of images instead of rows, and without what cannot be had so."""
    overall, each, worst, balanced = _measured(rows, len(names), seed)
    classes: list[ClassEntry] = [
        {**entry, "low": number(one.low), "high": number(one.high)}
        for entry, one in zip(made["classes"], each, strict=True)
    ]
    return {
        **made,
        "low": number(overall.low),
        "high": number(overall.high),
        "balanced_low": number(balanced.low),
        "balanced_high": number(balanced.high),
        "worst_class": _worst(made["worst_class"], worst),
        "classes": classes,
        "disparity": {**made["disparity"], "spread_without_noise": None, "equal_p": None},
    }


def _worst(worst: WorstClass | None, limits: Measure) -> WorstClass | None:
    if worst is None:
        return None
    return {**worst, "low": limits.low, "high": limits.high, "corrected": None, "probability": None}


def _by_corruption(
    threats: Mapping[str, Outcomes], rows: Outcomes, table: Corruptions, slopes: np.ndarray, seed: int
) -> list[ByCorruption]:
    made: list[ByCorruption] = []
    pooled = overall_slopes(table)
    for at, name in enumerate(table.names):
        mine = [address for address in threats if _name(address) == name]
        overall, each, *_ = _measured(rows.where(np.isin(rows.threat, mine)), table.samples.shape[2], seed)
        made.append(
            {
                "name": name,
                "threats": mine,
                "accuracy": number(overall.value),
                "low": number(overall.low),
                "high": number(overall.high),
                "slope": number(pooled[at]),
                "classes": [
                    {
                        "accuracy": number(one.value),
                        "low": number(one.low),
                        "high": number(one.high),
                        "slope": number(slopes[at, c]),
                    }
                    for c, one in enumerate(each)
                ],
            }
        )
    return made


def _by_severity(rows: Outcomes, table: Corruptions, seed: int) -> list[BySeverity]:
    made: list[BySeverity] = []
    for severity in table.severities:
        overall, each, *_ = _measured(rows.where(rows.severity == severity), table.samples.shape[2], seed)
        made.append(
            {
                "severity": severity,
                "accuracy": number(overall.value),
                "low": number(overall.low),
                "high": number(overall.high),
                "classes": [
                    {"accuracy": number(one.value), "low": number(one.low), "high": number(one.high)} for one in each
                ],
            }
        )
    return made


def _name(address: str) -> str:
    """A corruption without its severity, as `analysis.corruption` groups them."""
    read = ThreatAddress.of(address)
    return str(ThreatAddress(read.name, read.options))
