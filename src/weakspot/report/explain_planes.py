"""Pictures of surfaces: their mean from above and in three dimensions, profiles, classes, single images."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from weakspot.analysis.shape import along, spread
from weakspot.report.explain_drawing import (
    COLOURS,
    STYLES,
    SURFACES,
    ball_of,
    colour_bar,
    contour,
    grid_lines,
    named,
    plain,
    scale_of,
    tidy,
)
from weakspot.report.explain_summary import Columns
from weakspot.report.figures import INK, MUTED

CLASSES, COLUMNS = 20, 5
"""Classes in small multiples at most, and how many stand in a row."""

MEAN_CAPTION = (
    "Means over images, all models on one scale; that of the cross-entropy begins at the lowest value shown. Steps are "
    "in units of the radius. Dashed: the ball; black: the decision boundary S = 0 of the mean; +: the image itself."
)
PROFILE_CAPTION = (
    "Along each direction: mean (line) and the range between the 10 % and 90 % quantiles of images (band). Grey lines: "
    "the ball's border."
)
CLASSES_CAPTION = (
    "The mean of each class's n images on one scale, weakest class (psi, form B) first. Dashed: the ball; black: S = 0."
)
EXAMPLES_CAPTION = (
    "Single images, the first of each of the first classes: the decision surface, and where one was searched the "
    "attack's path."
)
PARAMETER_CAPTION = (
    "Left the mean cross-entropy over two directions of the input, right over two filter-normalised directions of the "
    "parameters, each column on one scale. The source of psi argues that only the left one follows robustness."
)


def called(direction: str) -> str:
    """A direction as an axis title, in units of the radius."""
    kind, _, target = direction.partition(":")
    words = {
        "gradient": "loss gradient",
        "random": "random direction",
        "attack": "adversarial direction",
        "towards": f"gradient towards {target}",
        "mean": f"to the mean of {target}",
    }
    return f"{words.get(kind, direction)} (radii)"


def axes_of(pair: str) -> tuple[str, str]:
    """Both directions' axis titles."""
    first, _, second = pair.partition(",")
    return called(first), called(second)


def mean_figure(pair: str, grids: Sequence[Columns], labels: Sequence[str]) -> Figure:
    """A row for each model: both surfaces from above, and the decision surface in three dimensions."""
    means = [{name: spread(each[name].astype(float)).mean for name in SURFACES} for each in grids]
    scales = {name: scale_of(name, [mean[name] for mean in means]) for name in SURFACES}
    figure = Figure(figsize=(11, 3.5 * len(grids)), layout="constrained")
    parts = figure.subfigures(len(grids), 1, squeeze=False)[:, 0]
    for part, each, mean, label in zip(parts, grids, means, labels, strict=True):
        part.suptitle(plain(label, 60), fontsize=10, color=INK)
        flat = [part.add_subplot(1, 3, at) for at in (1, 2)]
        for axes, surface in zip(flat, SURFACES, strict=True):
            steps = (each["first"], each["second"])
            contour(axes, steps, mean[surface], mean["decision"], surface, scales[surface], ball_of(each["outline"]))
            named(axes, *axes_of(pair))
            colour_bar(part, axes, surface, scales[surface])
        _solid(part, each, mean["decision"], scales["decision"], pair)
    return figure


