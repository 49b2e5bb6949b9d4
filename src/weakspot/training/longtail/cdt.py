"""Class-dependent temperatures (Ye et al., 2020, arXiv:2001.01385)."""

from typing import Annotated, ClassVar

from pydantic import Field

from weakspot.config import settings
from weakspot.contracts import Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.training.loss import Loss
from weakspot.training.objective import PerClass


@settings
class Cdt(Loss):
    """CE(u, y), u_k = z_k / (n_max / n_k)^tau, in the loss only; tau of the long-tailed study (arXiv:2104.02703)."""

    name: ClassVar[str] = "cdt"
    tau: Annotated[float, Field(ge=0)] = 0.3

    def __call__(self, logits: Logits, labels: Labels, counts: PerClass, progress: float) -> PerSample:
        """The cross-entropy of the divided logits."""
        return cross_entropy(logits / ((counts.max() / counts) ** self.tau).to(logits), labels)
