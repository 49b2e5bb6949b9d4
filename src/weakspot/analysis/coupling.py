"""Does a class that attracts errors resist attacks better or worse? CFPS and robust accuracy against their null.

They are coupled where no class attracts: a class cannot receive its own errors, so one that errs much receives less of
the rest. The null model is quasi-independence: an error of class i goes to class j with probability a_j / (1 - a_i),
a = the attractiveness of each class (Goodman, 1968, doi:10.1080/01621459.1968.10480916).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import binom, hypergeom

from weakspot.analysis.arrays import ClassCounts, Labels, PerClass, ratio
from weakspot.analysis.attraction import attraction
from weakspot.analysis.bootstrap import DRAWS, percentiles, resampled_errors
from weakspot.analysis.paired import holm
from weakspot.analysis.relate import Correlation, image_correlation, rank_correlation, spearman

NAN = float("nan")


@dataclass(frozen=True)
class Coupling:
    """The rank correlation of CFPS with accuracy, and what it would be if attractiveness had nothing to do with it."""

    over_classes: Correlation
    over_images: Correlation
    null_mean: float
    """Under quasi-independent errors whose attractiveness is dealt to the classes at random."""
    null_low: float
    null_high: float
    p: float
    """Two-sided: how often the null is as far out as the observed correlation."""
    attractiveness: PerClass
    """Sums to 1, chance level 1/K: CFPS freed from the coupling; NaN without errors or below three classes."""
    uncoupled: Correlation
    """The rank correlation of attractiveness with accuracy, over classes."""


def coupling(
    label: Labels, prediction: Labels, classes: int, seed: int, draws: int = DRAWS, level: float = 0.95
) -> Coupling:
    """Relate CFPS to accuracy (robust accuracy on the rows of an attack), and judge it against the null."""
    samples = np.bincount(label, minlength=classes)
    found = attraction(label, prediction, classes)
    accuracy = 1 - found.false_negative_rate
    positives, negatives = resampled_errors(label, prediction, classes, draws, seed)
    cfps_draws = ratio(positives, positives.sum(axis=1, keepdims=True))
    attractive = attractiveness(found.false_positives, found.false_negatives)
    null = _null(found.false_negatives, attractive, draws, seed)
    observed = rank_correlation(found.cfps, accuracy, level)
    expected = spearman(null, accuracy)
    limits = percentiles(expected, level)
    some = expected[~np.isnan(expected)]
    known = len(some) > 0 and not np.isnan(observed.value)
    return Coupling(
        over_classes=observed,
        over_images=image_correlation(found.cfps, accuracy, cfps_draws, 1 - ratio(negatives, samples), level),
        null_mean=float(some.mean()) if len(some) else NAN,
        null_low=float(limits.low),
        null_high=float(limits.high),
        p=_two_sided(observed.value, some) if known else NAN,
        attractiveness=attractive,
        uncoupled=rank_correlation(attractive, accuracy, level),
    )


def attractiveness(positives: ClassCounts, negatives: ClassCounts) -> PerClass:
    """The column effects of the quasi-independence model with these false positives and false negatives per class.

    Solved by matching both margins in turn; sums to 1. NaN without errors and below three classes, where every table
    of errors fits.
    """
    errors = positives.sum()
    if errors == 0 or len(positives) < 3:
        return np.full(len(positives), np.nan)
    # The expected errors from i to j are rows_i * effect_j; both margins must come out. On the border of the model (one
    # class takes all errors of the others) a denominator tends to 0, and its numerator with it.
    effect = positives / errors
    for _ in range(2000):
        rows = np.nan_to_num(ratio(negatives, effect.sum() - effect))
        before, effect = effect, np.nan_to_num(ratio(positives, rows.sum() - rows))
        effect = ratio(effect, effect.sum())
        if not np.abs(effect - before).max() > 1e-10:
            break
    return effect


def _null(negatives: ClassCounts, attractive: PerClass, draws: int, seed: int) -> Float[np.ndarray, "draws classes"]:
    """CFPS drawn under the null: each class's errors stay, the attractiveness is dealt to the classes at random."""
    if np.isnan(attractive).any():
        return np.full((draws, len(negatives)), np.nan)
    random = np.random.default_rng([seed, 1])
    dealt = random.permuted(np.broadcast_to(attractive, (draws, len(attractive))), axis=1)
    # A class that is dealt all attractiveness has nowhere to send its own errors: such a deal is left out.
    possible = ((dealt < 1 - 1e-9) | (negatives == 0)).all(axis=1)
    dealt = dealt[possible]
    sent = np.where(negatives > 0, ratio(negatives, 1 - dealt), 0)
    expected = dealt * (sent.sum(axis=1, keepdims=True) - sent)
    # Drawn from the column sums at once: the rows' own draws would differ only in a slightly smaller variance.
    share = expected / expected.sum(axis=1, keepdims=True)
    return random.multinomial(negatives.sum(), share) / negatives.sum()


