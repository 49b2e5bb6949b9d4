"""The rules of the study of psi: each endpoint over three seeds, Holm within its claim, and the verdict in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr

from weakspot.analysis.arrays import ratio
from weakspot.analysis.measures import around
from weakspot.analysis.paired import holm
from weakspot.recipes.psi_claims import (
    Draw,
    Measured,
    Part,
    agreement,
    networks,
    order,
    pairs_counted,
    separated,
    speaks,
)
from weakspot.recipes.psi_rankings import agreed, cost_claim, settings_claim
from weakspot.recipes.psi_resampling import LEVEL, centred, limits
from weakspot.recipes.psi_runs import ATTACKED, GRAD_REG, N_FGSM, NATURAL, PGD_AT, SEEDS, TRAININGS, Model
from weakspot.recipes.tables import Row

ALPHA = 0.05
TRAINED = (GRAD_REG, *ATTACKED)


@dataclass(frozen=True)
class Endpoint:
    """One figure, its value where nothing is claimed, and on which side of it the claim lies."""

    claim: str
    says: str
    draw: Draw
    needs: tuple[str, ...] = tuple(TRAININGS)
    """The trainings whose models must have been run."""
    null: float = 0.0
    side: int = 1
    most: float = np.inf
    """It cannot be larger."""
    read: Callable[[np.ndarray], tuple[float, float, float]] = limits
    """A seed's value and interval of what is drawn."""
    unit: str = "models"
    size: Callable[[Part], int] = len
    """How many of them a seed's figure is drawn from."""


def step_of_order(weaker: str, stronger: str) -> Endpoint:
    """An endpoint of the first claim."""
    return Endpoint(
        "order",
        f"{TRAININGS[weaker]} < {TRAININGS[stronger]}",
        lambda part: order(part, weaker, stronger),
        (weaker, stronger),
        unit="networks",
        size=lambda part: networks(part, weaker, stronger),
    )


