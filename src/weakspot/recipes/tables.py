"""Rows of a study as Markdown and CSV, and numbers as its pages print them."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

from weakspot.analysis.measures import Measure

Row = Mapping[str, Any]


def markdown(rows: Iterable[Row]) -> list[str]:
    """The lines of a table, whose columns are those of its first row; no rows are one line that says so."""
    rows = list(rows)
    if not rows:
        return ["(none)"]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def to_csv(rows: Iterable[Row]) -> str:
    """The same rows as CSV."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def options(given: Mapping[str, Any]) -> str:
    """Options of a training as a page lists them: `epochs 12, flip False`."""
    return ", ".join(f"{name} {value}" for name, value in given.items())


def percent(found: Mapping[str, Any], key: str = "accuracy", digits: int = 1) -> str:
    """`12.3 [4.5, 20.1]` of a share with limits `low` and `high`; a dash where there is none."""
    value, low, high = found[key], found["low"], found["high"]
    if value is None:
        return "-"
    limits = "" if low is None else f" [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"
    return f"{100 * value:.{digits}f}{limits}"


def share(value: float | None, digits: int = 1) -> str:
    """Per cent, or a dash."""
    return "-" if value is None else f"{100 * value:.{digits}f}"


def signed(value: float | None) -> str:
    """Points with their sign, or a dash."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:+.1f}"


def limited(found: Measure) -> str:
    """A difference in points with its limits."""
    return f"{signed(found.value)} [{signed(found.low)}, {signed(found.high)}]"