def _solid(part: SubFigure, grids: Columns, mean: np.ndarray, scale: Normalize, pair: str) -> None:
    """The decision surface in three dimensions."""
    # By their own order, or the surface covers most of the boundary, which lies in it.
    axes = part.add_subplot(1, 3, 3, projection="3d", computed_zorder=False)
    first, second = np.meshgrid(grids["first"], grids["second"], indexing="ij")
    axes.plot_surface(
        first, second, mean, cmap=SURFACES["decision"][1], norm=scale, linewidth=0, rcount=41, ccount=41,
    )  # fmt: skip
    if np.nanmin(mean) < 0 < np.nanmax(mean):
        axes.contour(first, second, mean, levels=[0], colors=INK, linewidths=1.4, zorder=3)
    axes.view_init(elev=28, azim=-50)
    axes.set_zlim(scale.vmin, scale.vmax)
    axes.tick_params(labelsize=6, colors=MUTED, pad=-2)
    across, along_second = axes_of(pair)
    axes.set_xlabel(plain(across), fontsize=7, color=MUTED, labelpad=-4)
    axes.set_ylabel(plain(along_second), fontsize=7, color=MUTED, labelpad=-4)
    axes.set_zlabel(SURFACES["decision"][0], fontsize=7, color=MUTED, labelpad=-4)


def profile_figure(pair: str, grids: Sequence[Columns], labels: Sequence[str]) -> Figure:
    """Rows: both surfaces; columns: both directions; a line for each model."""
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    panels = figure.subplots(2, 2, sharex="col", sharey="row")
    for row, surface in zip(panels, SURFACES, strict=True):
        for at, (each, label) in enumerate(zip(grids, labels, strict=True)):
            lines = along(each[surface].astype(float), each["first"], each["second"])
            for axes, line, steps in zip(row, lines, (each["first"], each["second"]), strict=True):
                found = spread(line)
                axes.fill_between(steps, found.quantiles[0], found.quantiles[2], color=COLOURS[at], alpha=0.15, lw=0)
                axes.plot(steps, found.mean, STYLES[at], color=COLOURS[at], linewidth=1.8, label=plain(label))
        for axes in row:
            for border in (-1, 1):
                axes.axvline(border, color=MUTED, linewidth=0.8)
            if surface == "decision":
                axes.axhline(0, color=INK, linewidth=1)
            tidy(axes)
            grid_lines(axes, "y")
        named(row[0], "", SURFACES[surface][0])
    for axes, title in zip(panels[1], axes_of(pair), strict=True):
        named(axes, title, axes.get_ylabel())
    if len(labels) > 1:
        figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def _shown(grids: Columns, order: Sequence[int]) -> tuple[list[int], int]:
    """The classes of the small multiples, and how many have images."""
    present = set(grids["label"].tolist())
    there = [c for c in order if c in present]
    return there[:CLASSES], len(there)


def classes_said(grids: Columns, order: Sequence[int], classes: int) -> str:
    """Which classes the small multiples show, where they leave some out."""
    shown, there = _shown(grids, order)
    if len(shown) == classes:
        return ""
    return f" Shown are the {len(shown)} weakest of the {there:,} classes that have images here, of {classes:,} in all."


