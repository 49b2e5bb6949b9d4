"""What all pictures of an explanation share: colours, scales, the ball on a surface, and how a file is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from weakspot.report.figures import CLEAN, INK, LINE, MUTED, ROBUST, SCALE, shortened
from weakspot.store import write_atomically

COLOURS, MARKERS, STYLES = (ROBUST, CLEAN), ("D", "o"), ("-", "--")
"""Of the model and of the one beside it."""
ENTROPY = LinearSegmentedColormap.from_list("entropy", list(SCALE))
"""Dark where the loss is high."""
DECISION = LinearSegmentedColormap.from_list("decision", ["#7d2f02", "#dd8347", "#f6f5f1", "#5aa9d6", "#00456e"])
"""Blue where the class is kept, orange where it is lost, pale at the boundary."""
SURFACES = {"cross_entropy": ("cross-entropy (nats)", ENTROPY), "decision": ("margin S (logits)", DECISION)}
LEVELS = 20
DPI = 130


def scale_of(surface: str, grids: Sequence[np.ndarray]) -> Normalize:
    """One scale for several grids: of the decision surface even around 0, else from the lowest to the highest value."""
    values = np.concatenate([np.ravel(each) for each in grids])
    values = values[np.isfinite(values)]
    if surface == "decision" or not len(values):
        top = float(np.abs(values).max(initial=0)) or 1.0
        return Normalize(-top, top) if surface == "decision" else Normalize(0, top)
    low, top = float(values.min()), float(values.max())
    # Where all values are one there is nothing to tell apart, but a scale has two ends.
    return Normalize(low, top if top - low > 1e-6 * max(1.0, abs(top)) else low + 1)


def colour_bar(figure: Figure | SubFigure, axes: Any, surface: str, scale: Normalize) -> None:
    """The scale of a surface beside its axes."""
    label, colours = SURFACES[surface]
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, shrink=0.85, aspect=24, pad=0.02)
    bar.set_label(label, fontsize=8, color=MUTED)
    bar.ax.tick_params(labelsize=7, length=0)
    bar.outline.set_visible(False)


def contour(
    axes: Axes,
    steps: tuple[np.ndarray, np.ndarray],
    shown: np.ndarray,
    decision: np.ndarray,
    surface: str,
    scale: Normalize,
    outline: np.ndarray | None,
) -> None:
    """A surface from above, with the ball (dashed) and the decision boundary S = 0 (black) drawn in.

    `shown` and `decision` have shape (first, second); the first direction runs to the right.
    """
    _, colours = SURFACES[surface]
    first, second = steps
    levels = np.linspace(float(scale.vmin or 0), float(scale.vmax or 1), LEVELS + 1)
    axes.contourf(first, second, shown.T, levels=levels, cmap=colours, norm=scale, extend="both")
    if np.nanmin(decision, initial=np.inf) < 0 < np.nanmax(decision, initial=-np.inf):
        axes.contour(first, second, decision.T, levels=[0], colors=INK, linewidths=1.6)
    axes.plot(0, 0, marker="+", color=INK, markersize=7)
    if outline is not None and len(outline):
        drawn = np.clip(outline, 2 * first[0], 2 * first[-1])
        drawn = np.concatenate([drawn, drawn[:1]])
        axes.plot(drawn[:, 0], drawn[:, 1], linestyle="--", color=INK, linewidth=1)
    axes.set_xlim(first[0], first[-1])
    axes.set_ylim(second[0], second[-1])
    # Few and fixed: matplotlib spends most of its time on numbers beside small pictures.
    axes.set_xticks(_ticks(first))
    axes.set_yticks(_ticks(second))
    axes.set_aspect("equal")
    tidy(axes)


def _ticks(steps: np.ndarray) -> list[float]:
    """The middle, half way and the ends."""
    end = float(steps[-1])
    return [-end, -end / 2, 0.0, end / 2, end]


def ball_of(outlines: np.ndarray) -> np.ndarray:
    """The median outline of several images, ray by ray."""
    return np.median(outlines, axis=0) if len(outlines) else outlines.reshape(0, 2)


def tidy(axes: Axes) -> None:
    """No frame, no ticks, small numbers."""
    axes.tick_params(which="both", length=0, labelsize=7, colors=MUTED)
    for spine in axes.spines.values():
        spine.set_visible(False)


def logarithmic(axes: Axes) -> None:
    """A logarithmic x axis with plain numbers, for what is drawn already."""

    def between(value: float, _: int) -> str:
        low, high = axes.get_xlim()
        shown = "235" if high < 15 * low else "25" if high < 100 * low else "3" if high < 1000 * low else ""
        return f"{value:g}" if f"{value:e}"[0] in shown else ""

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high < 8 * low:  # so short that three of 1, 2, 3 and 5 times a power of ten need not lie on it
        axes.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=3))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_minor_formatter(FuncFormatter(between))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def named(axes: Axes, across: str, up: str) -> None:
    """Axis titles; class names may stand in them."""
    axes.set_xlabel(plain(across), fontsize=8, color=MUTED)
    axes.set_ylabel(plain(up), fontsize=8, color=MUTED)


def plain(text: str, longest: int = 40) -> str:
    """A text with names in it, as matplotlib shows it letter by letter: an unescaped dollar would begin a formula."""
    return shortened(text, longest).replace("$", r"\$")


def grid_lines(axes: Axes, which: str) -> None:
    """Fine lines behind the points."""
    axes.grid(axis=which, color=LINE, linewidth=0.8)  # type: ignore[arg-type]  # "x", "y" or "both"
    axes.set_axisbelow(True)


def save(figure: Figure, path: Path) -> None:
    """Write PNG and SVG beside each other; the same numbers give the same bytes."""
    forms: dict[str, dict[str, str | None]] = {"png": {}, "svg": {"Date": None}}
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # found once, and not again for each format
    # The layout leaves out labels of nested figures.
    around = figure.get_tightbbox().padded(0.08)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "weakspot"}):
        for form, undated in forms.items():
            write_atomically(
                path.with_suffix(f".{form}"),
                lambda aside, form=form, undated=undated: figure.savefig(  # type: ignore[misc]
                    aside, format=form, dpi=DPI, metadata=undated, bbox_inches=around
                ),
            )
