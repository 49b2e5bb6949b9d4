"""The shape of summary.json's `latent`: where the classes lie in feature space, clean and attacked.

`latent.json` holds the same and the large tables beside it: all distances and the maps. Distances and spreads are in
the unit of the features, so they compare classes of one model, never two models.
"""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from weakspot.report.schema_cell import Count, Rank, Share, strict

Length = Annotated[float, Field(ge=0)]


@strict
class LatentLength(TypedDict):
    """A distance or a spread with its 95 % interval, over images."""

    value: Length | None
    low: Length | None
    high: Length | None


@strict
class LatentShare(TypedDict):
    """A share with its 95 % interval, over images."""

    value: Share | None
    low: Share | None
    high: Share | None


@strict
class LatentRank(TypedDict):
    """A rank correlation with its 95 % interval, which takes the classes as a sample of classes."""

    value: Rank | None
    low: Rank | None
    high: Rank | None


@strict
class LatentCoefficient(TypedDict):
    """Standard deviations of robust accuracy per standard deviation of the variable, the others held fixed."""

    value: float | None
    low: float | None
    high: float | None


@strict
class LatentWhole(TypedDict):
    """All images of one side, clean or attacked."""

    between: Length | None
    """Trace of the scatter between the class means."""
    within: Length | None
    """Trace of the scatter within the classes."""
    ratio: Length | None
    """between / within: how well the classes part; no scale of the features changes it."""
    low: Length | None
    high: Length | None
    chance: Length | None
    """The ratio that classes without any difference would have."""
    purity: Share | None
    """Mean share of an image's nearest clean images that have its label."""


@strict
class LatentSide(TypedDict):
    """One class, clean or attacked."""

    spread: LatentLength
    """Root mean squared distance of its images to their mean."""
    nearest: str | None
    """The other class whose mean is nearest."""
    distance: LatentLength
    """Between the two means, without the part that the noise of few images adds."""
    cosine: Annotated[float, Field(ge=0, le=2)] | None
    """Cosine distance between the two means."""
    mean_distance: LatentLength
    """To the means of all other classes, on average."""
    purity: LatentShare
    """Share of the nearest clean images that have the class's label; of attacked images, too, among clean ones."""


@strict
class LatentClass(TypedDict):
    """One class in feature space."""

    name: str
    samples: Count
    chance: Share | None
    """Its purity if labels were dealt at random."""
    clean: LatentSide
    attacked: LatentSide | None
    shift: LatentLength | None
    """How far the attack moves the mean of the class."""
    toward: str | None
    """The other class whose clean mean is nearest to the attacked mean."""


@strict
class LatentVariable(TypedDict):
    """A figure of each class that may go with its robust accuracy."""

    values: list[float | None]
    rank_correlation: LatentRank
    coefficient: LatentCoefficient | None
    """null where the variable is the same for all classes."""
    unique: float | None
    """How much of R^2 is lost without it."""


@strict
class LatentExplains(TypedDict):
    """What goes with the robust accuracy of the classes: correlations over a handful of classes, not causes."""

    samples_of: Literal["training", "test"]
    """What the variable `samples` counts."""
    robust: list[Share | None]
    """Robust accuracy of each class."""
    r2: float | None
    """Of a linear regression on all variables that vary; null with too few classes."""
    r2_left_out: float | None
    """The same for classes that the regression has not seen; below 0: worse than the mean."""
    classes: Count
    freedom: int
    """Classes - variables - 1."""
    constant: list[str]
    """Variables that are the same for all classes."""
    variables: dict[str, LatentVariable]
    """distance to the nearest class, mean clean margin, samples, cfps."""


@strict
class Latent(TypedDict):
    """Feature space before the last layer, of at most some thousand images."""

    layer: str
    """The module whose input the features are."""
    features: Count
    samples: Count
    threat: str | None
    """The attack; null where only clean images were looked at."""
    neighbours: Count
    """k of the purity."""
    clean: LatentWhole
    attacked: LatentWhole | None
    classes: list[LatentClass]
    explains: LatentExplains | None