def classes_figure(
    pair: str, grids: Sequence[Columns], labels: Sequence[str], names: Sequence[str], order: Sequence[int]
) -> Figure:
    """Small multiples: the mean decision surface of each class, a block of rows for each model."""
    shown, there = _shown(grids[0], order)
    means = [[spread(each["decision"][each["label"] == c].astype(float)).mean for c in shown] for each in grids]
    scale = scale_of("decision", [mean for model in means for mean in model])
    rows, columns = -(-len(shown) // COLUMNS), min(COLUMNS, max(1, len(shown)))
    figure = Figure(figsize=(2.1 * columns + 1.2, (2.1 * rows + 0.5) * len(grids)), layout="constrained")
    parts = figure.subfigures(len(grids), 1, squeeze=False)[:, 0]
    for part, each, model, label in zip(parts, grids, means, labels, strict=True):
        some = f": the {len(shown)} weakest of {there:,} classes with images here" if len(shown) < there else ""
        part.suptitle(plain(label, 60) + some, fontsize=10, color=INK)
        panels = part.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for at, axes in enumerate(panels.flat):
            if at >= len(shown):
                axes.set_visible(False)
                continue
            mine = each["label"] == shown[at]
            ball = ball_of(each["outline"][mine])
            contour(axes, (each["first"], each["second"]), model[at], model[at], "decision", scale, ball)
            axes.set_title(f"{plain(names[shown[at]], 18)} (n = {mine.sum():,})", fontsize=8, color=INK, pad=3)
        across, up = axes_of(pair)
        part.supxlabel(plain(across), fontsize=8, color=MUTED)
        part.supylabel(plain(up), fontsize=8, color=MUTED)
        colour_bar(part, panels, "decision", scale)
    return figure


def examples_figure(pair: str, grids: Sequence[Columns], labels: Sequence[str], names: Sequence[str]) -> Figure | None:
    """Single images with their decision surfaces; None where no image is stored."""
    shown = grids[0]["shown"]
    if not len(shown):
        return None
    scale = scale_of("decision", [each["decision"][shown] for each in grids])
    figure = Figure(figsize=(2.0 * len(shown) + 1.2, 1.3 + 2.2 * len(grids)), layout="constrained")
    panels = figure.subplots(
        1 + len(grids), len(shown), squeeze=False, height_ratios=[0.6, *([1] * len(grids))]
    )  # fmt: skip
    for at, row in enumerate(shown):
        picture = grids[0]["pictures"][at].transpose(1, 2, 0)
        panels[0, at].imshow(picture if picture.shape[2] == 3 else picture[:, :, 0], cmap="gray", vmin=0, vmax=255)
        panels[0, at].set_axis_off()
        panels[0, at].set_title(plain(names[int(grids[0]["label"][row])], 20), fontsize=8, color=INK)
        for axes, each in zip(panels[1:, at], grids, strict=True):
            surface = each["decision"][row]
            contour(axes, (each["first"], each["second"]), surface, surface, "decision", scale, each["outline"][row])
            axes.tick_params(labelleft=at == 0, labelbottom=each is grids[-1])
            path = each["path"][row]
            axes.plot(path[:, 0], path[:, 1], color="#f0c808", linewidth=1.3, marker=".", markersize=3.5,
                      markeredgecolor=INK, markeredgewidth=0.3)  # fmt: skip
    across, up = axes_of(pair)
    for axes, label in zip(panels[1:, 0], labels, strict=True):
        axes.set_ylabel(plain(f"{label}: {up}" if len(labels) > 1 else up, 48), fontsize=7, color=MUTED)
    figure.supxlabel(plain(across), fontsize=8, color=MUTED)
    colour_bar(figure, panels[1:], "decision", scale)
    return figure


def parameter_figure(
    pair: str, grids: Sequence[Columns], parameters: Sequence[Columns], labels: Sequence[str]
) -> Figure:
    """A row for each model: the mean cross-entropy over the input, and over the parameters."""
    inputs = [spread(each["cross_entropy"].astype(float)).mean for each in grids]
    weights = [each["cross_entropy"][0].astype(float) for each in parameters]
    scales = [scale_of("cross_entropy", inputs), scale_of("cross_entropy", weights)]
    figure = Figure(figsize=(8, 3.4 * len(grids)), layout="constrained")
    panels = figure.subplots(len(grids), 2, squeeze=False)
    for row, each, other, one, two, label in zip(panels, grids, parameters, inputs, weights, labels, strict=True):
        margins = (spread(each["decision"].astype(float)).mean, other["decision"][0])
        outline = ball_of(each["outline"])
        for axes, steps, mean, decision, scale, ball in zip(
            row, (each, other), (one, two), margins, scales, (outline, None), strict=True
        ):
            contour(axes, (steps["first"], steps["second"]), mean, decision, "cross_entropy", scale, ball)
            colour_bar(figure, axes, "cross_entropy", scale)
        across, up = axes_of(pair)
        named(row[0], across, up)
        named(row[1], "first direction (filter lengths)", "second direction (filter lengths)")
        row[0].set_title(plain(f"{label}: input", 48), fontsize=9, color=INK)
        row[1].set_title(plain(f"{label}: parameters", 48), fontsize=9, color=INK)
    return figure
