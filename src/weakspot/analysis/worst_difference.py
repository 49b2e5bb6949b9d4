"""Did the worst class get better? The difference of two minima over classes, on the same images.

Each minimum is too low, and the more so the more alike the classes are. If both runs have the same profile the bias
cancels; where one is flat and the other is not it does not, and a percentile bootstrap doubles it: its 95 % limits
then hold in 40 to 90 % of cases (simulated, ten classes of 50 to 1,000 images). So the interval spans from the plain to
the bias-corrected difference, plus the bootstrap error of the corrected one: it holds in 94 % or more of those cases.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from weakspot.analysis.arrays import ClassCounts

Means = Float[np.ndarray, "... classes"]


@dataclass(frozen=True)
class WorstDifference:
    """Of the worst class, last minus first; a run's own value is its lowest class accuracy, meaned over runs."""

    value: float
    corrected: float
    """With each run's minimum corrected for its bias."""
    image_deviation: float
    """The standard error from the sample of images, of `corrected`."""
    runs: Float[np.ndarray, " runs"]
    """The corrected minimum of each run."""


def worst_difference(
    means: Float[np.ndarray, "classes runs"],
    drawn: Float[np.ndarray, "draws classes runs"],
    samples: ClassCounts,
    design: Float[np.ndarray, " runs"],
    first: int,
) -> WorstDifference:
    """The difference in worst-class accuracy between the first `first` runs and the others.

    Args:
        means: Accuracy of each class in each run; all classes have samples.
        drawn: The same in stratified resamples of the images, which all runs share.
        samples: Images per class.
        design: Per run, the variance of an image's score over that of a 0/1 score of the same mean; 1 for 0/1 scores.
        first: How many of the runs are "before".

    """
    # A standard error needs a few hundred draws; a thousand classes would take a minute with more.
    drawn = drawn[: max(200, 200_000 // len(means))]
    plain, corrected, around, around_shrunk = [], [], [], []
    for run in range(means.shape[1]):
        mine, noise = means[:, run], design[run] / samples
        plain.append(mine.min())
        corrected.append(_corrected(mine, noise))
        # The truth may be as uneven as what was counted, or as even as its shrunk values: the larger error counts.
        around.append(_corrected(drawn[:, :, run], noise))
        around_shrunk.append(_corrected(drawn[:, :, run] - mine + _shrunk(mine, noise), noise))
    deviation = max(_change(np.stack(each), first).std(ddof=1) for each in (around, around_shrunk))
    return WorstDifference(
        value=float(_change(np.array(plain), first)),
        corrected=float(_change(np.array(corrected), first)),
        image_deviation=float(deviation),
        runs=np.array(corrected, dtype=float),
    )


def _change(runs: np.ndarray, first: int) -> np.ndarray:
    return np.asarray(runs[first:].mean(axis=0) - runs[:first].mean(axis=0))


def _shrunk(accuracy: Means, noise: ClassCounts | Float[np.ndarray, " classes"]) -> Means:
    """`worst_class.shrunk` along the last axis; a class's sampling variance is m (1 - m) times its `noise`."""
    if accuracy.shape[-1] < 2:
        return accuracy
    mean = accuracy.mean(axis=-1, keepdims=True)
    # Recentred draws may pass 0 and 1 by a little.
    error = np.clip(mean * (1 - mean), 1e-6, None) * noise
    spread = np.maximum(0, accuracy.var(axis=-1, ddof=1, keepdims=True) - error.mean(axis=-1, keepdims=True))
    return mean + spread / (spread + error) * (accuracy - mean)


def _corrected(accuracy: Means, noise: Float[np.ndarray, " classes"]) -> np.ndarray:
    """The minimum along the last axis less its bias, E[min of normals around the shrunk values] - min of those.

    `worst_class` draws the bias from binomials; here it is needed for each of many resamples, and is integrated.
    """
    centre = _shrunk(accuracy, noise)
    lowest = centre.min(axis=-1, keepdims=True)
    deviation = np.sqrt(np.clip(centre * (1 - centre), 1e-4, None) * noise)
    # E[min] - lowest = -h + the integral of P(min - lowest > x) over [-h, h], on a grid that is as fine near 0 as the
    # least deviation and as wide as the largest: class sizes may differ a thousandfold.
    h, fine = 5 * float(deviation.max()), float(deviation.min())
    grid = fine * np.sinh(np.linspace(-1, 1, 41) * np.arcsinh(h / fine))
    above = np.empty((*centre.shape[:-1], len(grid)))
    for at, x in enumerate(grid):
        above[..., at] = ndtr((centre - lowest - x) / deviation).prod(axis=-1)
    bias = -h + np.trapezoid(above, grid, axis=-1)
    return np.asarray(accuracy.min(axis=-1) - bias)
