"""The study's picture: robust accuracy on average against that of the worst class, by method."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from weakspot.recipes.drawing import svg
from weakspot.recipes.fairness_runs import BASE, LEADING, METHODS, SEEDS, name_of
from weakspot.report.explain_drawing import grid_lines, named, tidy
from weakspot.report.figures import CLEAN, INK, MUTED, ROBUST
from weakspot.run import Run


def picture(found: Mapping[str, Run]) -> str:
    """SVG: a mark for each method, the mean of its seeds, with a dot for each of them; TRADES's levels are lines."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name in METHODS:
        runs = [found[name_of(name, seed)] for seed in SEEDS if name_of(name, seed) in found]
        points = 100 * np.array([(run.robust["accuracy"], run.worst["accuracy"]) for run in runs if run.worst])
        if not len(points):
            continue
        x, y = points.mean(axis=0)
        colour = ROBUST if name == BASE else CLEAN if name in LEADING else MUTED
        axes.scatter(points[:, 0], points[:, 1], s=8, color=colour, zorder=2)
        for point in points:
            axes.plot((x, point[0]), (y, point[1]), color=colour, linewidth=0.6, zorder=1)
        axes.scatter(x, y, s=36, marker="D" if name in LEADING else "o", color=colour, zorder=3)
        seeds = f" ({len(points)} of {len(SEEDS)} seeds)" if name in LEADING and len(points) < len(SEEDS) else ""
        axes.annotate(
            f"{name}{seeds}",
            (x, y),
            xytext=(6, -12 if name == BASE else 4),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
        if name == BASE:
            if name_of(name, SEEDS[0]) in found:
                axes.scatter(points[0, 0], points[0, 1], s=50, facecolors="none", edgecolors=ROBUST, zorder=2)
            axes.axvline(x, color=ROBUST, linewidth=0.8, linestyle="--", zorder=1)
            axes.axhline(y, color=ROBUST, linewidth=0.8, linestyle="--", zorder=1)
    tidy(axes)
    grid_lines(axes, "both")
    named(axes, "robust accuracy (%)", "robust accuracy of the worst class (%)")
    return svg(figure)
