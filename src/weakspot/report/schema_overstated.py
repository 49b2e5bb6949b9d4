"""The shape of summary.json's `overstated`: what one attack alone shows and all attacks together do not confirm."""

from typing_extensions import TypedDict

from weakspot.report.schema_cell import Count, Share, strict


@strict
class OverstatedClass(TypedDict):
    """One class; its limits hold for all classes at once, at 95 %."""

    name: str
    samples: Count
    count: Count
    """Images that this attack leaves right and another one breaks."""
    value: Share | None
    """The same as a share of all samples of the class: accuracy under this attack alone minus under all together."""
    low: Share | None
    high: Share | None
    flagged: bool
    """Whether the lower limit exceeds 0.01, and the attack is not weak by design."""


@strict
class Overstated(TypedDict):
    """One attack against all attacks of its radius; means over classes, so that each counts alike."""

    threat: str
    radius: str | None
    weak: bool
    """Weak by design: one step, no gradients of this model, or aimed at given classes. Such an attack is never flagged,
    for nobody takes it for a measure of robustness."""
    alone: Share | None
    """Accuracy if this were the only attack."""
    together: Share | None
    """Accuracy under all of them: robust accuracy, meaned over classes."""
    value: Share | None
    """`alone` minus `together`, with its 95 % interval from the sampling of images within classes."""
    low: Share | None
    high: Share | None
    flagged: bool
    """Whether the lower limit exceeds 0.01, overall or in a class, and the attack is not weak by design."""
    classes: list[OverstatedClass]
