"""Fake gain: what a weak attack says a method has gained, and a strong one does not confirm (arXiv:2104.02703, 3.3).

Losses with a temperature and classifiers with a scaling step can look robust to PGD, whose cross-entropy goes flat,
and not be. With correctness of sample i under the weak and the strong attack, of a baseline and of a method,

    d_i = (weak_method - weak_baseline) - (strong_method - strong_baseline),

which lies in {-2, ..., 2}; the fake gain is its mean. The source states the effect and gives no measure; this is ours.

It is the part of the gain that the strong attack does not confirm, whatever the reason: a model that is right on more
hard images has more to lose to the strong attack, without misleading the weak one. So a control of equal accuracy
belongs beside it. Its interval is on the wide side where few images differ: of ten classes with 200 images, simulated
under equal models that lose 0.5, 1 and 2 % to the strong attack, it covers in 99, 99 and 96 %.
"""

from dataclasses import dataclass

import numpy as np

from weakspot.analysis.arrays import Flags, Labels, ratio
from weakspot.analysis.class_means import Estimate, weighted
from weakspot.errors import InputError

FAKE = 0.01
"""More than a point of accuracy that a weak attack shows and a strong one does not confirm is worth a warning."""


@dataclass(frozen=True)
class FakeGain:
    """Means are over classes, so that each counts alike; a lower limit above 0 says that a gain was fake."""

    overall: Estimate
    classes: tuple[Estimate, ...]
    """Each alone, at the same level: with ten classes, expect one in forty above 0 by chance."""
    weak: float
    """The gain under the weak attack, meaned over classes."""
    strong: float
    """The gain under the strong one."""


def fake_gain(
    baseline: tuple[Flags, Flags], method: tuple[Flags, Flags], label: Labels, classes: int, level: float = 0.95
) -> FakeGain:
    """Compare two models on the same samples; each gives correctness under (weak, strong), aligned by sample.

    `strong` must hold whatever `weak` found as well: a sample is correct under it only if it is under both.

    Raises:
        InputError: a sample is right under the strong attack and wrong under the weak one.

    """
    for weak, strong in (baseline, method):
        confirmed(weak, strong)
    gain = [last.astype(np.int64) - first.astype(np.int64) for first, last in zip(baseline, method, strict=True)]
    difference = gain[0] - gain[1]
    samples = np.bincount(label, minlength=classes)
    mean = ratio(np.bincount(label, difference, minlength=classes), samples)
    # As for a share: one more success and one more failure, so that no difference at all is not taken for certainty.
    square = (np.bincount(label, difference**2, minlength=classes) + 1) / (samples + 2)
    variance = ratio(np.maximum(square - np.nan_to_num(mean) ** 2, 1 / (samples + 2)), samples)
    some = samples > 0
    return FakeGain(
        weighted(mean, variance, some / max(1, int(some.sum())), level),
        tuple(weighted(mean, variance, np.eye(classes)[c] * some[c], level) for c in range(classes)),
        *(float(np.nanmean(ratio(np.bincount(label, one, minlength=classes), samples))) for one in gain),
    )


def confirmed(weak: Flags, strong: Flags) -> None:
    """Refuse a strong attack that does not hold whatever the weak one found.

    Raises:
        InputError: a sample is right under the strong attack and wrong under the weak one.

    """
    if (strong & ~weak).any():
        raise InputError(
            f"{int((strong & ~weak).sum())} samples survive the strong attack and not the weak one; "
            "count as strong what survives both"
        )
