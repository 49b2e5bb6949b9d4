"""The report's two main pictures as files for papers: PNG, SVG or PDF, drawn by matplotlib on white."""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from weakspot.errors import InputError
from weakspot.report.figures import CLEAN, INK, LINE, ROBUST, SCALE, WITH_COUNTS, confusion_shares, shortened, weakest
from weakspot.report.schema import Cell, Summary
from weakspot.report.words import headline
from weakspot.store import write_atomically

UNDATED: dict[str, dict[str, str | None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""The formats, with what keeps the time of day out of them."""


def save_accuracy(path: Path, summary: Summary) -> None:
    """Each class's accuracy with its 95 % interval under the headline and when clean, weakest on top.

    Args:
        path: Its suffix chooses the format: .png, .svg or .pdf.
        summary: The run's numbers.

    Raises:
        InputError: the suffix is another one.
        SetupError: the file cannot be written.

    """
    name, cell = headline(summary)
    assert cell is not None, "a run without threats has no picture"
    shown = weakest(cell)
    figure = Figure(figsize=(6.4, 0.9 + 0.26 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    drawn = {name: (cell, ROBUST, "D")}
    if name != "clean" and "clean" in summary["threats"]:
        drawn["clean"] = (summary["threats"]["clean"], CLEAN, "o")
    for label, (other, colour, marker) in drawn.items():
        aside = 0.0 if name == "clean" else -0.12 if label == name else 0.12
        # A class that one threat has not reached yet has no point there.
        entries = [(y, other["classes"][c]) for y, c in enumerate(shown) if other["classes"][c]["samples"]]
        values = np.array([[e["accuracy"], e["low"], e["high"]] for _, e in entries], float).reshape(-1, 3).T * 100
        axes.errorbar(
            values[0], [y + aside for y, _ in entries], xerr=(values[0] - values[1], values[2] - values[0]),
            fmt=marker, color=colour, capsize=2, markersize=5, linewidth=1.2, label=label,
        )  # fmt: skip
    _name_classes(axes.yaxis, [cell["classes"][c]["name"] for c in shown])
    axes.invert_yaxis()
    axes.set_xlim(-2, 102)
    axes.set_xlabel("accuracy (%)")
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    _save(figure, axes, path)


def save_confusion(path: Path, cell: Cell) -> None:
    """Counts of true class (row) by prediction (column); the colour is the share of the true class, errors only.

    Args:
        path: Its suffix chooses the format: .png, .svg or .pdf.
        cell: One threat of the summary, with at most 100 classes.

    Raises:
        InputError: the suffix is another one.
        SetupError: the file cannot be written.

    """
    counts, share = confusion_shares(cell)
    errors = np.where(np.eye(len(share), dtype=bool), np.nan, share)
    size = max(3.6, min(0.42 * len(share) + 1.2, 12))
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    colours = LinearSegmentedColormap.from_list("errors", list(SCALE))
    top = max(float(np.nanmax(errors, initial=0)), 1.0)
    axes.imshow(errors, cmap=colours, vmin=0, vmax=top)
    for i, j in np.argwhere(counts > 0) if len(share) <= WITH_COUNTS else ():
        dark = i != j and share[i, j] > 0.62 * top
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=7, color="white" if dark else INK)
    names = [entry["name"] for entry in cell["classes"]]
    _name_classes(axes.yaxis, names)
    _name_classes(axes.xaxis, names)
    axes.tick_params(axis="x", rotation=90)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    _save(figure, axes, path)


def _name_classes(axis: Axis, names: list[str]) -> None:
    # An unescaped dollar would begin a formula.
    axis.set_ticks(range(len(names)), labels=[shortened(name).replace("$", r"\$") for name in names])


def _save(figure: Figure, axes: Axes, path: Path) -> None:
    form = path.suffix.lower().removeprefix(".")
    if form not in UNDATED:
        raise InputError(f"a picture is a .png, .svg or .pdf file, got {path.name!r}; change its suffix")
    axes.tick_params(length=0, labelsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    # Without dates and random ids the same run gives the same file; text stays text.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "weakspot"}):
        write_atomically(path, lambda aside: figure.savefig(aside, format=form, dpi=200, metadata=UNDATED[form]))
