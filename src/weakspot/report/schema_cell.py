"""The shape of one threat in summary.json: rates, confusion, attraction and disparity of all classes under it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rank = Annotated[float, Field(ge=-1, le=1)]

strict = with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))


@strict
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
    false_positive_rate: Share | None
    """The same as a share of all samples of other classes: what to read where class sizes differ."""
    cfps: Share | None
    """Class False Positive Score: false positives / all errors; a share, so read it beside the count of errors."""
    cfps_low: Share | None
    """Lower end of the 95 % bootstrap interval of `cfps`, of images resampled within classes."""
    cfps_high: Share | None
    cfns: Share | None
    """Class False Negative Score: errors on this class / all errors; null for a class without samples."""
    cfns_low: Share | None
    cfns_high: Share | None


@strict
class WorstClass(TypedDict):
    """The class of the lowest accuracy (of equals the one with most samples); a minimum over classes is biased low."""

    name: str
    accuracy: Share
    low: Share
    """With `high`: 95 % limits of the lowest true accuracy, whichever class has it; wider than the class's own ones."""
    high: Share
    corrected: Share | None
    """`accuracy` without the bias of picking the lowest class, by a simulation; null for the mean over corruptions."""
    probability: Share | None
    """That this class is the worst one; null for the mean over corruptions."""


@strict
class Confused(TypedDict):
    """A directed pair of classes."""

    source: str
    target: str
    count: Count
    share: Share
    """Of all samples of the source class."""


@strict
class Role(TypedDict):
    """A class that takes part in more errors than chance explains, after Holm's adjustment for all classes."""

    name: str
    count: Count
    """Of an attractor its false positives, of a leaking class its false negatives."""
    expected: float
    """Of an attractor, if every error fell on each other class alike; of a leaking class, if all erred alike."""
    share: Share
    """CFPS of an attractor, CFNS of a leaking class."""
    low: Share | None
    high: Share | None
    p: Share


@strict
class Disparity(TypedDict):
    """How unevenly accuracy is spread over the classes that have samples; shares and differences of shares."""

    k: Count
    worst_mean: Share | None
    """Mean over the k classes of lowest accuracy: less biased than the lowest one."""
    gap: Share | None
    """Best minus worst class; biased high."""
    spread: Annotated[float, Field(ge=0)] | None
    """Standard deviation over classes."""
    spread_without_noise: Annotated[float, Field(ge=0)] | None
    """The same without sampling noise; 0 where noise explains all of it; null for the mean over corruptions."""
    equal_p: Share | None
    """p-value of "all classes are equally accurate"; null for the mean over corruptions."""
    nrr: Share | None
    """Natural-robustness ratio: harmonic mean of the accuracies clean and under the threat, on the same samples."""


@strict
class Cell(TypedDict):
    """All classes under one threat, or under the per-sample worst case of several."""

    kind: Literal["clean", "adversarial", "corruption"]
    samples: Count
    accuracy: Share | None
    low: Share | None
    """Lower end of the 95 % Wilson interval."""
    high: Share | None
    balanced_accuracy: Share | None
    """Mean of the classes' accuracies, over the classes with samples; under attacks, balanced robustness."""
    balanced_low: Share | None
    """Lower end of its 95 % interval, from the sampling of images within classes."""
    balanced_high: Share | None
    worst_class: WorstClass | None
    classes: list[ClassEntry]
    disparity: Disparity
    attractors: list[Role]
    """Classes that draw more errors than chance explains (p below 0.05), most first."""
    leaks: list[Role]
    """Classes that lose more samples than chance explains (p below 0.05), most first."""
    confusion: list[list[Count]] | None
    """Counts, row = true class, column = prediction; null above 100 classes (the rows in outcomes/ hold them all)."""
    top_confusions: list[Confused]
    """The most frequent confusions, most frequent first."""
