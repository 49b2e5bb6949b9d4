"""Claims 2 and 3 of the study of psi: how often an order of two models is turned round, by settings and by cost.

Both figures are judged on the same images, the same grid of settings and the same pairs of models: those that both
references (image by image the strongest of all settings of that figure) order alike on all images. So there is no
pair on which one of them could not be right; where a setting makes two models equal, that is half an error.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from weakspot.recipes.psi_claims import FEWEST, Part, wrong
from weakspot.recipes.psi_measure import GRADIENTS, LADDER, STEPS
from weakspot.recipes.psi_resampling import Graded, Weights, graded, meaned, pairs_of, resamples, side
from weakspot.recipes.psi_runs import NATURAL

BUDGETS = (25, 50, 100)
"""Images."""
REPEATS, EXACT = 20, 200
"""How often so many images are drawn from a resample, and from the data."""
ENOUGH = 0.1
"""A ranking with this share of errors at most is called reliable."""
FIGURES = ("psi", "pgd")


class Ranked(NamedTuple):
    """The grids of one seed's models and the pairs on which both references agree."""

    weights: Weights
    grids: dict[str, Graded]
    """By figure."""
    signs: Int[np.ndarray, "resamples pairs"]
    """1 if the first of a pair is the weaker one, -1 if the second is, 0 if the references do not agree; of each
    resample its own, or else resampled errors would hold what the images alone turn round."""
    passes: dict[str, Float[np.ndarray, " rungs"]]
    """Forwards and backwards of an image."""


def ranked(part: Part, *, natural: bool = True) -> Ranked | None:
    """What claims 2 and 3 are drawn from; None with too few pairs. `natural`: with the natural models."""
    found = compared(part, natural=natural)
    return found if found is not None and np.abs(found.signs[0]).sum() >= FEWEST else None


def agreed(part: Part, *, natural: bool = True) -> int:
    """How many pairs both references order alike."""
    found = compared(part, natural=natural)
    return 0 if found is None else int(np.abs(found.signs[0]).sum())


def compared(part: Part, *, natural: bool = True) -> Ranked | None:
    """The same with however few pairs; None with fewer than two models."""
    grids = [each.grid for model, each in part.items() if natural or model.training != NATURAL]
    if len(grids) < 2:
        return None
    weights, found = resamples(grids[0]["label"]), graded(grids, GRADIENTS, LADDER, STEPS)
    left, right = pairs_of(len(grids))
    means = [meaned(weights, found[figure].reference) for figure in FIGURES]
    psi, pgd = (side(mean[:, left] - mean[:, right]).astype(int) for mean in means)
    signs = np.where(psi == pgd, psi, 0)
    passes = {
        "psi": np.array([float(grids[0][f"passes_{gradients}"]) for gradients in LADDER]),
        "pgd": np.array([2.0 * gradients + 2 for gradients in LADDER]),
    }
    return Ranked(weights, found, signs, passes)


def crosses(name: str) -> bool:
    """Whether the steps of a setting, FIGURE/LOSS/STEP/GRADIENTS/RESTARTS, add up to the radius at least.

    A search that cannot reach the border of the ball is one that nobody would defend.
    """
    _, _, step, gradients, _ = name.split("/")
    return float(step) * int(gradients) >= 1


def turned_by_settings(found: Ranked, figure: str) -> Float[np.ndarray, " resamples"]:
    """Claim 2: the share of wrong orders where one model of a pair is measured by one setting, the other by another.

    Over all pairs that count and all ordered pairs of different settings that cross the ball.
    """
    values = drawn_settings(found, figure)
    different = ~np.eye(values.shape[1], dtype=bool)
    left, right = pairs_of(values.shape[2])
    each = np.zeros(found.signs.shape)
    for pair in np.flatnonzero(found.signs.any(0)):
        gaps = values[:, :, None, left[pair]] - values[:, None, :, right[pair]]
        each[:, pair] = wrong(gaps, found.signs[:, pair, None, None])[:, different].mean(-1)
    return over_pairs(each, found.signs)


def turned_by_one_setting(found: Ranked, figure: str) -> Float[np.ndarray, " resamples"]:
    """The share of wrong orders where both models of a pair are measured by the same setting, over the settings."""
    values = drawn_settings(found, figure)
    return errors(values, found.signs[:, None]).mean(-1)


def drawn_settings(found: Ranked, figure: str) -> Float[np.ndarray, "resamples settings models"]:
    """The figure by each setting that crosses the ball; larger for weaker models."""
    grid = found.grids[figure]
    able = [at for at, name in enumerate(grid.names) if crosses(name)]
    return meaned(found.weights, grid.settings[able])