def _two_sided(observed: float, null: Float[np.ndarray, " draws"]) -> float:
    # One is added for the observed table itself, so that no number of draws gives 0 (Phipson and Smyth, 2010).
    smaller = min((null <= observed + 1e-12).sum(), (null >= observed - 1e-12).sum())
    return float(min(1, 2 * (smaller + 1) / (len(null) + 1)))


@dataclass(frozen=True)
class Roles:
    """Which classes attract and which leak; p-values are one-sided and adjusted by Holm over classes."""

    expected_false_positives: PerClass
    """If every error fell on each other class alike."""
    attracts_p: PerClass
    """Of as many false positives as seen, or more."""
    expected_false_negatives: PerClass
    """If all classes erred alike."""
    leaks_p: PerClass
    """Of as many false negatives as seen, or more; NaN for a class without samples."""


def roles(label: Labels, prediction: Labels, classes: int) -> Roles:
    """Test each class for attraction (binomial) and leaking (hypergeometric), both exactly."""
    found = attraction(label, prediction, classes)
    return _roles(found.false_positives, found.false_negatives, np.bincount(label, minlength=classes))


def clustered_roles(sample: Labels, label: Labels, prediction: Labels, classes: int) -> Roles:
    """The same where an image has several rows (its corruptions): the tests count images instead of rows.

    Each count of errors is divided by the mean number of errors of an image that has any. That is exact where an
    image's errors all go to one class, and careful where they do not. The expected counts are of rows.
    """
    found = attraction(label, prediction, classes)
    erring = len(np.unique(sample[label != prediction]))
    each = found.errors / max(1, erring) or 1.0
    _, first = np.unique(sample, return_index=True)
    images = np.bincount(label[first], minlength=classes)
    positives, negatives = (
        np.round(counts / each).astype(np.int64) for counts in (found.false_positives, found.false_negatives)
    )
    tested = _roles(positives, np.minimum(negatives, images), images)
    rows = _roles(found.false_positives, found.false_negatives, np.bincount(label, minlength=classes))
    return Roles(rows.expected_false_positives, tested.attracts_p, rows.expected_false_negatives, tested.leaks_p)


def _roles(positives: ClassCounts, negatives: ClassCounts, samples: ClassCounts) -> Roles:
    errors, classes = int(negatives.sum()), len(samples)
    others = errors - negatives
    if classes < 2:
        nan = np.full(classes, np.nan)
        return Roles(nan, nan, nan, nan)
    attracts = binom.sf(positives - 1, others, 1 / (classes - 1))
    leaks = hypergeom.sf(negatives - 1, samples.sum(), errors, samples)
    return Roles(
        expected_false_positives=others / (classes - 1),
        attracts_p=holm(attracts),
        expected_false_negatives=ratio(samples * errors, samples.sum()),
        leaks_p=holm(np.where(samples > 0, leaks, np.nan)),
    )


@dataclass(frozen=True)
class SplitHalf:
    """Rank correlations between two random halves of the images, meaned over splits; NaN where undefined.

    The halves share no image, so noise that is common to two figures of one set cannot correlate them.
    """

    cfps: float
    """CFPS of one half with CFPS of the other: how reproducible it is at half the size."""
    accuracy: float
    crossed: float
    """CFPS of one half with the accuracy of the other."""
    splits: int


def split_half(label: Labels, prediction: Labels, classes: int, seed: int, splits: int = 100) -> SplitHalf:
    """Split the images of each class in halves at random, many times, and relate the halves."""
    random = np.random.default_rng(seed)
    found = np.empty((splits, 3))
    start = np.concatenate([[0], np.cumsum(np.bincount(label, minlength=classes))])
    for at in range(splits):
        mixed = random.permutation(len(label))
        order = mixed[np.argsort(label[mixed], kind="stable")]
        second = np.zeros(len(label), dtype=bool)
        # Position within the class, odd or even; which half gets the odd one out is random too.
        rank = np.arange(len(label)) - start[label[order]] + random.integers(0, 2, classes)[label[order]]
        second[order] = rank % 2 == 1
        one, two = (attraction(label[half], prediction[half], classes) for half in (~second, second))
        crossed = [
            spearman(one.cfps, 1 - two.false_negative_rate),
            spearman(two.cfps, 1 - one.false_negative_rate),
        ]
        found[at] = (
            spearman(one.cfps, two.cfps),
            spearman(one.false_negative_rate, two.false_negative_rate),
            np.mean(crossed),
        )
    known = ~np.isnan(found)
    means = ratio(np.where(known, found, 0).sum(axis=0), known.sum(axis=0))
    return SplitHalf(cfps=float(means[0]), accuracy=float(means[1]), crossed=float(means[2]), splits=splits)
