"""Numbers as JSON has them: plain floats, and null for what is undefined."""

import math
from collections.abc import Iterable
from typing import Any

from weakspot.analysis.relate import Correlation as Found
from weakspot.report.schema_pairs import Correlation


def number(value: Any) -> float | None:
    """A Python float; None where the value is missing, NaN or infinite, which JSON cannot say."""
    return None if value is None or not math.isfinite(value) else float(value)


def numbers(values: Iterable[Any]) -> list[float | None]:
    """Each of them as a `number`."""
    return [number(value) for value in values]


def correlation(found: Found) -> Correlation:
    """A correlation with its interval."""
    return {
        "value": number(found.value),
        "low": number(found.low),
        "high": number(found.high),
        "count": found.count,
        "resampled": found.resampled,
    }


def draws_for(classes: int) -> int:
    """How many resamples an interval takes: 1,000, but fewer for many classes, down to 200."""
    return min(1000, max(200, 200_000 // max(1, classes)))
