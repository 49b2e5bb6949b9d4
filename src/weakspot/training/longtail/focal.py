"""The focal loss (Lin et al., 2017, arXiv:1708.02002) over classes as separate yes-or-no questions."""

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Labels, Logits, PerSample
from weakspot.training.loss import Bias, Loss
from weakspot.training.objective import PerClass


@settings
class Focal(Loss):
    """sum_k -(1 - q_k)^gamma log q_k, q_k = sigmoid(z_k) for the true class and sigmoid(-z_k) for the others.

    The mean over images is the sum over all classes by the number of positives, as in the long-tailed study
    (arXiv:2104.02703), which also starts the last bias at log(pi / (1 - pi)), as happens here, and warms the learning
    rate up in the first 5 of 80 epochs, which does not go with the loss here: `--schedule robal-warm`, or
    robal-warm-released, which is what the study's code makes of it.
    """

    name: ClassVar[str] = "focal"
    bias: ClassVar[Bias] = "log-odds"
    gamma: Annotated[float, Field(ge=0)] = 2.0

    def __call__(self, logits: Logits, labels: Labels, counts: PerClass, progress: float) -> PerSample:
        """The focal loss; the class sizes play a part in the first bias only."""
        sign = 2 * nn.functional.one_hot(labels, logits.shape[1]).to(logits) - 1
        # log q and log(1 - q) of the logits themselves: sigmoids near 1 would round to 1.
        log_q = nn.functional.logsigmoid(sign * logits)
        wrong = nn.functional.logsigmoid(-sign * logits).exp()
        return -(wrong**self.gamma * log_q).sum(1)
