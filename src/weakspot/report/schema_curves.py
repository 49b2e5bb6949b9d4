"""The shape of summary.json's `curves`: accuracy of each class against the radius of the attack."""

from typing import Literal

from typing_extensions import TypedDict

from weakspot.report.schema_cell import Count, Share, strict


@strict
class ClassCurve(TypedDict):
    """One class at each radius of its curve."""

    name: str
    samples: Count
    accuracy: list[Share | None]
    low: list[Share | None]
    """Lower ends of 95 % Wilson intervals, each for itself; they cover the sampling of images, not a missed attack."""
    high: list[Share | None]
    area: Share | None
    """The mean accuracy over the radii from 0 to the largest, by trapezoids."""


@strict
class Curve(TypedDict):
    """Upper bounds, as all robust accuracies: nothing is known of radii at which no attack looked."""

    norm: Literal["linf", "l2"]
    threats: list[str]
    """The attacks whose images count, each at every radius that its distance allows."""
    radii: list[str]
    """Rising, the first one 0."""
    sizes: list[float]
    overall: list[Share | None]
    """Accuracy of all samples."""
    classes: list[ClassCurve]
