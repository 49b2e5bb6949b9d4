"""The figures of the study of psi: psi against accuracy under attack, and one image's decision surface by training."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from weakspot.explaining.files import Table
from weakspot.recipes.drawing import svg
from weakspot.recipes.psi_claims import PRIMARY_FORM, Measured, weights_of
from weakspot.recipes.psi_resampling import limits, meaned, psi_of
from weakspot.recipes.psi_runs import GRAD_REG, N_FGSM, NATURAL, PGD_AT, TRADES, TRAININGS, Model
from weakspot.recipes.psi_surfaces import example
from weakspot.report.explain_drawing import colour_bar, contour, grid_lines, named, scale_of, tidy
from weakspot.report.figures import CLEAN, INK, MUTED, OTHERS, ROBUST

COLOURS = {NATURAL: MUTED, GRAD_REG: OTHERS[2], N_FGSM: CLEAN, PGD_AT: ROBUST, TRADES: OTHERS[0]}
MARKERS = ("o", "s", "D")
"""Of the networks, from small to large."""


def against_accuracy(found: Mapping[Model, Measured], sizes: Sequence[str]) -> str:
    """SVG: psi (form B) of every model that takes part against its accuracy under attack, both with intervals."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    markers = dict(zip(sizes, MARKERS, strict=True))
    for model, each in found.items():
        weights = weights_of({model: each})
        x, psi = (
            limits(100 * meaned(weights, each.psi["withstood"])),
            limits(psi_of(weights, each.psi[PRIMARY_FORM])),
        )
        axes.errorbar(
            x[0], psi[0], xerr=[[x[0] - x[1]], [x[2] - x[0]]], yerr=[[psi[0] - psi[1]], [psi[2] - psi[0]]],
            fmt=markers[model.size], color=COLOURS[model.training], markersize=5, linewidth=0.8, alpha=0.85,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    tidy(axes)
    grid_lines(axes, "both")
    named(axes, "accuracy under attack (%)", "psi, form B (1 / nats)")
    shown = [Line2D([], [], color=colour, marker="o", linestyle="", label=TRAININGS[each])
             for each, colour in COLOURS.items()]  # fmt: skip
    shown += [Line2D([], [], color=INK, marker=marker, linestyle="", label=size) for size, marker in markers.items()]
    figure.legend(handles=shown, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return svg(figure)


def surfaces_of_one(found: Mapping[Model, Table], classes: Sequence[str]) -> str:
    """SVG: the decision surface of one image by each of these models, on one scale; `psi_surfaces.example` chose it."""
    tables = list(found.values())
    at = example(tables)
    scale = scale_of("decision", [each["plane/decision"][at] for each in tables])
    figure = Figure(figsize=(2.1 * len(tables) + 0.8, 2.6), layout="constrained")
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    for axes, (model, each) in zip(panels, found.items(), strict=True):
        decision = each["plane/decision"][at]
        steps = each["plane/first"], each["plane/second"]
        contour(axes, steps, decision, decision, "decision", scale, each["plane/outline"][at])
        axes.set_title(TRAININGS[model.training], fontsize=8, color=INK)
        named(axes, "loss gradient (radii)", "random signs (radii)" if axes is panels[0] else "")
    colour_bar(figure, list(panels), "decision", scale)
    label = classes[int(tables[0]["plane/label"][at])]
    figure.suptitle(f"{label}, image {int(tables[0]['plane/sample'][at])} of the test split", fontsize=9, color=INK)
    return svg(figure)