def errors(values: Float[np.ndarray, "... models"], signs: Int[np.ndarray, "... pairs"]) -> np.ndarray:
    """The share of wrong orders over the pairs that count; larger values are weaker models."""
    left, right = pairs_of(values.shape[-1])
    return over_pairs(wrong(values[..., left] - values[..., right], signs), signs)


def over_pairs(each: Float[np.ndarray, "... pairs"], signs: Int[np.ndarray, "... pairs"]) -> np.ndarray:
    """The mean over the pairs that count; 0 where none does."""
    count = np.abs(signs)
    return (each * count).sum(-1) / np.maximum(1, count.sum(-1))


def errors_of_few(found: Ranked, figure: str) -> Float[np.ndarray, "resamples sizes rungs"]:
    """The expected share of wrong orders on each rung with so few images, drawn with replacement from the resample."""
    rungs, sizes = found.grids[figure].rungs, []
    held = images_of(found.weights[1:])
    for size in BUDGETS:
        random = np.random.default_rng([1, size])  # both figures see the same draws
        drawn = (few(random, held, size) for _ in range(REPEATS))
        sizes.append(sum(errors(meaned(each, rungs), found.signs[1:, None]) for each in drawn) / REPEATS)
    return np.concatenate([errors_of_data(found, figure)[None], np.stack(sizes, axis=1)])


def errors_of_data(found: Ranked, figure: str) -> Float[np.ndarray, "sizes rungs"]:
    """The same of the data alone."""
    rungs, sizes = found.grids[figure].rungs, []
    for size in BUDGETS:
        drawn = np.random.default_rng([0, size]).multinomial(size, found.weights[0], EXACT) / size
        sizes.append(errors(meaned(drawn, rungs), found.signs[0]).mean(0))
    return np.stack(sizes)


def images_of(weights: Weights) -> Int[np.ndarray, "resamples images"]:
    """Which images a resample is made of, as often as it holds them."""
    draws, images = weights.shape
    often = np.rint(weights * images).astype(int)
    return np.repeat(np.tile(np.arange(images), draws), often.ravel()).reshape(draws, images)


def few(random: np.random.Generator, held: Int[np.ndarray, "resamples images"], size: int) -> Weights:
    """The weights of so many images drawn with replacement from each resample."""
    draws, images = held.shape
    picks = np.take_along_axis(held, random.integers(0, images, (draws, size)), axis=1)
    at = picks + images * np.arange(draws)[:, None]
    return np.bincount(at.ravel(), minlength=held.size).reshape(draws, images) / size


def at_equal_cost(found: Ranked) -> tuple[np.ndarray, np.ndarray]:
    """Claim 3: the errors of few images by psi and by PGD at the same passes, (resamples, sizes, costs).

    The costs are those of PGD's rungs that lie on psi's ladder; psi's errors are read between its own rungs, linearly
    in the logarithm of the passes.
    """
    wanted = np.log(costs(found))
    own = np.log(found.passes["psi"])
    between = np.array([np.interp(wanted, own, row) for row in np.eye(len(own))])
    kept = [at for at, spent in enumerate(found.passes["pgd"]) if spent in costs(found)]
    return errors_of_few(found, "psi") @ between, errors_of_few(found, "pgd")[..., kept]


def costs(found: Ranked) -> Float[np.ndarray, " costs"]:
    """Passes of an image at which both figures are compared."""
    low, high = found.passes["psi"][[0, -1]]
    spent = found.passes["pgd"]
    return spent[(spent >= low) & (spent <= high)]


def cheapest(found: Ranked, figure: str, drawn: Float[np.ndarray, "sizes rungs"]) -> float | None:
    """The fewest passes times images of the data whose expected share of errors is ENOUGH at most; None if none."""
    spent = np.array(BUDGETS)[:, None] * found.passes[figure]
    return float(spent[drawn <= ENOUGH].min()) if (drawn <= ENOUGH).any() else None


def settings_claim(part: Part, *, natural: bool = True) -> np.ndarray | None:
    """Claim 2's endpoint: psi less accuracy; below 0 as claimed."""
    found = ranked(part, natural=natural)
    return None if found is None else turned_by_settings(found, "psi") - turned_by_settings(found, "pgd")


def cost_claim(part: Part, *, natural: bool = True) -> np.ndarray | None:
    """Claim 3's endpoint: psi less PGD, meaned over numbers of images and costs; below 0 as claimed."""
    found = ranked(part, natural=natural)
    if found is None:
        return None
    psi, pgd = at_equal_cost(found)
    return (psi - pgd).mean((1, 2))
