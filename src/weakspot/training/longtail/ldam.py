"""LDAM (Cao et al., 2019, arXiv:1906.07413): margins that grow with a class's rarity, and deferred re-weighting."""

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.training.loss import Loss
from weakspot.training.objective import PerClass


@settings
class Ldam(Loss):
    """CE(s (z - m_y 1[k = y]), y), m_c = margin n_c^(-1/4) / max_k n_k^(-1/4); the rarest class has the whole margin.

    s is 1 here, as in the long-tailed study (arXiv:2104.02703); LDAM's own runs have 30 over a cosine head.
    With `drw` the loss of class c is multiplied by (1 - b) / (1 - b^n_c), scaled to a mean of 1 over the classes, from
    the share `drw_from` of the run on (epoch 160 of 200 in the paper). The batch's mean is taken over its images;
    torch's weighted mean in the authors' code divides by the sum of the batch's weights.
    """

    name: ClassVar[str] = "ldam"
    margin: Annotated[float, Field(ge=0)] = 0.5
    s: Annotated[float, Field(gt=0)] = 1.0
    drw: bool = False
    drw_from: Annotated[float, Field(ge=0, le=1)] = 0.8
    b: Annotated[float, Field(ge=0, lt=1)] = 0.9999

    def __call__(self, logits: Logits, labels: Labels, counts: PerClass, progress: float) -> PerSample:
        """The cross-entropy of the logits with margins, re-weighted once it is time."""
        # (n_min / n_c)^(1/4), which is the ratio above; in float64, since counts may be large.
        margins = self.margin * (counts.min() / counts.double()) ** 0.25
        true = nn.functional.one_hot(labels, logits.shape[1])
        losses = cross_entropy(self.s * (logits - (margins * true).to(logits)), labels)
        if not self.drw or progress < self.drw_from:
            return losses
        weights = (1 - self.b) / (1 - self.b ** counts.double())
        return (weights / weights.mean())[labels].to(losses) * losses
