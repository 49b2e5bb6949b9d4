"""The study's picture: each class under attack and under corruptions, and how far it attracts errors, in all models."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weakspot.recipes.classwise_figures import figures
from weakspot.recipes.classwise_verdicts import of_data
from weakspot.recipes.drawing import svg
from weakspot.report.explain_drawing import grid_lines, named, plain, tidy
from weakspot.report.figures import CLEAN, INK, LINE, ROBUST
from weakspot.run import Run

COLUMNS = {
    "accuracy (%)": {"attacked": ("D", ROBUST, "under attack"), "corrupted": ("o", CLEAN, "under corruptions")},
    "CFPS (%)": {"cfps": ("D", ROBUST, "under attack"), "cfps corrupted": ("o", CLEAN, "under corruptions")},
}  # fmt: skip


def picture(part: Mapping[str, Run], sets: Sequence[str]) -> str:
    """SVG: a row of panels for each data set; a mark is the mean of the models that take part, a line their range."""
    by_data = {data: [run for runs in of_data(part, data).values() for run in runs] for data in sets}
    shown = {data: runs for data, runs in by_data.items() if runs}
    height = sum(0.26 * len(runs[0].classes) for runs in shown.values())
    figure = Figure(figsize=(7.2, 0.6 + height), layout="constrained")
    panels = figure.subplots(max(1, len(shown)), len(COLUMNS), squeeze=False)
    for row, (data, runs) in zip(panels, shown.items(), strict=False):
        values = [figures(run) for run in runs]
        names = [entry["name"] for entry in runs[0].classes]
        order = np.argsort(-np.mean([each["attacked"] for each in values], axis=0), kind="stable")
        for axes, (title, marks) in zip(row, COLUMNS.items(), strict=True):
            for aside, (figure_name, mark) in zip((0.14, -0.14), marks.items(), strict=True):
                _spread(axes, 100 * np.array([each[figure_name][order] for each in values]), aside, *mark)
            if title.startswith("CFPS"):
                axes.axvline(100 / len(names), color=INK, linewidth=0.8, zorder=0)
            tidy(axes)
            axes.set_yticks(range(len(names)), labels=[plain(names[c]) for c in order] if axes is row[0] else [])
            axes.set_xlim(left=0)
            grid_lines(axes, "x")
            named(axes, title, "")
        row[0].set_title(f"{data}, {len(runs)} models", fontsize=8, color=INK, loc="left")
    if shown:
        marks_of = panels[0, 0].get_legend_handles_labels()
        figure.legend(*marks_of, frameon=False, loc="outside upper right", ncols=2, fontsize=8)
    return svg(figure)


def _spread(axes: Axes, values: np.ndarray, aside: float, marker: str, colour: str, label: str) -> None:
    """The classes of several models (models, K): mean and range."""
    rows, mean = np.arange(values.shape[1]) + aside, values.mean(axis=0)
    axes.hlines(rows, values.min(axis=0), values.max(axis=0), color=colour, linewidth=1.2)
    axes.scatter(mean, rows, s=22, marker=marker, color=colour, label=label, zorder=2, edgecolors=LINE, linewidths=0.4)
