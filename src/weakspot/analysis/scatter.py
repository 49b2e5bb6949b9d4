"""Do the classes part in feature space? Scatter between class means against scatter within classes (Fisher, 1936)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from weakspot.analysis.arrays import Labels, ratio
from weakspot.analysis.latent import Features, moments

NAN = float("nan")


@dataclass(frozen=True)
class Scatter:
    """Traces of the scatter matrices and their ratio, which no scale of the features changes; NaN where undefined."""

    between: float
    """sum over classes of n_c |mean_c - mean|^2."""
    within: float
    """sum over images of |feature - mean of its class|^2."""
    ratio: float
    """between / within; NaN where the classes have no spread."""
    low: float
    """With `high`: the jackknife's interval, over images."""
    high: float
    chance: float
    """The expected ratio where all classes are alike: (K - 1) / (N - K), K = classes with samples."""


def scatter(features: Features, label: Labels, classes: int, level: float = 0.95) -> Scatter:
    """The trace ratio of between- and within-class scatter."""
    found = moments(features, label, classes)
    present = found.samples > 0
    many, total = int(present.sum()), int(found.samples.sum())
    if many == 0:
        return Scatter(NAN, NAN, NAN, NAN, NAN, NAN)
    centre = np.average(found.mean[present], axis=0, weights=found.samples[present])
    between = float((found.samples[present] * ((found.mean[present] - centre) ** 2).sum(axis=1)).sum())
    within = float(np.nansum(found.variance * (found.samples - 1)))
    value = float(ratio(between, within))
    # Without image k the scatter around a mean of n falls by n/(n - 1) times the squared distance of k to that mean.
    mine = found.samples[label].astype(float)
    own = ratio(mine, mine - 1) * ((features - found.mean[label]) ** 2).sum(axis=1)
    all_but = between + within - ratio(total, total - 1) * ((features - centre) ** 2).sum(axis=1)
    inside = within - np.nan_to_num(own)  # the only image of its class has no spread to take away
    # Rounding may leave a trace of scatter where the last image with any was left out.
    left = ratio(all_but - inside, np.where(inside > 1e-12 * within, inside, 0))
    half = float(ndtri(0.5 + level / 2) * np.sqrt((total - 1) / total * ((left - left.mean()) ** 2).sum()))
    chance = float(ratio(many - 1, total - many))
    return Scatter(between, within, value, float(np.maximum(value - half, 0)), value + half, chance)
