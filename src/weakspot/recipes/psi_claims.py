"""What the study of psi draws from the models of one seed: the order of trainings, and claim 1.

Rules: docs/studies/psi-plan.md. A figure is drawn for the data (first) and each resample of the images, the same for
all models; None where it is not defined.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from weakspot.analysis.intervals import wilson
from weakspot.explaining.files import Table
from weakspot.recipes.psi_resampling import Weights, ln_ratio, meaned, pairs_of, psi_of, resamples, side, told_apart
from weakspot.recipes.psi_runs import ATTACKED, NATURAL, SEEDS, TRAININGS, Model

PRIMARY_FORM = "B"
SPEAKS = 0.2
"""A model is silent if the lower limit of its clean accuracy is below this: one that answers one class of ten is right
on a tenth of the images, and nothing moves it."""
FEWEST = 5
"""Pairs of models; fewer say nothing of an order."""


class Measured(NamedTuple):
    """What is stored of one model."""

    psi: Table
    """`psi_measure.measure`, and "withstood": what PGD and APGD-DLR both leave right."""
    grid: Table
    """`psi_measure.grade`."""


Part = Mapping[Model, Measured]
"""The models of one seed that take part."""
Draw = Callable[[Part], np.ndarray | None]
"""An endpoint's figure of one seed, by resample."""


def speaks(found: Measured) -> bool:
    """Whether a model takes part."""
    clean = found.psi["clean"]
    return bool(wilson(np.array(clean.sum()), np.array(len(clean))).low >= SPEAKS)


def seeds(found: Mapping[Model, Measured]) -> dict[int, Part]:
    """The models of each seed that are there."""
    by_seed = {seed: {model: each for model, each in found.items() if model.seed == seed} for seed in SEEDS}
    return {seed: part for seed, part in by_seed.items() if part}


def weights_of(part: Part) -> Weights:
    """The resamples of the images that psi is measured on."""
    return resamples(next(iter(part.values())).psi["label"])


def stacked(part: Part, models: Sequence[Model], what: str) -> np.ndarray:
    """A measurement of some models, (models, images)."""
    return np.stack([part[model].psi[what] for model in models])


def order(part: Part, weaker: str, stronger: str, form: str = PRIMARY_FORM) -> np.ndarray | None:
    """Ln of the ratio of psi of two trainings, meaned over the networks that have both."""
    weights = weights_of(part)
    each = [ratio for ratio in order_by_size(part, weights, weaker, stronger, form).values() if ratio is not None]
    return np.mean(each, axis=0) if each else None


def order_by_size(
    part: Part, weights: Weights, weaker: str, stronger: str, form: str = PRIMARY_FORM
) -> dict[str, np.ndarray | None]:
    """Ln of the ratio of psi of two trainings, by network."""
    found: dict[str, np.ndarray | None] = {}
    for size in dict.fromkeys(model.size for model in part):
        here = {model.training: each.psi[form] for model, each in part.items() if model.size == size}
        both = weaker in here and stronger in here
        found[size] = ln_ratio(weights, here[weaker], here[stronger]) if both else None
    return found


def networks(part: Part, weaker: str, stronger: str) -> int:
    """How many networks have both trainings, and so take part in `order`."""
    sizes = [{model.size for model in part if model.training == each} for each in (weaker, stronger)]
    return len(sizes[0] & sizes[1])


def separated(part: Part, form: str = PRIMARY_FORM) -> np.ndarray | None:
    """Claim 1a: ln of the lowest psi of a model trained on attacks over the highest of a natural one."""
    natural = [model for model in part if model.training == NATURAL]
    attacked = [model for model in part if model.training in ATTACKED]
    if not natural or not attacked:
        return None
    weights = weights_of(part)
    low, high = (psi_of(weights, stacked(part, models, form)) for models in (attacked, natural))
    return np.log(low.min(-1) / high.max(-1))


def agreement(part: Part, form: str = PRIMARY_FORM, *, across: bool = True, natural: bool = False) -> np.ndarray | None:
    """Claim 1b: the share of pairs of models that psi orders as accuracy under attack does.

    Args:
        part: The models of one seed.
        form: Of psi.
        across: Pairs of different networks; else pairs of one network.
        natural: With the natural models; they are ordered by anything.

    Only pairs count that accuracy tells apart by its own interval, on the same images.
    """
    models, signs = counted_pairs(part, across=across, natural=natural)
    if np.abs(signs).sum() < FEWEST:
        return None
    left, right = pairs_of(len(models))
    psi = psi_of(weights_of(part), stacked(part, models, form))
    return 1 - wrong(psi[:, left] - psi[:, right], signs)[:, signs != 0].mean(-1)


def counted_pairs(part: Part, *, across: bool = True, natural: bool = False) -> tuple[list[Model], np.ndarray]:
    """The models and the pairs of claim 1b: 1 if the first one's accuracy is higher, -1 if lower, 0 if left out."""
    models = [model for model in part if natural or model.training != NATURAL]
    if len(models) < 2:
        return models, np.zeros(0, dtype=int)
    signs = told_apart(meaned(weights_of(part), stacked(part, models, "withstood")))
    pairs = zip(*pairs_of(len(models)), strict=True)
    wanted = [(models[one].size != models[other].size) == across for one, other in pairs]
    return models, np.where(wanted, signs, 0)


def pairs_counted(part: Part) -> int:
    """How many pairs claim 1b is drawn from."""
    return int(np.abs(counted_pairs(part)[1]).sum())


def wrong(gaps: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """1 where the gap of a pair (the last axis) has the other sign than it should, 1/2 where there is none, else 0."""
    return (1 - side(gaps) * signs) / 2


def known_pairs(part: Part, form: str = PRIMARY_FORM) -> tuple[int, int, int]:
    """Of all pairs: how many psi tells apart, how many accuracy under attack does, and how many there are."""
    models, weights = list(part), weights_of(part)
    by_psi = told_apart(psi_of(weights, stacked(part, models, form)))
    by_accuracy = told_apart(meaned(weights, stacked(part, models, "withstood")))
    return int(np.abs(by_psi).sum()), int(np.abs(by_accuracy).sum()), len(by_psi)


def ordered_trainings(models: Sequence[Model]) -> list[Model]:
    """The models by network, and in the order of the trainings."""
    sizes, trainings = list(dict.fromkeys(model.size for model in models)), list(TRAININGS)
    return sorted(models, key=lambda model: (sizes.index(model.size), trainings.index(model.training), model.seed))
