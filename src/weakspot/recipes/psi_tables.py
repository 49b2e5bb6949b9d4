"""What the page of the study of psi describes beside its verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from weakspot.analysis.intervals import wilson
from weakspot.analysis.psi import Figure, PsiFigures, psi_figures
from weakspot.explaining.files import Table
from weakspot.explaining.measure import FORMS
from weakspot.recipes.psi_claims import (
    Draw,
    Measured,
    Part,
    agreement,
    known_pairs,
    order_by_size,
    pairs_counted,
    seeds,
    separated,
    weights_of,
)
from weakspot.recipes.psi_resampling import limits, meaned
from weakspot.recipes.psi_runs import GRAD_REG, N_FGSM, NATURAL, PGD_AT, SEEDS, TRADES, TRAININGS, Model
from weakspot.recipes.psi_verdicts import three
from weakspot.recipes.tables import Row, percent, share

ORDERS = ((NATURAL, GRAD_REG), (NATURAL, N_FGSM), (GRAD_REG, N_FGSM), (N_FGSM, PGD_AT), (PGD_AT, TRADES))


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


def models(
    found: Mapping[Model, Measured], seconds: Mapping[Model, float], surfaces: Mapping[Model, Table]
) -> Iterator[Row]:
    """A row for each model: accuracies in per cent, psi, and what it took."""
    for model, each in found.items():
        whole = {form: entry.inverse_mean for form, (entry, _) in figures(each).items()}
        files = [each.psi, each.grid, *([surfaces[model]] if model in surfaces else [])]
        yield {
            "model": model.name,
            **{title: accuracy(each.psi[key]) for key, title in
               (("clean", "clean"), ("attacked", "PGD-20"), ("withstood", "under attack"))},
            **{f"psi {form}": three(one.value, one.low, one.high) for form, one in whole.items()},
            "training s": f"{seconds[model]:.0f}",
            **{f"measuring, {title}": f"{sum(float(file[key]) for file in files):.0f}"
               for key, title in (("cpu_s", "processor s"), ("wall_s", "s passed"))},
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


def figures(found: Measured) -> dict[str, tuple[PsiFigures, list[PsiFigures]]]:
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
