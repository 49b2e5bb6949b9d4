"""Logit adjustment (Menon et al., 2021, arXiv:2007.07314), which is the balanced softmax (Ren et al., 2020)."""

from typing import ClassVar

from weakspot.config import settings
from weakspot.contracts import Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.training.loss import Bias, Loss
from weakspot.training.objective import PerClass


@settings
class LogitAdjustment(Loss):
    """CE(z_k + tau log pi_k, y), pi_k = n_k / n; tau = 1 is the balanced softmax CE(z_k + log n_k, y).

    As in the long-tailed study (arXiv:2104.02703) the last bias keeps its first values: it could undo the priors.
    """

    name: ClassVar[str] = "logit-adjustment"
    bias: ClassVar[Bias] = "frozen"
    tau: float = 1.0

    def __call__(self, logits: Logits, labels: Labels, counts: PerClass, progress: float) -> PerSample:
        """The cross-entropy of the shifted logits."""
        return cross_entropy(logits + self.tau * (counts / counts.sum()).log().to(logits), labels)
