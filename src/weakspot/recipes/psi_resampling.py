"""Paired resamples of images for studies of psi, and what is read off them: the pilot's and the study's.

Arrays of measurements end in (models, images) or (images); what is drawn begins with the resamples, the data first.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import ndtri

DRAWS, LEVEL = 1000, 0.95
ROUNDING = 1e-12

Weights = Float[np.ndarray, "resamples images"]
"""How much each image counts in each resample; rows sum to 1, and the first one is the data."""
Drawn = Float[np.ndarray, "resamples ..."]


class Graded(NamedTuple):
    """One figure's grid over some models; its entries are larger for weaker models."""

    names: list[str]
    """Of the settings."""
    settings: Float[np.ndarray, "settings models images"]
    rungs: Float[np.ndarray, "rungs models images"]
    """Of the ladder of costs."""
    reference: Float[np.ndarray, "models images"]
    """Image by image the strongest of all settings and rungs."""


def resamples(label: Int[np.ndarray, " images"], draws: int = DRAWS, seed: int = 0) -> Weights:
    """The data and so many resamples of the images within their classes."""
    random = np.random.default_rng(seed)
    weights = np.zeros((draws + 1, len(label)))
    weights[0] = 1
    for c in np.unique(label):
        members = np.flatnonzero(label == c)
        picks = members[random.integers(0, len(members), (draws, len(members)))]
        np.add.at(weights, (np.arange(1, draws + 1)[:, None], picks), 1)
    return weights / len(label)


def meaned(weights: Weights, values: Shaped[np.ndarray, "... images"]) -> Drawn:
    """Means over images: (resamples, ...) from (..., images)."""
    flat = values.reshape(-1, values.shape[-1]).astype(float)
    return (weights @ flat.T).reshape(len(weights), *values.shape[:-1])


def side(gaps: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """1, -1, or 0 in a tie.

    The same number of images, weighed and summed in another order, differs in the last digit; that is a tie.
    """
    return np.sign(gaps) * (np.abs(gaps) > ROUNDING)


def psi_of(weights: Weights, divergence: Float[np.ndarray, "... images"]) -> Drawn:
    """1 / the mean divergence in each resample."""
    return 1 / meaned(weights, divergence)


def ln_ratio(
    weights: Weights, weaker: Float[np.ndarray, " images"], stronger: Float[np.ndarray, " images"]
) -> Float[np.ndarray, " resamples"]:
    """Ln of the ratio of psi, the second model's over the first one's, of their divergences."""
    return np.log(psi_of(weights, stronger) / psi_of(weights, weaker))


def limits(drawn: Float[np.ndarray, " resamples"]) -> tuple[float, float, float]:
    """(value, low, high) of what a statistic is in the data (first) and in its resamples."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn[1:], [tail, 1 - tail])
    return float(drawn[0]), float(low), float(high)


def centred(
    drawn: Float[np.ndarray, " resamples"], least: float = -np.inf, most: float = np.inf
) -> tuple[float, float, float]:
    """(value, low, high), the limits 1.96 standard deviations of the resamples around the value, cut to what it can be.

    For errors of orders, whose percentiles lie off the value: a resample turns more close pairs round than the data do.
    """
    value, off = float(drawn[0]), float(ndtri((1 + LEVEL) / 2) * drawn[1:].std())
    return value, max(least, value - off), min(most, value + off)


def tau(first: Float[np.ndarray, "... models"], second: Float[np.ndarray, "... models"]) -> np.ndarray:
    """Kendall's tau-b along the last axis; 0 where one side tells no two apart."""
    left, right = pairs_of(first.shape[-1])
    one, two = (side(each[..., left] - each[..., right]) for each in (first, second))
    norm = np.sqrt(np.abs(one).sum(-1) * np.abs(two).sum(-1))
    return np.where(norm > 0, (one * two).sum(-1) / np.where(norm > 0, norm, 1), 0.0)


def pairs_of(models: int) -> tuple[np.ndarray, np.ndarray]:
    """The first and the second model of each pair."""
    left, right = np.triu_indices(models, 1)
    return left, right


def told_apart(drawn: Float[np.ndarray, "resamples models"]) -> Int[np.ndarray, " pairs"]:
    """Of each pair of models: 1 if the first one's figure is larger, -1 if smaller, 0 if the interval holds 0."""
    left, right = pairs_of(drawn.shape[-1])
    gaps = drawn[1:, left] - drawn[1:, right]
    low, high = np.quantile(gaps, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return (low > 0).astype(int) - (high < 0)


def graded(
    grids: Sequence[Mapping[str, np.ndarray]], gradients: Sequence[int], ladder: Sequence[int], steps: Sequence[float]
) -> dict[str, Graded]:
    """The grids of some models (`psi_measure.grade`) as arrays, by figure: "psi" and "pgd".

    Args:
        grids: One of each model.
        gradients: Those of the settings.
        ladder: Those of the rungs, which PGD climbs at that of the `steps` at which it is strongest over all models.
        steps: Shares of the radius.

    """
    found = {}
    for figure in ("psi", "pgd"):
        names = [name for name in grids[0] if name.startswith(f"{figure}/")]
        plain = [name for name in names if "ladder" not in name and int(name.split("/")[3]) in gradients]
        arrays = {name: np.stack([grid[name] for grid in grids]).astype(float) for name in names}
        rungs = []
        for many in ladder:
            if figure == "psi":
                rungs.append(arrays[f"psi/ladder/1.5/{many}/1"])
            else:
                rungs.append(max((arrays[f"pgd/own/{step}/{many}/1"] for step in steps), key=np.mean))
        reference = np.stack(list(arrays.values())).max(0)
        found[figure] = Graded(plain, np.stack([arrays[name] for name in plain]), np.stack(rungs), reference)
    return found
