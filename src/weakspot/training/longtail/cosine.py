"""The plain cosine classifier (Gidaris and Komodakis, 2018, arXiv:1804.09458), as the long-tailed study has it."""

from typing import Annotated, ClassVar

from pydantic import Field

from weakspot.config import settings
from weakspot.contracts import Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.training.loss import Loss
from weakspot.training.objective import PerClass


@settings
class Cosine(Loss):
    """CE(z, y) with z_k = scale <phi / |phi|, w_k / |w_k|> (arXiv:2104.02703).

    The scale belongs to the head, so attacks in training and after it see the logits that the loss sees.
    """

    name: ClassVar[str] = "cosine"
    every_class: ClassVar[bool] = False
    scale: Annotated[float, Field(gt=0)] = 16.0

    @property
    def head(self) -> str:
        """Scaled cosines without a bias."""
        return f"cosine(scale={self.scale},bias=False)"

    def __call__(self, logits: Logits, labels: Labels, counts: PerClass, progress: float) -> PerSample:
        """The cross-entropy; the class sizes play no part."""
        return cross_entropy(logits, labels)
