"""The shape of summary.json as types; `python -m weakspot.report.schema` makes `schema.json` of them.

Shares are in [0, 1]. null stands for what is undefined (no samples, no errors) or was not asked for.
"""

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from weakspot.report.schema_cell import Cell as Cell
from weakspot.report.schema_cell import ClassEntry as ClassEntry
from weakspot.report.schema_cell import Confused as Confused
from weakspot.report.schema_cell import Count, strict
from weakspot.report.schema_cell import WorstClass as WorstClass
from weakspot.report.schema_corrupted import Corrupted as Corrupted
from weakspot.report.schema_curves import Curve
from weakspot.report.schema_imbalance import Imbalance
from weakspot.report.schema_latent import Latent as Latent
from weakspot.report.schema_overstated import Overstated
from weakspot.report.schema_pairs import Pairs as Pairs
from weakspot.report.schema_pairs import Relations as Relations

SCHEMA: Final = 1
"""Raised whenever a key changes its meaning."""

FULL_CONFUSION = 100
"""Up to this many classes the summary holds whole confusion matrices, above it the most frequent confusions only."""

SCHEMA_FILE = Path(__file__).with_name("schema.json")


@strict
class Data(TypedDict):
    """The data that was audited."""

    name: str
    classes: list[str]
    samples: Count
    """Samples that the run was asked to cover."""


@strict
class Doubt(TypedDict):
    """One check of whether the evaluation can be believed."""

    check: str
    status: Literal["ok", "warn", "fail", "skipped"]
    figure: float | None
    threshold: float | None
    says: str


@strict
class Cost(TypedDict):
    """What the run spent."""

    forwards_per_sample: float | None
    """Model evaluations, summed over all threats."""
    backwards_per_sample: float | None
    seconds: float | None


@strict
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
    overstated: list[Overstated]
    """What each attack alone shows and all attacks of its radius do not confirm; empty where no radius has two."""
    corrupted: Corrupted | None
    """All corruption threats together; null where the run has none."""
    pairs: Pairs | None
    """Directed pairs at the first radius that has targeted rows; null where the run has none."""
    curves: list[Curve]
    """Accuracy against radius: one for each norm in which attacks looked at two radii or more."""
    imbalance: Imbalance | None
    """By training count; null where the counts are not known, or the same for all classes."""
    relations: Relations
    psi: dict[str, Any] | None
    latent: Latent | None
    """Feature space before the last layer; null where the run was not asked for it."""
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
