"""The shape of summary.json's `corrupted`: accuracy meaned over corruptions and severities."""

from typing_extensions import TypedDict

from weakspot.report.schema_cell import Cell, Count, Share, strict


@strict
class CorruptedClass(TypedDict):
    """One class under one corruption, meaned over its severities."""

    accuracy: Share | None
    low: Share | None
    """Lower end of the 95 % interval; it resamples images, not (image, severity) pairs."""
    high: Share | None
    slope: float | None
    """Change of accuracy per step of severity, least squares; null with fewer than two severities."""


@strict
class ByCorruption(TypedDict):
    """One corruption, meaned over its severities."""

    name: str
    threats: list[str]
    """The threats that are meaned: one per severity."""
    accuracy: Share | None
    low: Share | None
    high: Share | None
    slope: float | None
    """Of the accuracy over all images; null with fewer than two severities."""
    classes: list[CorruptedClass]


@strict
class SeverityClass(TypedDict):
    """One class at one severity, meaned over the corruptions."""

    accuracy: Share | None
    low: Share | None
    high: Share | None


@strict
class BySeverity(TypedDict):
    """One severity, meaned over the corruptions."""

    severity: Count
    accuracy: Share | None
    low: Share | None
    high: Share | None
    classes: list[SeverityClass]


@strict
class Corrupted(Cell):
    """All corruption threats together, over the images that have been through all of them.

    `samples` and `correct` count rows, one per image and threat; all intervals resample images.
    """

    images: list[Count]
    """Images of each class."""
    substituted: list[str]
    """Corruptions with a substitute for what they were published with; theirs and all means are not comparable."""
    by_corruption: list[ByCorruption]
    by_severity: list[BySeverity]
    slopes: list[float | None]
    """Per class, the change of accuracy per step of severity, meaned over corruptions."""
    mean_corruption_error: Share | None
    """Error meaned over severities, then corruptions; not divided by a reference model's, as is usual on CIFAR-C."""
    relative_corruption_error: float | None
    """The same of the errors that corruptions add to the clean ones."""
    relative_errors: list[float | None]
    """Per class, accuracy lost to corruptions: clean accuracy minus accuracy under each, meaned."""
