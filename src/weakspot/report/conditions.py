"""A comparison's numbers under clean, robust and corrupted, from the scores of the runs; and its gates."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple

import numpy as np

from weakspot.analysis.arrays import PerClass, ratio
from weakspot.analysis.compare import Comparison, compare, comparison_measures
from weakspot.analysis.disparity import rho
from weakspot.analysis.gates import Gate, judge
from weakspot.analysis.intervals import wilson
from weakspot.analysis.measures import Measure
from weakspot.analysis.scores import Scores
from weakspot.errors import InputError
from weakspot.report.comparison_schema import Change, ClassChange, Condition, GateResult, Value, WorstChange
from weakspot.report.numbers import draws_for, number

SCOPES = ("robust", "clean", "corrupted")
"""In the order in which they are shown."""


def compare_sides(
    first: Sequence[Mapping[str, Scores]], last: Sequence[Mapping[str, Scores]], classes: int, seed: int
) -> dict[str, Comparison]:
    """The comparison under each condition that all runs have.

    Args:
        first: The scores of each run of one side (`weakspot.analysis.scores`).
        last: Of the other.
        classes: K.
        seed: Names the random draws.

    """
    shared = [scope for scope in SCOPES if all(scope in run for run in (*first, *last))]
    return {
        scope: compare([run[scope] for run in first], [run[scope] for run in last], classes, seed, draws_for(classes))
        for scope in shared
    }


def condition(found: Comparison, first: Sequence[Scores], last: Sequence[Scores], names: Sequence[str]) -> Condition:
    """One comparison as plain values; `first` and `last` are the scores that it was made from."""
    weight = ratio(found.samples, found.samples.sum())
    averages = [float(np.nansum(side * weight)) for side in (found.first, found.last)]
    balanced = [_mean(side) for side in (found.first, found.last)]
    worst = [float(np.mean([_least(_by_class(run, len(names))) for run in side])) for side in (first, last)]
    one, two = found.worst_classes
    return {
        "runs": list(found.runs),
        "overall": _change(found.overall, *averages),
        "balanced": _change(found.balanced, *balanced),
        "worst_class": _worst(found, worst, names[one] if one >= 0 else None, names[two] if two >= 0 else None),
        "rho": number(rho(worst[1], averages[1], worst[0], averages[0])),
        "rho_uncertain": _uncertain(found),
        "classes": [_class(found, c, name) for c, name in enumerate(names)],
    }


def _uncertain(found: Comparison) -> bool:
    """Whether rho rests on a worst class before that is hardly known.

    The interval (Wilson) is wider than the accuracy itself: what rho divides by may then be half or twice as much. That
    it includes 0 would be no rule: it does only where the accuracy is 0, and there rho is undefined.
    """
    c = found.worst_classes[0]
    if c < 0 or not found.first[c] > 0:
        return False
    right = np.array(round(float(found.first[c]) * int(found.samples[c])))
    limits = wilson(right, found.samples[c])
    return bool(limits.high - limits.low > found.first[c])


def _by_class(scores: Scores, classes: int) -> PerClass:
    return ratio(
        np.bincount(scores.label, scores.score, minlength=classes), np.bincount(scores.label, minlength=classes)
    )


def _mean(values: PerClass) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _least(values: PerClass) -> float:
    known = values[~np.isnan(values)]
    return float(known.min()) if len(known) else float("nan")


def _change(measure: Measure, first: float, last: float) -> Change:
    measure = _inside(measure)
    return {
        "first": number(first),
        "last": number(last),
        "difference": number(measure.value),
        "low": number(measure.low),
        "high": number(measure.high),
        "lower": number(measure.lower),
        "upper": number(measure.upper),
    }


def _worst(found: Comparison, values: Sequence[float], before: str | None, after: str | None) -> WorstChange:
    return {
        **_change(found.worst, values[0], values[1]),
        "first_class": before,
        "last_class": after,
        "corrected": number(found.worst_corrected),
    }


def _class(found: Comparison, c: int, name: str) -> ClassChange:
    measure = Measure(
        float(found.difference[c]), float(found.interval.low[c]), float(found.interval.high[c]),
        float(found.bounds.low[c]), float(found.bounds.high[c]),
    )  # fmt: skip
    return {
        **_change(measure, float(found.first[c]), float(found.last[c])),
        "name": name,
        "samples": int(found.samples[c]),
        "lost": None if found.paired is None else int(found.paired.only_first[c]),
        "gained": None if found.paired is None else int(found.paired.only_last[c]),
        "p": number(found.p[c]),
        "p_holm": number(found.p_holm[c]),
        "detectable": number(found.detectable[c]),
    }


def differences(found: Mapping[str, Comparison], names: Sequence[str]) -> dict[str, Measure]:
    """The figures that gates on a comparison are about; no limit is beyond -1 and 1."""
    return {name: _inside(measure) for name, measure in comparison_measures(found, names).items()}


def _inside(measure: Measure) -> Measure:
    return Measure(*np.clip(astuple(measure), -1, 1).tolist())


def judged(
    gates: Sequence[Gate], measures: Mapping[str, Measure], names: Sequence[str], run: str, against: str | None
) -> list[GateResult]:
    """Each gate with its evidence.

    Raises:
        InputError: a metric is not known, or names a class that there is twice.

    """
    for name, times in Counter(names).items():
        for gate in gates:
            if times > 1 and gate.metric.startswith(f"class({name})."):
                raise InputError(f"gate {gate.clause!r}: {times} classes are called {name!r}; rename them in the data")
    made: list[GateResult] = []
    for gate in gates:
        verdict = judge(gate, measures)
        made.append(
            {
                "clause": verdict.clause,
                "run": run,
                "against": against,
                "value": number(verdict.value),
                "measure": _value(verdict.measure),
                "passed": bool(verdict.passed),
            }
        )
    return made


def _value(measure: Measure) -> Value:
    return {
        "value": number(measure.value),
        "low": number(measure.low),
        "high": number(measure.high),
        "lower": number(measure.lower),
        "upper": number(measure.upper),
    }