TURNED = partial(centred, least=-1.0, most=1.0)
"""Claims 2 and 3 are differences of two shares of errors."""
ENDPOINTS = (
    step_of_order(NATURAL, GRAD_REG),
    step_of_order(NATURAL, N_FGSM),
    step_of_order(N_FGSM, PGD_AT),
    Endpoint("1a", "ln of lowest attack-trained / highest natural psi", separated, (NATURAL, *ATTACKED)),
    Endpoint("1b (primary)", "pairs of networks ordered as by accuracy", agreement, TRAINED, null=0.75,
             most=1.0, unit="pairs", size=pairs_counted),
    Endpoint("2", "errors between settings, all models, psi less PGD", settings_claim, side=-1,
             read=TURNED, unit="pairs", size=agreed),
    Endpoint("2", "the same without natural ones", partial(settings_claim, natural=False), TRAINED, side=-1,
             read=TURNED, unit="pairs", size=agreed),
    Endpoint("3", "errors at equal cost, all models, psi less PGD", cost_claim, side=-1,
             read=TURNED, unit="pairs", size=agreed),
    Endpoint("3", "the same without natural ones", partial(cost_claim, natural=False), TRAINED, side=-1,
             read=TURNED, unit="pairs", size=agreed),
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """An endpoint over the seeds; NaN and p = 1 where it is not defined in each of them."""

    value: float
    low: float
    high: float
    p: float
    each: tuple[tuple[float, float, float], ...] = ()
    """Value and interval over images of each seed."""


UNDEFINED = Judged(np.nan, np.nan, np.nan, 1.0)


def over_seeds(
    drawn: Float[np.ndarray, "resamples seeds"],
    null: float = 0.0,
    read: Callable[[np.ndarray], tuple[float, float, float]] = limits,
) -> Judged:
    """The mean over seeds, whose error has a part from images and one from seeds (crossed: each seed saw all images).

    The images' part is the spread of the resampled mean, the seeds' their standard error; Student's t with
    Satterthwaite's degrees of freedom. `read` gives a seed's own interval.
    """
    if not np.isfinite(drawn).all():
        return UNDEFINED
    images, seeds = drawn[1:].mean(1).var(), drawn[0].var(ddof=1) / drawn.shape[1]
    fine = seeds**2 / (drawn.shape[1] - 1)
    freedom = (images + seeds) ** 2 / fine if fine > 0 else np.inf
    value, deviation = drawn[0].mean(), np.sqrt(images + seeds)
    interval, _ = around(np.array([value]), np.array([deviation]), np.array([freedom]), LEVEL)
    off = abs(value - null)
    t = float(ratio(np.array(off), np.array(deviation))) if deviation > 0 else (np.inf if off > 0 else 0.0)
    p = 2 * float(stdtr(min(freedom, 1e9), -t))
    each = tuple(read(drawn[:, at]) for at in range(drawn.shape[1]))
    return Judged(float(value), float(interval.low[0]), float(interval.high[0]), p, each)


def part_of(endpoint: Endpoint, found: Mapping[Model, Measured], planned: Sequence[Model], seed: int) -> Part:
    """The models of a seed that an endpoint is drawn from: none if one was not run; a silent one takes no part."""
    wanted = [model for model in planned if model.seed == seed and model.training in endpoint.needs]
    there = all(model in found for model in wanted)
    return {model: found[model] for model in wanted if speaks(found[model])} if there else {}


def judge(endpoint: Endpoint, found: Mapping[Model, Measured], planned: Sequence[Model]) -> Judged:
    """An endpoint over all seeds; undefined if it is so in one of them."""
    drawn = []
    for seed in SEEDS:
        part = part_of(endpoint, found, planned, seed)
        made = endpoint.draw(part) if part else None
        if made is None:
            return UNDEFINED
        drawn.append(made)
    return over_seeds(np.stack(drawn, axis=1), endpoint.null, endpoint.read)


def made_of(endpoint: Endpoint, found: Mapping[Model, Measured], planned: Sequence[Model]) -> str:
    """How many models, networks or pairs an endpoint is drawn from in each seed: `networks 3, 2, 3`."""
    parts = [part_of(endpoint, found, planned, seed) for seed in SEEDS]
    return f"{endpoint.unit} {', '.join(str(endpoint.size(part)) if part else '-' for part in parts)}"


def judge_all(found: Mapping[Model, Measured], planned: Sequence[Model]) -> list[tuple[Endpoint, Judged, float]]:
    """Every endpoint with Holm's p within its claim."""
    made = [(endpoint, judge(endpoint, found, planned)) for endpoint in ENDPOINTS]
    adjusted = {}
    for claim in dict.fromkeys(endpoint.claim for endpoint in ENDPOINTS):
        family = [(endpoint, each) for endpoint, each in made if endpoint.claim == claim]
        for (endpoint, _), p in zip(family, holm(np.array([each.p for _, each in family])), strict=True):
            adjusted[endpoint] = float(p)
    return [(endpoint, each, adjusted[endpoint]) for endpoint, each in made]


def verdict(endpoint: Endpoint, found: Judged, p: float) -> str:
    """The rule: Holm's p and the interval must both say so."""
    if p >= ALPHA or not (found.low > endpoint.null or found.high < endpoint.null):
        return "undecided"
    return "holds" if (found.value - endpoint.null) * endpoint.side > 0 else "contradicted"


def counted(endpoint: Endpoint, found: Judged) -> str:
    """How many seeds say yes, no, and neither, by their own intervals over images."""
    signs = [((low > endpoint.null) - (high < endpoint.null)) * endpoint.side for _, low, high in found.each]
    return f"{signs.count(1)} / {signs.count(-1)} / {signs.count(0)}" if signs else "-"


def verdict_rows(found: Mapping[Model, Measured], planned: Sequence[Model]) -> list[Row]:
    """A row for each endpoint."""
    return [
        {"claim": endpoint.claim, "endpoint": endpoint.says, **by_seed(each),
         "drawn from": made_of(endpoint, found, planned),
         "mean": three(each.value, each.low, min(each.high, endpoint.most)),
         "claimed": f"{'above' if endpoint.side > 0 else 'below'} {endpoint.null:g}", "Holm's p": f"{p:.2g}",
         "seeds yes / no / open": counted(endpoint, each), "verdict": verdict(endpoint, each, p)}
        for endpoint, each, p in judge_all(found, planned)
    ]  # fmt: skip


def by_seed(found: Judged) -> Row:
    """Cells of the seeds."""
    each = found.each or [(np.nan,) * 3] * len(SEEDS)
    return {f"seed {seed}": three(*one) for seed, one in zip(SEEDS, each, strict=True)}


def three(value: float, low: float, high: float) -> str:
    """`1.23 [0.98, 1.45]`, or a dash."""
    return "-" if np.isnan(value) else f"{value:.3g} [{low:.3g}, {high:.3g}]"
