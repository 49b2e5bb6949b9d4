"""The class-balanced loss (Cui et al., 2019, arXiv:1901.05555): effective numbers of samples, over the focal loss."""

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Labels, Logits, PerSample
from weakspot.training.loss import Loss
from weakspot.training.objective import PerClass


@settings
class ClassBalanced(Loss):
    """w_y sum_k -(1 - q_k)^gamma log q_k with w_c = (1 - b) / (1 - b^n_c), scaled so that the K weights sum to K.

    q_k is sigmoid(z_k) for the true class and sigmoid(-z_k) for the others; settings of the long-tailed study
    (arXiv:2104.02703), where the last bias starts as usual.
    """

    name: ClassVar[str] = "class-balanced"
    b: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    gamma: Annotated[float, Field(ge=0)] = 2.0

    def __call__(self, logits: Logits, labels: Labels, counts: PerClass, progress: float) -> PerSample:
        """The weighted focal loss."""
        weights = (1 - self.b) / (1 - self.b ** counts.double())
        sign = 2 * nn.functional.one_hot(labels, logits.shape[1]).to(logits) - 1
        log_q = nn.functional.logsigmoid(sign * logits)
        wrong = nn.functional.logsigmoid(-sign * logits).exp()
        return (weights / weights.mean())[labels].to(logits) * -(wrong**self.gamma * log_q).sum(1)
