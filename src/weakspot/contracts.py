"""The types that every floor shares: tensors with their shapes, and what a classifier and a threat are.

Shapes are checked at run time in tests only (`--jaxtyping-packages=weakspot,beartype.beartype`).
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

Images = Float[Tensor, "batch channels height width"]
"""Images in [0, 1]; normalisation belongs to the model."""
Labels = Int[Tensor, " batch"]
Logits = Float[Tensor, "batch classes"]
"""Scores before the softmax."""
PerSample = Float[Tensor, " batch"]
Counts = Int[Tensor, " batch"]

Rows = Int[Tensor, " rows"]
"""Positions within a block."""

Kind = Literal["clean", "adversarial", "corruption"]


@runtime_checkable
class Classifier(Protocol):
    """Anything that maps images in [0, 1], shape (B, C, H, W), to logits of shape (B, K)."""

    def __call__(self, images: Images, /) -> Logits:
        """The logits of a batch."""
        ...


@runtime_checkable
class Data(Protocol):
    """Images and labels of one split, read batch by batch: nothing holds more than one batch as floats.

    The members are read-only, so that a frozen dataclass can be a Data.
    """

    @property
    def name(self) -> str:
        """The address that loads it again, such as "cifar10" or "npz:x.npz"; "arrays" or "dataset" for objects."""
        ...

    @property
    def split(self) -> str:
        """The split: "train", "test", or "all" for a set without splits."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """K class names, in label order."""
        ...

    @property
    def labels(self) -> Int[Tensor, " samples"]:
        """int64, in [0, K)."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        ...

    @property
    def radius(self) -> str | None:
        """The set's customary radius, such as "linf:8/255"."""
        ...

    def __len__(self) -> int:
        """The number of samples."""
        ...

    def batch(self, rows: Sequence[int]) -> Images:
        """float32 images in [0, 1] of these positions, on the CPU, contiguous."""
        ...

    def digest(self) -> str:
        """SHA-256 (hex) of images, labels and class names."""
        ...


@runtime_checkable
class Threat(Protocol):
    """A frozen configuration that returns, for each image, its worst point in the threat's set.

    `sample` holds each image's number in the data set: random draws depend on it and on `seed` alone, never on the
    batch. A threat is never trusted: the audit measures distance, range and prediction of what came back by itself.
    """

    kind: ClassVar[Kind]

    @property
    def name(self) -> str:
        """Its name in the catalogue, and what `found_by` says of the samples it breaks."""
        ...

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """The attacked (or corrupted) images, same shape, in [0, 1]."""
        ...
