"""What the page of the study of psi describes of claims 2 and 3: orders of models that settings or few images turn."""

from collections.abc import Iterator, Mapping

import numpy as np

from weakspot.landscape.forms import CALIBRATION
from weakspot.recipes.psi_claims import Measured, seeds
from weakspot.recipes.psi_rankings import (
    BUDGETS,
    FIGURES,
    Ranked,
    cheapest,
    costs,
    drawn_settings,
    errors_of_data,
    ranked,
    turned_by_one_setting,
    turned_by_settings,
)
from weakspot.recipes.psi_resampling import centred, meaned, tau
from weakspot.recipes.psi_runs import Model
from weakspot.recipes.psi_verdicts import three
from weakspot.recipes.tables import Row, share

CALLED = {"psi": "psi (B)", "pgd": "accuracy under PGD"}


def judged(found: Mapping[Model, Measured]) -> Iterator[tuple[int, str, Ranked, str]]:
    """What both claims are described of: seed, which models, their rankings, and the figure."""
    for seed, part in seeds(found).items():
        for which, natural in (("all", True), ("not natural", False)):
            each = ranked(part, natural=natural)
            if each is not None:
                yield from ((seed, which, each, figure) for figure in FIGURES)


def settings(found: Mapping[Model, Measured]) -> Iterator[Row]:
    """Claim 2 by seed and figure, with and without natural models."""
    for seed, which, each, figure in judged(found):
        grid, values = each.grids[figure], drawn_settings(each, figure)
        reference = meaned(each.weights, grid.reference)[:, None]
        taus = tau(values, np.broadcast_to(reference, values.shape))
        moved = 1 / values[0] if figure == "psi" else 100 * (1 - values[0])
        spread = moved.max(0) / moved.min(0) if figure == "psi" else moved.max(0) - moved.min(0)
        yield {
            "seed": seed, "models": which, "figure": CALLED[figure],
            "pairs": int(np.abs(each.signs[0]).sum()), "settings": values.shape[1],
            "wrong, two settings": shares(turned_by_settings(each, figure)),
            "wrong, one setting": shares(turned_by_one_setting(each, figure)),
            "tau-b with its reference": three(*centred(taus.mean(1), -1.0, 1.0)),
            "moves by (median model)": f"a factor of {np.median(spread):.2f}" if figure == "psi"
            else f"{np.median(spread):.0f} points",
        }  # fmt: skip


def budgets(found: Mapping[Model, Measured]) -> Iterator[Row]:
    """Claim 3 by seed and figure: errors on each rung by the number of images, and what a reliable ranking costs."""
    for seed, which, each, figure in judged(found):
        drawn, spent = errors_of_data(each, figure), each.passes[figure]
        least = cheapest(each, figure, drawn)
        yield {
            "seed": seed, "models": which, "figure": CALLED[figure],
            "passes": ", ".join(f"{passes:.0f}" for passes in spent),
            **{f"wrong, {size} images": ", ".join(share(float(one)) for one in row)
               for size, row in zip(BUDGETS, drawn, strict=True)},
            "10 % wrong from": "not reached" if least is None else f"{least:,.0f} passes",
            "with form B's images": "-" if least is None else
            f"{least + (CALIBRATION if figure == 'psi' else 0):,.0f} passes",
            "compared at": ", ".join(f"{passes:.0f}" for passes in costs(each)),
        }  # fmt: skip


def shares(drawn: np.ndarray) -> str:
    """Per cent with an interval, of a share of errors."""
    value, low, high = centred(drawn, 0.0, 1.0)
    return f"{share(value)} [{share(low)}, {share(high)}]"
