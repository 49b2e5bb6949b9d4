"""Ties of two figures of the classes over many models: an interval over kinds of model, a p over deals of the classes.

The rule is that of docs/studies/classwise-plan.md. Models share classes and images, so they are no sample of classes:
the p deals one figure to the classes anew, in the same way for all models.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from weakspot.analysis.relate import FEWEST, Correlation, over_models

DEALS = 10_000
LARGEST = 0.999
"""Correlations are brought below it before they are averaged, since 1 would be infinite."""
NAN = float("nan")

Figures = Mapping[str, list[tuple[np.ndarray, np.ndarray]]]
"""Both figures of the classes (K,) of each run, by its kind."""


@dataclass(frozen=True)
class Tie:
    """A mean rank correlation; NaN without a run in which it is defined."""

    value: float
    low: float
    """With `high`: 95 %, t over kinds; NaN below two kinds."""
    high: float
    p: float
    """Two-sided, of deals of the classes."""
    kinds: int
    runs: int


def tie(figures: Figures, seed: int = 0, deals: int = DEALS) -> Tie:
    """Spearman's correlation as Fisher's z, meaned over the runs of a kind, then over kinds.

    Runs in which a figure is constant or undefined for a class are left out.
    """
    ranked = {kind: [each for run in runs if (each := _ranked(*run)) is not None] for kind, runs in figures.items()}
    ranked = {kind: runs for kind, runs in ranked.items() if runs}
    if not ranked:
        return Tie(NAN, NAN, NAN, NAN, 0, 0)
    classes = len(next(iter(ranked.values()))[0][0])
    # The first deal is the observed table, so that no number of deals gives p = 0 (Phipson and Smyth, 2010).
    random = np.random.default_rng([seed, 2])
    dealt = random.permuted(np.broadcast_to(np.arange(classes), (deals, classes)), axis=1)
    dealt = np.concatenate([np.arange(classes)[None], dealt])
    means = [np.mean([_z(x, y[dealt]) for x, y in runs], axis=0) for runs in ranked.values()]
    found = over_models([Correlation(float(np.tanh(each[0])), NAN, NAN, classes, "classes") for each in means])
    every = np.mean(means, axis=0)
    smaller, larger = ((sign * every <= sign * every[0] + 1e-12).mean() for sign in (1, -1))
    p = float(min(1, 2 * min(smaller, larger)))
    return Tie(found.value, found.low, found.high, p, len(ranked), sum(map(len, ranked.values())))


def partial(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float:
    """Spearman's partial correlation of `x` and `y` given a third figure; NaN where undefined."""
    pairs = [each for two in ((x, y), (x, given), (y, given)) if (each := _ranked(*two)) is not None]
    if len(pairs) < 3:
        return NAN
    xy, xg, yg = (float(one @ two) for one, two in pairs)
    left = (1 - xg**2) * (1 - yg**2)
    return float((xy - xg * yg) / np.sqrt(left)) if left > 1e-12 else NAN


def fisher(x: np.ndarray, y: np.ndarray) -> float:
    """Fisher's z of Spearman's correlation of two figures; NaN where undefined."""
    ranks = _ranked(x, y)
    return NAN if ranks is None else float(_z(ranks[0], ranks[1][None])[0])


def _ranked(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Both figures' ranks, centred and of length 1; None where they have none."""
    if len(x) < FEWEST or np.isnan(x).any() or np.isnan(y).any() or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    one, two = (rankdata(each) - (len(each) + 1) / 2 for each in (x, y))
    return one / np.linalg.norm(one), two / np.linalg.norm(two)


def _z(x: Float[np.ndarray, " classes"], y: Float[np.ndarray, "deals classes"]) -> Float[np.ndarray, " deals"]:
    return np.asarray(np.arctanh(np.clip(y @ x, -LARGEST, LARGEST)))
