"""Cosines with one margin for all classes (CosFace, Wang et al., 2018, arXiv:1801.09414; HE, arXiv:2002.08619)."""

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy
from weakspot.training.loss import Loss
from weakspot.training.objective import PerClass


@settings
class CosineMargin(Loss):
    """CE(s (z - m 1[k = y]), y), z the cosines; settings of the long-tailed study (arXiv:2104.02703).

    The head gives cosines in [-1, 1], and attacks climb the cross-entropy of those, in training and, as in the study,
    after it: a small scale, at which a PGD is weak. `--adjust "scale(by=10)"` gives the model the loss's scale.
    """

    name: ClassVar[str] = "cosine-margin"
    every_class: ClassVar[bool] = False
    s: Annotated[float, Field(gt=0)] = 10.0
    m: Annotated[float, Field(ge=0)] = 0.2

    @property
    def head(self) -> str:
        """Cosines without a bias."""
        return "cosine(bias=False)"

    def __call__(self, logits: Logits, labels: Labels, counts: PerClass, progress: float) -> PerSample:
        """The cross-entropy of the scaled cosines; the class sizes play no part."""
        true = nn.functional.one_hot(labels, logits.shape[1]).to(logits)
        return cross_entropy(self.s * (logits - self.m * true), labels)
