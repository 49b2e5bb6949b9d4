"""What the page of the study of psi describes beside its verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from weakspot.analysis.intervals import wilson
from weakspot.analysis.psi import Figure, psi_figures
from weakspot.explaining.measure import FORMS
from weakspot.landscape.forms import CALIBRATION
from weakspot.recipes.psi_claims import (
    Draw,
    Measured,
    Part,
    agreement,
    known_pairs,
    order_by_size,
    pairs_counted,
    separated,
    weights_of,
)
from weakspot.recipes.psi_rankings import (
    BUDGETS,
    FIGURES,
    cheapest,
    costs,
    drawn_settings,
    errors_of_data,
    ranked,
    turned_by_one_setting,
    turned_by_settings,
)
from weakspot.recipes.psi_resampling import centred, limits, meaned, tau
from weakspot.recipes.psi_runs import GRAD_REG, N_FGSM, NATURAL, PGD_AT, SEEDS, TRADES, TRAININGS, Model
from weakspot.recipes.psi_verdicts import three
from weakspot.recipes.tables import Row, percent, share

CALLED = {"psi": "psi (B)", "pgd": "accuracy under PGD"}
ORDERS = ((NATURAL, GRAD_REG), (NATURAL, N_FGSM), (GRAD_REG, N_FGSM), (N_FGSM, PGD_AT), (PGD_AT, TRADES))


def seeds(found: Mapping[Model, Measured]) -> dict[int, Part]:
    """The models of each seed that are there."""
    by_seed = {seed: {model: each for model, each in found.items() if model.seed == seed} for seed in SEEDS}
    return {seed: part for seed, part in by_seed.items() if part}


def orders(found: Mapping[Model, Measured]) -> Iterator[Row]:
    """Each step by network: ln of the ratio of psi, and accuracy under attack, last less first, in points."""
    parts = seeds(found)
    sizes = dict.fromkeys(model.size for model in found)
    for weaker, stronger in ORDERS:
        for size in sizes:
            cells = {f"seed {seed}": "-" for seed in SEEDS}
            for seed, part in parts.items():
                weights = weights_of(part)
                ratio = order_by_size(part, weights, weaker, stronger).get(size)
                if ratio is not None:
                    one, two = (part[Model(size, each, seed)].psi["withstood"] for each in (weaker, stronger))
                    points = limits(100 * (meaned(weights, two) - meaned(weights, one)))
                    cells[f"seed {seed}"] = (
                        f"{three(*limits(ratio))}; {points[0]:+.1f} [{points[1]:.1f}, {points[2]:.1f}]"
                    )
            yield {"step": f"{TRAININGS[weaker]} < {TRAININGS[stronger]}", "network": size, **cells}


def forms(found: Mapping[Model, Measured]) -> Iterator[Row]:
    """Claim 1 in every form: by seed, with intervals of images."""
    parts = seeds(found)
    for form in FORMS:
        figures: dict[str, Draw] = {
            "ln of lowest attack-trained / highest natural": partial(separated, form=form),
            "ordered as by accuracy, pairs of networks": partial(agreement, form=form),
            "the same, pairs of one network": partial(agreement, form=form, across=False),
            "pairs of networks, natural ones as well": partial(agreement, form=form, natural=True),
        }
        for title, draw in figures.items():
            yield {"form": form, "figure": title, **by_seed(parts, draw)}


def by_seed(parts: Mapping[int, Part], draw: Draw) -> Row:
    """Cells of the seeds."""
    cells = {f"seed {seed}": "-" for seed in SEEDS}
    for seed, part in parts.items():
        drawn = draw(part)
        if drawn is not None:
            cells[f"seed {seed}"] = three(*limits(drawn))
    return cells


def settings(found: Mapping[Model, Measured]) -> Iterator[Row]:
    """Claim 2 by seed and figure, with and without natural models."""
    for seed, part in seeds(found).items():
        for natural in (True, False):
            each = ranked(part, natural=natural)
            for figure in FIGURES if each is not None else ():
                assert each is not None, "only then there are figures"
                grid, values = each.grids[figure], drawn_settings(each, figure)
                reference = meaned(each.weights, grid.reference)[:, None]
                taus = tau(values, np.broadcast_to(reference, values.shape))
                moved = 1 / values[0] if figure == "psi" else 100 * (1 - values[0])
                spread = moved.max(0) / moved.min(0) if figure == "psi" else moved.max(0) - moved.min(0)
                yield {
                    "seed": seed, "models": "all" if natural else "not natural", "figure": CALLED[figure],
                    "pairs": int(np.abs(each.signs[0]).sum()), "settings": values.shape[1],
                    "wrong, two settings": shares(turned_by_settings(each, figure)),
                    "wrong, one setting": shares(turned_by_one_setting(each, figure)),
                    "tau-b with its reference": three(*centred(taus.mean(1), -1.0, 1.0)),
                    "moves by (median model)": f"a factor of {np.median(spread):.2f}" if figure == "psi"
                    else f"{np.median(spread):.0f} points",
                }  # fmt: skip


def budgets(found: Mapping[Model, Measured]) -> Iterator[Row]:
    """Claim 3 by seed and figure: errors on each rung by the number of images, and what a reliable ranking costs."""
    for seed, part in seeds(found).items():
        for natural in (True, False):
            each = ranked(part, natural=natural)
            for figure in FIGURES if each is not None else ():
                assert each is not None, "only then there are figures"
                drawn, spent = errors_of_data(each, figure), each.passes[figure]
                least = cheapest(each, figure, drawn)
                yield {
                    "seed": seed, "models": "all" if natural else "not natural", "figure": CALLED[figure],
                    "passes": ", ".join(f"{passes:.0f}" for passes in spent),
                    **{f"wrong, {size} images": ", ".join(share(float(one)) for one in row)
                       for size, row in zip(BUDGETS, drawn, strict=True)},
                    "10 % wrong from": "not reached" if least is None else f"{least:,.0f} passes",
                    "with form B's images": "-" if least is None else
                    f"{least + (CALIBRATION if figure == 'psi' else 0):,.0f} passes",
                    "compared at": ", ".join(f"{passes:.0f}" for passes in costs(each)),
                }  # fmt: skip


def telling(found: Mapping[Model, Measured]) -> Iterator[Row]:
    """How many pairs of models each figure tells apart on the same images."""
    for seed, part in seeds(found).items():
        psi, accuracy, pairs = known_pairs(part)
        yield {
            "seed": seed, "pairs": pairs, "psi (B) tells apart": psi, "accuracy under attack": accuracy,
            "counted in claim 1b": pairs_counted(part),
        }  # fmt: skip


def scales(found: Mapping[Model, Measured]) -> Iterator[Row]:
    """What multiplying the logits by ten does to the mean divergence of a few images."""
    for form in FORMS:
        factors = [float(each.psi[f"tenfold_{form}"]) for each in found.values()]
        if factors:
            yield {"form": form, "mean divergence, as a multiple": f"{min(factors):.6g} to {max(factors):.6g}"}


def models(found: Mapping[Model, Measured], seconds: Mapping[Model, float]) -> Iterator[Row]:
    """A row for each model: accuracies in per cent and psi."""
    for model, each in found.items():
        whole = {form: entry.inverse_mean for form, (entry, _) in figures(each).items()}
        yield {
            "model": model.name,
            **{title: accuracy(each.psi[key]) for key, title in
               (("clean", "clean"), ("attacked", "PGD-20"), ("withstood", "under attack"))},
            **{f"psi {form}": three(one.value, one.low, one.high) for form, one in whole.items()},
            "training s": f"{seconds[model]:.0f}", "measuring CPU s": f"{float(each.grid['seconds']):.0f}",
        }  # fmt: skip


def entries(found: Mapping[Model, Measured], names: Sequence[str]) -> Iterator[Row]:
    """A row for each model, form and class, "all" among them, as CSV."""
    for model, each in found.items():
        for form, (overall, by_class) in figures(each).items():
            label = each.psi["label"]
            for c, (name, entry) in enumerate(zip(("all", *names), (overall, *by_class), strict=True)):
                mine = np.full(len(label), True) if c == 0 else label == c - 1
                yield {
                    "network": model.size, "training": model.training, "seed": model.seed, "form": form, "class": name,
                    "images": entry.samples,
                    **{key: share(float(each.psi[key][mine].mean())) for key in ("clean", "attacked", "withstood")},
                    **limited("psi", entry.inverse_mean), **limited("median", entry.median),
                    "low_quantile": f"{entry.low_quantile.value:.4g}", "still": entry.still,
                }  # fmt: skip


def figures(found: Measured) -> dict[str, tuple]:  # type: ignore[type-arg]
    """Psi overall and of each class, by form."""
    label = found.psi["label"]
    return {form: psi_figures(found.psi[form], label, int(label.max()) + 1, seed=0) for form in FORMS}


def limited(name: str, each: Figure) -> Row:
    """A figure and its limits as columns."""
    return {name: f"{each.value:.4g}", f"{name}_low": f"{each.low:.4g}", f"{name}_high": f"{each.high:.4g}"}


def accuracy(right: np.ndarray) -> str:
    """Per cent with its Wilson interval."""
    interval = wilson(np.array(right.sum()), np.array(len(right)))
    return percent({"accuracy": float(right.mean()), "low": float(interval.low), "high": float(interval.high)})


def shares(drawn: np.ndarray) -> str:
    """Per cent with an interval, of a share of errors."""
    value, low, high = centred(drawn, 0.0, 1.0)
    return f"{share(value)} [{share(low)}, {share(high)}]"
