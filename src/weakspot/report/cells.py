"""One threat's part of the summary, from its rows: rates, worst class, attraction, disparity, confusion."""

from typing import Literal

import numpy as np

from weakspot.analysis.attraction import Attraction, attraction
from weakspot.analysis.bootstrap import AttractionIntervals, attraction_intervals, clustered_attraction_intervals
from weakspot.analysis.class_means import class_mean
from weakspot.analysis.confusion import confusion_matrix, ranked_confusions
from weakspot.analysis.coupling import Roles, clustered_roles, roles
from weakspot.analysis.decomposition import Decomposition, decompose
from weakspot.analysis.disparity import disparity, nrr
from weakspot.analysis.intervals import Interval, wilson
from weakspot.analysis.rates import Rates, by_class
from weakspot.analysis.worst_class import worst_class
from weakspot.outcomes import Outcomes
from weakspot.report.numbers import draws_for, number
from weakspot.report.schema import FULL_CONFUSION
from weakspot.report.schema_cell import Cell, ClassEntry, Confused, Disparity, Role, WorstClass

TOP = 50
"""How many of the most frequent confusions are listed."""
K_WORST = 3
"""How many classes are the weakest ones."""
ALPHA = 0.05


def cell(
    rows: Outcomes,
    clean: Outcomes,
    kind: Literal["clean", "adversarial", "corruption"],
    names: list[str],
    seed: int,
    clustered: bool = False,
) -> Cell:
    """All classes of `rows`, which hold one row per sample.

    With `clustered` a sample has several rows (its corruptions) and each counts; then the intervals and tests of the
    shares of errors resample images, and the caller replaces what the rates' intervals say.
    """
    many = len(names)
    rates = by_class(rows.label, rows.prediction, many)
    correct, samples = int(rates.correct.sum()), int(rates.samples.sum())
    overall = wilson(np.array(correct), np.array(samples))
    balanced = class_mean(rates.correct, rates.samples)
    errors = decompose(clean, rows, many)
    drawn = attraction(rows.label, rows.prediction, many)
    intervals, tested = (_clustered if clustered else _independent)(rows, many, seed)
    attractors, leaks = _roles(tested, drawn, intervals, names)
    full = many <= FULL_CONFUSION
    return {
        "kind": kind,
        "samples": samples,
        "accuracy": number(rates.overall),
        "low": number(overall.low),
        "high": number(overall.high),
        "balanced_accuracy": number(rates.balanced),
        "balanced_low": number(balanced.low),
        "balanced_high": number(balanced.high),
        "worst_class": _worst(rates, names, seed),
        "classes": _classes(rates, errors, drawn, intervals, names),
        "disparity": _disparity(rates, errors),
        "attractors": attractors,
        "leaks": leaks,
        "confusion": confusion_matrix(rows.label, rows.prediction, many).tolist() if full else None,
        "top_confusions": _confusions(rows, names),
    }


def _independent(rows: Outcomes, many: int, seed: int) -> tuple[AttractionIntervals, Roles]:
    """Intervals of CFPS and CFNS, and the tests of attraction and leaking, for one row per sample."""
    intervals = attraction_intervals(rows.label, rows.prediction, many, seed, draws_for(many))
    return intervals, roles(rows.label, rows.prediction, many)


def _clustered(rows: Outcomes, many: int, seed: int) -> tuple[AttractionIntervals, Roles]:
    """The same where a sample has several rows; unknown above FULL_CONFUSION classes, where it would take too long."""
    if many > FULL_CONFUSION:
        unknown = Interval(np.full(many, np.nan), np.full(many, np.nan))
        intervals = AttractionIntervals(cfps=unknown, cfns=unknown)
    else:
        intervals = clustered_attraction_intervals(rows.sample, rows.label, rows.prediction, many, seed)
    return intervals, clustered_roles(rows.sample, rows.label, rows.prediction, many)


def _classes(
    rates: Rates, errors: Decomposition, drawn: Attraction, intervals: AttractionIntervals, names: list[str]
) -> list[ClassEntry]:
    limits = wilson(rates.correct, rates.samples)
    return [
        {
            "name": name,
            "samples": int(rates.samples[c]),
            "correct": int(rates.correct[c]),
            "accuracy": number(rates.accuracy[c]),
            "low": number(limits.low[c]),
            "high": number(limits.high[c]),
            "natural_error": number(errors.natural_error[c]),
            "boundary_error": number(errors.boundary_error[c]),
            "false_positives": int(drawn.false_positives[c]),
            "false_positive_rate": number(drawn.false_positive_rate[c]),
            "cfps": number(drawn.cfps[c]),
            "cfps_low": number(intervals.cfps.low[c]),
            "cfps_high": number(intervals.cfps.high[c]),
            "cfns": number(drawn.cfns[c]),
            "cfns_low": number(intervals.cfns.low[c]),
            "cfns_high": number(intervals.cfns.high[c]),
        }
        for c, name in enumerate(names)
    ]


def _worst(rates: Rates, names: list[str], seed: int) -> WorstClass | None:
    """The class of the lowest accuracy and how sure that is; None where no class has samples."""
    found = worst_class(rates.correct, rates.samples, seed, draws_for(len(names)))
    if found.index < 0:
        return None
    return {
        "name": names[found.index],
        "accuracy": found.accuracy,
        "low": found.low,
        "high": found.high,
        "corrected": found.corrected,
        "probability": float(found.probability[found.index]),
    }


def _disparity(rates: Rates, errors: Decomposition) -> Disparity:
    found = disparity(rates.correct, rates.samples, K_WORST)
    natural = 1 - errors.overall_natural_error
    return {
        "k": min(K_WORST, int((rates.samples > 0).sum())),
        "worst_mean": number(found.worst_mean),
        "gap": number(found.gap),
        "spread": number(found.spread),
        "spread_without_noise": number(found.spread_without_noise),
        "equal_p": number(found.equal_p),
        "nrr": number(nrr(natural, rates.overall)),
    }


def _roles(
    tested: Roles, drawn: Attraction, intervals: AttractionIntervals, names: list[str]
) -> tuple[list[Role], list[Role]]:
    """The classes that attract and those that leak, those with the most errors first."""

    def chosen(
        count: np.ndarray, expected: np.ndarray, share: np.ndarray, limits: Interval, p: np.ndarray
    ) -> list[Role]:
        some = np.flatnonzero(np.nan_to_num(p, nan=1.0) < ALPHA)
        return [
            {
                "name": names[c],
                "count": int(count[c]),
                "expected": float(expected[c]),
                "share": float(share[c]),
                "low": number(limits.low[c]),
                "high": number(limits.high[c]),
                "p": float(p[c]),
            }
            for c in some[np.argsort(-count[some], kind="stable")]
        ]

    return (
        chosen(drawn.false_positives, tested.expected_false_positives, drawn.cfps, intervals.cfps, tested.attracts_p),
        chosen(drawn.false_negatives, tested.expected_false_negatives, drawn.cfns, intervals.cfns, tested.leaks_p),
    )


def _confusions(rows: Outcomes, names: list[str]) -> list[Confused]:
    top = ranked_confusions(rows.label, rows.prediction, len(names))
    return [
        {"source": names[source], "target": names[target], "count": int(count), "share": float(share)}
        for source, target, count, share in zip(
            top.source[:TOP], top.target[:TOP], top.count[:TOP], top.share_of_source[:TOP], strict=True
        )
    ]
