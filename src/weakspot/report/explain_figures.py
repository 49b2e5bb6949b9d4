"""The pictures of an explanation, each as PNG and SVG, with the sentence that stands below it on the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from weakspot.addresses import slug
from weakspot.report import explain_planes as planes
from weakspot.report.explain_drawing import COLOURS, MARKERS, STYLES, grid_lines, logarithmic, named, plain, save, tidy
from weakspot.report.explain_labels import list_names, number_points
from weakspot.report.explain_summary import Measured
from weakspot.report.figures import FEW, INK, MUTED, WEAKEST

FORM_TITLES = {
    "raw": "raw (depends on the logits' scale)",
    "A": "form A (direction only)",
    "B": "form B (one temperature)",
}
LABELLED = 25
"""Up to this many classes have numbers in a scatter plot."""


@dataclass(frozen=True)
class Drawn:
    """A picture's file and what is said below it."""

    section: str
    """psi, convergence, surfaces, classes, examples, parameters or audit."""
    title: str
    caption: str
    file: Path


def draw_figures(folder: Path, summary: dict[str, Any], sides: Sequence[Measured]) -> list[Drawn]:
    """Draw everything there is; returns the pictures in their order.

    Raises:
        SetupError: a file cannot be written.

    """
    found: list[tuple[str, str, str, str, Figure]] = [
        ("psi", "psi", "psi of each class", PSI_CAPTION + psi_said(summary), psi_figure(summary)),
        (
            "convergence",
            "convergence",
            "Whether the searches settled",
            CONVERGENCE_CAPTION,
            convergence_figure(summary),
        ),
    ]
    labels = model_labels(summary)
    order = weakest_first(summary)
    for pair in sides[0].surfaces:
        grids = [side.surfaces[pair] for side in sides]
        name = slug(pair)
        found += [
            ("surfaces", f"{name}-mean", f"Mean surfaces over {pair}", planes.MEAN_CAPTION,
             planes.mean_figure(pair, grids, labels)),
            ("surfaces", f"{name}-profiles", f"Profiles along {pair}", planes.PROFILE_CAPTION,
             planes.profile_figure(pair, grids, labels)),
            ("classes", f"{name}-classes", f"Decision surface of each class over {pair}",
             planes.CLASSES_CAPTION + planes.classes_said(grids[0], order, len(summary["data"]["classes"])),
             planes.classes_figure(pair, grids, labels, summary["data"]["classes"], order)),
        ]  # fmt: skip
        examples = planes.examples_figure(pair, grids, labels, summary["data"]["classes"])
        if examples is not None:
            found.append(
                ("examples", f"{name}-examples", f"Single images over {pair}", planes.EXAMPLES_CAPTION, examples)
            )
    if all(side.parameters is not None for side in sides):
        pair = next(iter(sides[0].surfaces))
        drawn = planes.parameter_figure(
            pair, [side.surfaces[pair] for side in sides], [side.parameters or {} for side in sides], labels
        )
        found.append(("parameters", "parameters", "Input space and parameter space", planes.PARAMETER_CAPTION, drawn))
    if summary["audit"] is not None:
        found.append(("audit", "audit", "psi against the audit", AUDIT_CAPTION, audit_figure(summary)))
    made = []
    for section, name, title, caption, figure in found:
        save(figure, folder / name)
        made.append(Drawn(section, title, caption, folder / f"{name}.png"))
    return made


PSI_CAPTION = (
    "psi = 1 / the mean of the largest divergence found in the ball, with 95 % intervals of resampled images; further "
    "right is harder to move. Classes stand in the order of form B of the first model, weakest on top."
)
CONVERGENCE_CAPTION = (
    "The largest divergence found so far as a share of what the search ends with, meaned over images. It climbs from "
    "two opposite starts, so it may rise again half way."
)
AUDIT_CAPTION = (
    "psi of form B against the accuracy of the audit; a point is a class. Of few classes each has a number, "
    "weakest (psi, form B) first."
)


def model_labels(summary: dict[str, Any]) -> list[str]:
    """What the models are called in legends: of a path its last part, as far as that tells them apart, else numbers."""
    whole = [str(each["model"]["address"]) for each in summary["models"]]
    last = [name.rstrip("/").rpartition("/")[2] for name in whole]
    names = last if len(set(last)) == len(last) else whole
    return names if len(set(names)) == len(names) else [f"{name} ({at + 1})" for at, name in enumerate(names)]


def shown_forms(summary: dict[str, Any]) -> dict[str, str]:
    """The titles of the forms that are defined."""
    return {form: title for form, title in FORM_TITLES.items() if summary["models"][0]["psi"][form] is not None}


def weakest_first(summary: dict[str, Any]) -> list[int]:
    """Classes with images by psi of form B of the first model; those that nothing moves come last."""
    entries = summary["models"][0]["psi"]["B"]["classes"]
    known = [c for c, entry in enumerate(entries) if entry["samples"]]
    return sorted(known, key=lambda c: (entries[c]["psi"]["value"] is None, entries[c]["psi"]["value"] or 0.0))


def _shown(summary: dict[str, Any]) -> list[int]:
    """The classes of the figure of psi: of many the weakest ones."""
    order = weakest_first(summary)
    return order if len(order) <= FEW else order[:WEAKEST]


