"""What one attack alone overstates: the images that it leaves right and another attack of the same run breaks.

With correctness of sample i under the attack alone and under all attacks together, o_i = alone_i - together_i is 0 or 1
and its mean is accuracy under the attack minus robust accuracy, paired. The fake gain of a method over a baseline
(`weakspot.analysis.fake_gain`) is the difference of two such means; this one needs no baseline, and so cannot say
whether a model misleads the attack or the attack is just weak.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from weakspot.analysis.arrays import ClassCounts, Flags, Labels, PerClass, ratio
from weakspot.analysis.class_means import Estimate, class_mean
from weakspot.analysis.fake_gain import FAKE, confirmed
from weakspot.analysis.intervals import Interval, simultaneous
from weakspot.analysis.rates import from_counts


@dataclass(frozen=True)
class Overstated:
    """Shares of images in [0, 1]; NaN for a class without samples, and where there is none at all."""

    alone: float
    """Accuracy under the attack alone, meaned over classes, so that each counts alike."""
    together: float
    """The same under all attacks together."""
    overall: Estimate
    """`alone` minus `together`."""
    samples: ClassCounts
    count: ClassCounts
    """Images of each class that only other attacks break."""
    share: PerClass
    limits: Interval
    """Of each share, for all classes at once (Clopper-Pearson, Bonferroni), so that a flag in any class is hardly ever
    chance; of small shares, as these are, Wilson's lower limit is too high too often."""

    @property
    def flagged_classes(self) -> Bool[np.ndarray, " classes"]:
        """The classes in which surely more than a point is overstated."""
        return np.nan_to_num(self.limits.low) > FAKE

    @property
    def flagged(self) -> bool:
        """Whether that holds overall or in a class."""
        return self.overall.low > FAKE or bool(self.flagged_classes.any())


def overstated(alone: Flags, together: Flags, label: Labels, classes: int, level: float = 0.95) -> Overstated:
    """Compare correctness under one attack with correctness under all, aligned by sample.

    Raises:
        InputError: a sample is right under all attacks together and wrong under this one.

    """
    confirmed(alone, together)
    samples = np.bincount(label, minlength=classes)
    count = np.bincount(label[alone & ~together], minlength=classes)
    first, last = (np.bincount(label[flags], minlength=classes) for flags in (alone, together))
    return Overstated(
        alone=from_counts(first, samples).balanced,
        together=from_counts(last, samples).balanced,
        overall=class_mean(count, samples, level=level),
        samples=samples,
        count=count,
        share=ratio(count, samples),
        limits=simultaneous(count, samples, level),
    )
