"""The shape of summary.json's `pairs` and `relations`: directed pairs of classes, and how per-class figures relate."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from weakspot.report.schema_cell import Count, Rank, Share, strict


@strict
class Correlation(TypedDict):
    """Spearman's rank correlation of two figures of the classes, with its 95 % interval."""

    value: Rank | None
    low: Rank | None
    high: Rank | None
    count: Count
    """How many classes it rests on."""
    resampled: Literal["classes", "images", "models"]
    """What the interval takes as a sample: other classes, or other images of these classes."""


@strict
class SplitHalf(TypedDict):
    """Rank correlations between two random halves of the images, meaned over splits."""

    cfps: Rank | None
    """CFPS of one half with CFPS of the other: how reproducible it is."""
    accuracy: Rank | None
    crossed: Rank | None
    """CFPS of one half with accuracy of the other: free of noise that both figures share."""
    splits: Count


@strict
class Coupling(TypedDict):
    """Do classes that attract errors resist better or worse? CFPS against accuracy, and against its null.

    The two are tied where no class attracts, since a class cannot receive its own errors; the null says how much.
    """

    over_classes: Correlation
    over_images: Correlation
    null_mean: Rank | None
    """Of the correlation if errors were quasi-independent and attractiveness dealt to the classes at random."""
    null_low: Rank | None
    null_high: Rank | None
    p: Share | None
    """Two-sided, of the null."""
    uncoupled: Correlation
    """Accuracy with attractiveness freed from the tie."""
    split_half: SplitHalf


@strict
class Agreement(TypedDict):
    """Whether two conditions have the same weak classes."""

    first: str
    last: str
    correlation: Correlation
    """Of the classes' accuracies."""
    k: Count
    """How many of the weakest classes are compared."""
    shared: Count | None
    """How many are among the k weakest under both; null where the k-th and the next weakest of a side are equal."""
    by_chance: Annotated[float, Field(ge=0)]
    """How many would be on average if the two had nothing in common."""


@strict
class Relations(TypedDict):
    """How the per-class figures go together."""

    coupling: dict[str, Coupling]
    """For clean and robust, where the run has them; a corruption's rows of one image are no independent errors."""
    agreement: list[Agreement]


@strict
class Pair(TypedDict):
    """One directed pair of classes under attacks that aim from source to target."""

    source: str
    target: str
    samples: Count
    """Samples of the source that were attacked."""
    aimed: Count
    """Of them, those that were aimed at the target; the others, whose shortlist it is not on, count as not ending."""
    ended: Count
    """Of them, those that end as the target, clean ones included."""
    already: Count
    """Of them, those predicted as the target when clean: they need no attack."""
    success: Share
    """ended / samples."""
    low: Share | None
    """Lower end of the 95 % Wilson interval."""
    high: Share | None
    back: Share | None
    """Success of the opposite direction."""
    symmetric: Share | None
    """Mean of both directions."""
    asymmetric: Rank | None
    """Half their difference: above 0 where this direction is the easier one."""
    least_radius: Annotated[float, Field(ge=0)] | None
    """Median least radius of the images that were driven there; null unless the attack looked for it (bisections)."""


@strict
class PairClass(TypedDict):
    """One class's part in the directed pairs."""

    name: str
    hub: Share | None
    """Mean success of the pairs that aim at it: how readily others are driven into it."""
    exposure: Share | None
    """Mean success of the pairs that start from it: how readily its samples are driven elsewhere."""


@strict
class Pairs(TypedDict):
    """Targeted success for directed pairs of classes, at one radius; the matrices are null above 100 classes."""

    radius: str | None
    threats: list[str]
    """Several attacks at one target count once, as the best of them."""
    sources: list[str]
    targets: list[str]
    success: list[list[Share | None]] | None
    """Share of all samples of the source class (row) that end as the target class (column)."""
    samples: list[list[Count]] | None
    ended: list[list[Count]] | None
    already: list[list[Count]] | None
    """Of `ended`, those predicted as the target when clean."""
    attacked: Count
    """How many directed pairs were attacked."""
    aimed: Count
    """How many times an image was aimed at a class; below `possible` where each image has a shortlist."""
    possible: Count
    """How many times that would be with every image aimed at every other class."""
    least_radii: list[list[Annotated[float, Field(ge=0)] | None]] | None
    """As in `top`, all of them; null unless looked for."""
    top: list[Pair]
    """The most successful pairs, most successful first."""
    classes: list[PairClass]
    explained: list[Share] | None
    """The share of the errors under untargeted attacks that lie in the first 1, 2, ... of `top`; null without any."""
    hub_cfps: Correlation | None
    """Hub scores with the CFPS of untargeted attacks: do classes that can be aimed at also attract by themselves?"""
    exposure_accuracy: Correlation | None
    """Exposure scores with accuracy under untargeted attacks."""
