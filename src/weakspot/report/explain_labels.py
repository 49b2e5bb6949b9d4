"""Numbers beside the points of a scatter plot, none over another, and the list of the names that they stand for."""

from collections.abc import Sequence
from math import cos, pi, sin

import numpy as np
from matplotlib.axes import Axes

from weakspot.report.explain_drawing import plain
from weakspot.report.figures import INK, MUTED

SIZE = 7.0
"""Of the letters, in points."""
WIDE, HIGH = 0.68, 1.25
"""A digit's box as shares of SIZE, a little more than it takes."""
RINGS = (7, 11, 16, 22, 29, 37, 46, 56, 67)
"""How far from its point a number may stand, in points; beyond the first ring a line leads to it."""
ANGLES = 16
DOT = 3.5
"""Half of a point's mark, in points."""


def number_points(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Write each text beside its point (x, y, text) where it is free; the axes have their place and limits already."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    scale = 72 / figure.dpi
    at = axes.transData.transform(np.array([(x, y) for x, y, _ in points], float).reshape(-1, 2)) * scale
    frame = np.array(axes.get_window_extent().extents) * scale
    taken = [np.array([x - DOT, y - DOT, x + DOT, y + DOT]) for x, y in at]
    for (x, y, text), place in zip(points, at, strict=True):
        half = np.array([WIDE * SIZE * len(text), HIGH * SIZE]) / 2
        ring, aside = _free(place, half, taken, frame)
        taken.append(np.concatenate([place + aside - half, place + aside + half]))
        axes.annotate(
            text, (x, y), xytext=tuple(aside), textcoords="offset points", fontsize=SIZE, color=INK, ha="center",
            va="center", annotation_clip=False,
            arrowprops=None if ring == 0 else {"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkA": 1},
        ).set_in_layout(False)  # fmt: skip


def _free(place: np.ndarray, half: np.ndarray, taken: list[np.ndarray], frame: np.ndarray) -> tuple[int, np.ndarray]:
    """The nearest ring on which the box is free and inside the axes, and its offset; the last one where none is."""
    aside = np.zeros(2)
    for ring, far in enumerate(RINGS):
        for turn in range(ANGLES):
            angle = pi / 4 + 2 * pi * turn / ANGLES
            aside = np.array([far * cos(angle), far * sin(angle)])
            low, high = place + aside - half, place + aside + half
            inside = (low >= frame[:2]).all() and (high <= frame[2:]).all()
            if inside and not any((low < box[2:]).all() and (high > box[:2]).all() for box in taken):
                return ring, aside
    return len(RINGS) - 1, aside


def list_names(axes: Axes, names: Sequence[tuple[str, str]]) -> None:
    """A column of number and name in axes without a frame."""
    axes.set_axis_off()
    for row, (number, name) in enumerate(names):
        y = 1 - row / max(16, len(names))
        axes.text(0.12, y, number, fontsize=SIZE, color=INK, ha="right", va="top", transform=axes.transAxes)
        axes.text(0.18, y, plain(name, 18), fontsize=SIZE, color=INK, va="top", transform=axes.transAxes)
