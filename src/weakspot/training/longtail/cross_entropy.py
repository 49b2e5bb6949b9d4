"""The cross-entropy: no long-tailed loss."""

from typing import ClassVar

from weakspot.config import settings
from weakspot.contracts import Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.training.loss import Loss
from weakspot.training.objective import PerClass


@settings
class CrossEntropy(Loss):
    """CE(z, y); the objective's own label smoothing applies."""

    name: ClassVar[str] = "cross-entropy"
    every_class: ClassVar[bool] = False

    def __call__(self, logits: Logits, labels: Labels, counts: PerClass, progress: float) -> PerSample:
        """The class sizes play no part."""
        return cross_entropy(logits, labels)
