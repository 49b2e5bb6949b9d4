"""The shape of summary.json's `imbalance`: a model whose classes were trained on unlike numbers of samples."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from weakspot.report.schema_cell import Count, Rank, Share, strict
from weakspot.report.schema_pairs import Correlation

GroupName = Literal["head", "medium", "tail"]


@strict
class ShareEstimate(TypedDict):
    """A mean over classes with its 95 % interval, from the sampling of images within classes."""

    value: Share | None
    low: Share | None
    high: Share | None


@strict
class GapEstimate(TypedDict):
    """A difference of two such means."""

    value: Rank | None
    low: Rank | None
    high: Rank | None


@strict
class ImbalanceGroup(TypedDict):
    """A third of the classes; each class counts alike."""

    name: GroupName
    classes: list[str]
    training: Count
    """Training samples of all of them."""
    samples: Count
    """Audited images of all of them."""
    accuracy: ShareEstimate
    natural_error: ShareEstimate
    """Wrong when clean; null for corruptions, as are the next two."""
    boundary_error: ShareEstimate
    """Correct when clean and wrong under the attack."""
    false_positive_rate: ShareEstimate
    """False positives of a class as a share of all images of other classes."""


@strict
class ImbalancedCondition(TypedDict):
    """Clean, robust or corrupted."""

    groups: list[ImbalanceGroup]
    """Those of head, medium and tail that have classes."""
    gap: GapEstimate
    """Accuracy of the head minus that of the tail."""
    accuracy: Correlation
    """Of training count and accuracy, resampling classes."""
    accuracy_images: Correlation
    attraction: Correlation
    """Of training count and false positive rate, resampling classes."""
    attraction_images: Correlation


@strict
class Imbalance(TypedDict):
    """What the model was trained on, and how its classes fare by their training counts."""

    data: str
    """The training data's address."""
    counts: list[Count]
    """Training samples of each class."""
    members: list[GroupName]
    """The group of each class: thirds of the classes by training count, equal counts together."""
    ratio: Annotated[float, Field(ge=1)] | None
    """The largest count over the smallest; null where that is 0."""
    conditions: dict[str, ImbalancedCondition]
