"""`weakspot rarity` as plain values, a table and sentences."""

from collections.abc import Sequence
from typing import Literal

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from weakspot.analysis.arrays import ClassCounts, PerClass
from weakspot.analysis.class_means import Estimate
from weakspot.analysis.rarity import RareOrHard
from weakspot.report.grid import Grid
from weakspot.report.numbers import number, numbers
from weakspot.report.schema_cell import Count, strict
from weakspot.report.words import NONE, limited, percent, points, printable

CONFOUNDED = 0.5
"""From here on it is said that class and frequency are hard to tell apart."""


@strict
class Limited(TypedDict):
    """A figure with its 95 % interval, which resamples images; null where undefined."""

    value: float | None
    low: float | None
    high: float | None


@strict
class RarityRun(TypedDict):
    """One of the runs, by class."""

    folder: str
    data: str
    """The training data."""
    training: list[Count]
    accuracy: list[float | None]
    rarity: list[Limited]
    """What the count gives or takes each class against the mean count."""


@strict
class RaritySummary(TypedDict):
    """What `weakspot rarity --json` prints; accuracies are shares in [0, 1]."""

    schema: Literal[1]
    condition: str
    classes: list[str]
    runs: list[RarityRun]
    hard: Limited
    """Share of the variance over runs and classes that belongs to which class it is."""
    rare: Limited
    rest: Limited
    slope: Limited
    """Accuracy per ten times as many training samples."""
    hardness: list[Limited]
    """Of each class: its accuracy at the mean count, less that of the mean class."""
    noise: float | None
    """Of the variance as counted, what sampling of images explains; it was taken out."""
    confounded: float | None
    """Share of the variance of log count that the class explains; at 1 rare and hard cannot be told apart."""


RARITY_SUMMARY: TypeAdapter[RaritySummary] = TypeAdapter(RaritySummary)


def rarity_summary(
    found: RareOrHard,
    condition: str,
    classes: list[str],
    folders: Sequence[str],
    data: Sequence[str],
    counts: Sequence[ClassCounts],
    accuracy: Sequence[PerClass],
) -> RaritySummary:
    """Plain values of what several runs say together."""
    low, high = found.rarity_limits.low, found.rarity_limits.high
    return {
        "schema": 1,
        "condition": condition,
        "classes": classes,
        "runs": [
            {
                "folder": folder,
                "data": data[run],
                "training": counts[run].tolist(),
                "accuracy": numbers(accuracy[run]),
                "rarity": _each(found.rarity[run], low[run], high[run]),
            }
            for run, folder in enumerate(folders)
        ],
        "hard": _one(found.hard),
        "rare": _one(found.rare),
        "rest": _one(found.rest),
        "slope": _one(found.slope),
        "hardness": _each(found.hardness, found.hardness_limits.low, found.hardness_limits.high),
        "noise": number(found.noise),
        "confounded": number(found.confounded),
    }


def _one(found: Estimate) -> Limited:
    return {"value": number(found.value), "low": number(found.low), "high": number(found.high)}


def _each(value: PerClass, low: PerClass, high: PerClass) -> list[Limited]:
    return [_one(Estimate(*each)) for each in zip(value, low, high, strict=True)]


def rarity_grid(summary: RaritySummary) -> Grid:
    """Each class, the hardest first: how hard it is, then its accuracy and training count in each run."""
    known = [c for c, one in enumerate(summary["hardness"]) if one["value"] is not None]
    known.sort(key=lambda c: summary["hardness"][c]["value"] or 0.0)
    made = {
        "class": [printable(summary["classes"][c]) for c in known],
        "hardness": [_points(summary["hardness"][c]) for c in known],
    }
    for place, run in enumerate(summary["runs"], start=1):
        made[f"run {place} (trained on)"] = [f"{percent(run['accuracy'][c])} ({run['training'][c]:,})" for c in known]
    return Grid(f"Hardness in points, {summary['condition']} accuracy and training samples", made, ("class",))


def rarity_sentences(summary: RaritySummary) -> list[str]:
    """What the table says as a whole."""
    many = f"{len(summary['runs'])} runs and {len(summary['classes'])} classes"
    hard, rare, rest = (_share(summary[name]) for name in ("hard", "rare", "rest"))
    said = [
        f"Run {place}: {printable(run['folder'])}, trained on {printable(run['data'])}"
        for place, run in enumerate(summary["runs"], start=1)
    ]
    said += [
        f"Of the variance of {summary['condition']} accuracy over {many}, {hard} belongs to which class it is (hard), "
        f"{rare} to how many samples it was trained on (rare), {rest} to neither. Sampling of images, "
        f"{percent(summary['noise'])} % of the variance as counted, was taken out before.",
        f"Ten times the training samples bring a class {_points(summary['slope'])} points of accuracy.",
    ]
    if (mixed := summary["confounded"]) is not None and mixed >= CONFOUNDED:
        said.append(
            f"The class alone explains {percent(mixed)} % of how frequent it was, so rare and hard are told apart "
            "badly; add runs with other orders of the classes (+lt_order=1)."
        )
    return [*said, "95 % intervals, from resampled images; none covers the randomness of training."]


def _share(found: Limited) -> str:
    return (
        NONE if found["value"] is None else limited(found["value"], found["low"], found["high"]).replace(" [", " % [")
    )


def _points(found: Limited) -> str:
    limits = "" if found["low"] is None else f" [{points(found['low'])}, {points(found['high'])}]"
    return f"{points(found['value'])}{limits}"
