"""The study's picture: what each method seems to gain under PGD, and what all attacks leave of it."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from weakspot.recipes.drawing import svg
from weakspot.recipes.longtail_gains import BASE, FAKE, Judged
from weakspot.recipes.longtail_runs import PLANTED
from weakspot.report.explain_drawing import grid_lines, named, tidy
from weakspot.report.figures import CLEAN, INK, MUTED, ROBUST


def picture(judged: Mapping[str, Judged]) -> str:
    """SVG: each method at the first seed against plain adversarial training, the largest confirmed gain on top."""
    shown = {name: each for name, each in judged.items() if name not in PLANTED}
    order = sorted(shown, key=lambda name: shown[name].gain.strong)
    figure = Figure(figsize=(6.4, 0.9 + 0.2 * len(order)), layout="constrained")
    axes = figure.add_subplot()
    weak, strong = ([100 * getattr(shown[name].gain, side) for name in order] for side in ("weak", "strong"))
    for y, name in enumerate(order):
        colour, width = (ROBUST, 2.5) if shown[name].says == FAKE else (MUTED, 1)
        style = ":" if shown[name].says.startswith("fake, ") else "-"
        axes.plot([weak[y], strong[y]], [y, y], style, color=colour, linewidth=width, zorder=1)
    rows = range(len(order))
    # The ring is larger than the diamond, so that neither hides the other where a gain is confirmed.
    axes.scatter(strong, rows, s=20, color=ROBUST, marker="D", label="under all attacks", zorder=2)
    axes.scatter(weak, rows, s=60, facecolors="none", edgecolors=CLEAN, linewidths=1.6, label="under PGD-20", zorder=3)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=0)
    tidy(axes)
    axes.set_yticks(rows, labels=[label(name, shown[name]) for name in order])
    grid_lines(axes, "x")
    named(axes, f"class mean, points over {BASE}", "")
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=8)
    return svg(figure)


def label(name: str, each: Judged) -> str:
    """A model's name, with a star if it is judged without a correction, and what its gain is if it is fake by scale."""
    starred = name if each.p is not None else f"{name} *"
    return f"{starred} ({FAKE})" if each.says == FAKE else starred
