"""The shape of summary.json as types; `python -m weakspot.report.schema` makes `schema.json` of them.

Shares are in [0, 1]. null stands for what is undefined (no samples, no errors) or was not asked for.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

SCHEMA: Final = 1
"""Raised whenever a key changes its meaning."""

FULL_CONFUSION = 100
"""Up to this many classes the summary holds whole confusion matrices, above it the most frequent confusions only."""

SCHEMA_FILE = Path(__file__).with_name("schema.json")

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]

_strict = with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))


@_strict
class Data(TypedDict):
    """The data that was audited."""

    name: str
    classes: list[str]
    samples: Count
    """Samples that the run was asked to cover."""


@_strict
class ClassEntry(TypedDict):
    """One class under one threat."""

    name: str
    samples: Count
    correct: Count
    accuracy: Share | None
    low: Share | None
    """Lower end of the 95 % Wilson interval of `accuracy`; it covers the sampling of images, not a missed attack."""
    high: Share | None
    natural_error: Share | None
    """Samples that are wrong when clean, as a share of all samples of the class."""
    boundary_error: Share | None
    """Samples that are correct when clean and wrong under the threat, as a share of all samples of the class."""
    false_positives: Count
    """Samples of other classes that were predicted as this one."""
    cfps: Share | None
    """Class False Positive Score: false positives / all errors; a share, so read it beside the count of errors."""
    cfns: Share | None
    """Class False Negative Score: errors on this class / all errors."""


@_strict
class WorstClass(TypedDict):
    """The class of the lowest accuracy (of equals the one with most samples); a minimum over classes is biased low."""

    name: str
    accuracy: Share
    low: Share
    """With `high`: 95 % limits of the lowest true accuracy, whichever class has it; wider than the class's own ones."""
    high: Share
    corrected: Share | None
    """`accuracy` without the bias of picking the lowest class, by a simulation."""
    probability: Share | None
    """That this class is the worst one."""


@_strict
class Confused(TypedDict):
    """A directed pair of classes."""

    source: str
    target: str
    count: Count
    share: Share
    """Of all samples of the source class."""


@_strict
class Cell(TypedDict):
    """All classes under one threat, or under the per-sample worst case of several."""

    kind: Literal["clean", "adversarial", "corruption"]
    samples: Count
    accuracy: Share | None
    low: Share | None
    """Lower end of the 95 % Wilson interval."""
    high: Share | None
    balanced_accuracy: Share | None
    """Mean of the classes' accuracies, over the classes with samples."""
    worst_class: WorstClass | None
    classes: list[ClassEntry]
    confusion: list[list[Count]] | None
    """Counts, row = true class, column = prediction; null above 100 classes (the rows in outcomes/ hold them all)."""
    top_confusions: list[Confused]
    """The most frequent confusions, most frequent first."""


@_strict
class Pairs(TypedDict):
    """Targeted success for directed pairs of classes."""

    sources: list[str]
    targets: list[str]
    success: list[list[Share | None]]
    """Share of all samples of the source class that end as the target class."""
    samples: list[list[Count]]


@_strict
class Doubt(TypedDict):
    """One check of whether the evaluation can be believed."""

    check: str
    status: Literal["ok", "warn", "fail"]
    figure: float | None
    threshold: float | None
    says: str


@_strict
class Cost(TypedDict):
    """What the run spent."""

    forwards_per_sample: float | None
    """Model evaluations, summed over all threats."""
    backwards_per_sample: float | None
    seconds: float | None


@_strict
class Summary(TypedDict):
    """The numbers of a run: every table and picture is made from these."""

    schema: Literal[1]
    model: dict[str, Any]
    """Address, weights, class, digest and number of parameters, as in the manifest."""
    data: Data
    threats: dict[str, Cell]
    """By the threat's address, in the manifest's order."""
    robust: Cell | None
    """Per sample the worst of all adversarial threats of the first radius; null where the run has none."""
    robust_at: dict[str, Cell]
    """The same for each further radius."""
    corrupted: dict[str, Any] | None
    pairs: Pairs | None
    psi: dict[str, Any] | None
    latent: dict[str, Any] | None
    doubts: list[Doubt]
    cost: Cost
    missing: list[str]
    """Planned files of outcomes that do not exist yet."""


SUMMARY: TypeAdapter[Summary] = TypeAdapter(Summary)


def json_schema() -> str:
    """The JSON Schema (2020-12) of summary.json, as text."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **SUMMARY.json_schema()}
    return json.dumps(made, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json_schema())