def psi_said(summary: dict[str, Any]) -> str:
    """Which classes the figure of psi shows, where it leaves some out."""
    shown, there = len(_shown(summary)), len(weakest_first(summary))
    if shown == there:
        return ""
    return f" Shown are the {shown} classes that are easiest to move by form B, of {there:,} with images."


def psi_figure(summary: dict[str, Any]) -> Figure:
    """A panel for each form; of many classes the weakest ones."""
    shown, there = _shown(summary), len(weakest_first(summary))
    names = summary["data"]["classes"]
    forms = shown_forms(summary)
    figure = Figure(figsize=(10, 1.2 + 0.27 * max(3, len(shown))), layout="constrained")
    panels = figure.subplots(1, len(forms), sharey=True, squeeze=False)[0]
    labels = model_labels(summary)
    for axes, form in zip(panels, forms, strict=True):
        for at, (model, label) in enumerate(zip(summary["models"], labels, strict=True)):
            aside = 0.0 if len(labels) == 1 else 0.16 * (2 * at - 1)
            entries = [(y + aside, model["psi"][form]["classes"][c]["psi"]) for y, c in enumerate(shown)]
            points = [(y, e["value"], e["low"], e["high"]) for y, e in entries if e["value"] is not None]
            lines = np.array([[y, v, v if low is None else low, v if high is None else high]
                              for y, v, low, high in points], float).reshape(-1, 4).T  # fmt: skip
            axes.errorbar(
                lines[1], lines[0], xerr=(lines[1] - lines[2], lines[3] - lines[1]), fmt=MARKERS[at],
                color=COLOURS[at], capsize=2, markersize=4.5, linewidth=1.2, label=plain(label),
            )  # fmt: skip
        if any(entry["psi"]["value"] is not None for m in summary["models"] for entry in m["psi"][form]["classes"]):
            logarithmic(axes)
        else:
            axes.text(0.5, 0.5, "nothing moves", ha="center", transform=axes.transAxes, color=MUTED, fontsize=8)
        axes.set_title(FORM_TITLES[form], fontsize=9, color=INK)
        named(axes, "psi (1 / nats)", "")
        tidy(axes)
        grid_lines(axes, "x")
    if len(shown) < there:
        figure.suptitle(f"The {len(shown)} weakest of {there:,} classes", fontsize=9, color=MUTED)
    panels[0].set_yticks(range(len(shown)), [plain(names[c], 28) for c in shown])
    panels[0].invert_yaxis()
    panels[0].tick_params(axis="y", labelsize=8, colors=INK)
    if len(labels) > 1:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def convergence_figure(summary: dict[str, Any]) -> Figure:
    """A panel for each form."""
    forms = shown_forms(summary)
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    panels = figure.subplots(1, len(forms), sharey=True, squeeze=False)[0]
    for axes, form in zip(panels, forms, strict=True):
        for at, (model, label) in enumerate(zip(summary["models"], model_labels(summary), strict=True)):
            share = [np.nan if each is None else 100 * each for each in model["convergence"][form]["share"]]
            axes.plot(share, STYLES[at], color=COLOURS[at], linewidth=1.8, label=plain(label))
        axes.set_title(FORM_TITLES[form], fontsize=9, color=INK)
        axes.set_ylim(0, 103)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        named(axes, "evaluations that count", "share of the end value (%)" if form == "raw" else "")
        tidy(axes)
        grid_lines(axes, "both")
    if len(summary["models"]) > 1:
        panels[0].legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def audit_figure(summary: dict[str, Any]) -> Figure:
    """Psi of form B against accuracy and CFPS, class by class."""
    entries, link = summary["models"][0]["psi"]["B"]["classes"], summary["audit"]
    figure = Figure(figsize=(10, 4), layout="constrained")
    order = weakest_first(summary)
    numbers = {c: str(at + 1) for at, c in enumerate(order)} if len(order) <= LABELLED else {}
    widths = [4, 4, 1.4] if numbers else [4, 4]
    panels = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    placed = []
    found = link["figures"]["psi B"]
    at = f" at {link['radius']}" if link["radius"] else ""
    for axes, what, key, called in (
        (panels[0], "accuracy", "robust_accuracy", f"{link['condition']} accuracy{at} (%)"),
        (panels[1], "cfps", "cfps", "CFPS (%)"),
    ):
        both = [
            (entry["psi"]["value"], 100 * other[what], numbers.get(c, ""))
            for c, (entry, other) in enumerate(zip(entries, link["classes"], strict=True))
            if entry["psi"]["value"] is not None and other[what] is not None
        ]
        axes.scatter([x for x, _, _ in both], [y for _, y, _ in both], color=COLOURS[0], s=26)
        axes.margins(x=0.15, y=0.1)
        placed.append((axes, both if numbers else []))
        if both:
            logarithmic(axes)
        value, low, high = (found[key][each] for each in ("value", "low", "high"))
        said = "undefined" if value is None else f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
        axes.set_title(f"Spearman {said}", fontsize=9, color=INK)
        named(axes, "psi, form B (1 / nats)", called)
        tidy(axes)
        grid_lines(axes, "both")
    if numbers:
        list_names(panels[2], [(number, link["classes"][c]["name"]) for c, number in numbers.items()])
    figure.draw_without_rendering()  # finds the layout, so that the points' places are known
    for axes, both in placed:
        number_points(axes, both)
    return figure
