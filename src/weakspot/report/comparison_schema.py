"""The shape of `weakspot compare --json` as types; `python -m weakspot.report.comparison_schema` publishes it.

Accuracies are shares in [0, 1], differences are last minus first; null stands for what is undefined.
"""

import json
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from weakspot.report.schema_cell import Count, Rank, Share, strict
from weakspot.report.schema_pairs import Correlation

COMPARISON_SCHEMA: Final = 1
"""Raised whenever a key changes its meaning."""

COMPARISON_SCHEMA_FILE = Path(__file__).with_name("comparison_schema.json")


@strict
class ComparedRun(TypedDict):
    """One of the runs."""

    folder: str
    model: str
    digest: str
    """Of the model's weights."""
    failed_checks: list[str]
    """Checks of the evaluation that failed in this run: its numbers cannot be relied on."""


@strict
class Side(TypedDict):
    """One method: one run, or several with different training seeds."""

    label: str
    runs: list[ComparedRun]


@strict
class Change(TypedDict):
    """A figure before and after, and its difference with limits."""

    first: Share | None
    last: Share | None
    difference: Rank | None
    low: Rank | None
    """With `high`: the two-sided 95 % interval."""
    high: Rank | None
    lower: Rank | None
    """The lower limit of the one-sided 95 % interval: what `low(...)` in a gate means."""
    upper: Rank | None


@strict
class ClassChange(Change):
    """One class before and after, on the same images."""

    name: str
    samples: Count
    lost: Count | None
    """Images right in the first run only; null where a side has several runs or scores are means over corruptions."""
    gained: Count | None
    """Images right in the last run only."""
    p: Share | None
    """Of "no difference": exact McNemar for one run each, else Student's t over images and seeds."""
    p_holm: Share | None
    """Adjusted for the number of classes: below 0.05 the class changed, whatever the other classes do."""
    detectable: Share | None
    """The true difference that such a comparison finds with 80 % power; null where even the largest would be missed."""


@strict
class WorstChange(Change):
    """The lowest class accuracy before and after; each run's own minimum, meaned over the runs of a side."""

    first_class: str | None
    """The weakest class of the meaned accuracies."""
    last_class: str | None
    corrected: float | None
    """The difference with both minima corrected for their bias."""


@strict
class Condition(TypedDict):
    """The comparison under one of clean, robust and corrupted."""

    runs: list[Count]
    """How many runs each side has."""
    overall: Change
    balanced: Change
    """Of the mean over classes."""
    worst_class: WorstChange
    rho: float | None
    """Relative gain of the worst class plus relative gain of the average; null where a value before is 0."""
    rho_uncertain: bool
    """Whether the 95 % interval of the worst class before is wider than its accuracy: rho divides by that accuracy."""
    classes: list[ClassChange]


@strict
class AlignedFeatures(TypedDict):
    """Linear CKA of the features of two models on the clean images that both audits looked at."""

    images: Count
    cka: float | None
    """As published, in [0, 1]; it tends to 1 with fewer images than features."""
    unbiased: float | None
    """0 on average for unrelated features; the interval is a jackknife's over images."""
    low: float | None
    high: float | None


@strict
class FakeShare(TypedDict):
    """The part of a gain that other attacks do not confirm."""

    value: float | None
    low: float | None
    high: float | None
    seen: bool
    """Whether the lower limit is above 0."""


@strict
class FakeClass(FakeShare):
    """Of one class alone, at the same level: of many classes some are seen by chance."""

    name: str


@strict
class FakeGain(FakeShare):
    """What one attack alone says was gained, and all attacks together do not confirm; means over classes."""

    threat: str
    gain: Rank | None
    """Under this attack alone."""
    confirmed: Rank | None
    """Under all attacks together."""
    classes: list[FakeClass]


@strict
class Compared(TypedDict):
    """The first side against another one."""

    first: str
    last: str
    remarks: list[str]
    """Differences that do not forbid the comparison: version, seed of the attacks, device."""
    conditions: dict[str, Condition]
    fake_gains: list[FakeGain]
    """For each attack at the first radius that all images went through; empty with one attack, or several runs of a
    side."""
    alignment: AlignedFeatures | None
    """Of the first run of each side; null where one was audited without `--latent`."""


@strict
class OverModels(TypedDict):
    """Do classes that attract errors resist better or worse? CFPS with class accuracy, over all compared models."""

    models: list[str]
    values: list[Rank | None]
    """Of each model, the rank correlation over its classes; null below four classes or where one side is constant."""
    together: Correlation
    """Their mean on Fisher's z; the t interval takes the models as a sample of models, and `count` is their number."""


@strict
class Value(TypedDict):
    """A figure with its limits."""

    value: float | None
    low: float | None
    high: float | None
    lower: float | None
    upper: float | None


@strict
class GateResult(TypedDict):
    """A clause with its evidence."""

    clause: str
    run: str
    """The side that the clause is about: of a comparison the last one."""
    against: str | None
    """The first side of the comparison; null for a gate on one run."""
    value: float | None
    """What was compared with the number."""
    measure: Value
    passed: bool
    """False also where the value is undefined."""


@strict
class ComparisonSummary(TypedDict):
    """Everything that a comparison found."""

    schema: Literal[1]
    data: str
    classes: list[str]
    samples: Count
    threats: list[str]
    level: float
    """Of the two-sided intervals."""
    sides: list[Side]
    comparisons: list[Compared]
    """The first side against each other one; empty for gates on one run."""
    over_models: dict[str, OverModels]
    """Under robust and clean; empty with fewer than three different models."""
    gates: list[GateResult]
    passed: bool | None
    """Whether all gates passed; null without gates."""


COMPARISON: TypeAdapter[ComparisonSummary] = TypeAdapter(ComparisonSummary)


def comparison_json_schema() -> str:
    """The JSON Schema (2020-12), as text."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **COMPARISON.json_schema()}
    return json.dumps(made, indent=2) + "\n"


if __name__ == "__main__":
    COMPARISON_SCHEMA_FILE.write_text(comparison_json_schema())
