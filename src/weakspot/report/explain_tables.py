"""The tables of an explanation as texts, the same in the terminal and on the page."""

from collections.abc import Sequence
from typing import Any

from weakspot.report.explain_figures import model_labels, weakest_first
from weakspot.report.tables import Grid
from weakspot.report.words import NONE, amount, percent, printable, rank

STILL = "not moved"
MANY = 40
"""Above this many classes the terminal shows the weakest ones only."""


def psi_text(found: dict[str, Any], still: int = 0) -> str:
    """A value with its interval: 1.42 [1.20, 1.71]."""
    if found["value"] is None:
        return STILL if still else NONE
    if found["low"] is None and found["high"] is None:
        return three(found["value"])
    low, high = (three(found[key]) for key in ("low", "high"))
    return f"{three(found['value'])} [{low}, {high}]"


def span_text(found: dict[str, Any]) -> str:
    """As psi_text, of a figure that may be infinite: inf [3.1, inf]."""
    if found["low"] is None and found["high"] is None:
        return three(found["value"])
    return f"{three(found['value'])} [{three(found['low'])}, {three(found['high'])}]"


def three(value: float | None) -> str:
    """Three digits; what is infinite is named so."""
    if value is None:
        return "inf"
    return f"{value:.3g}" if 1e-2 <= abs(value) < 1e4 or value == 0 else f"{value:.2e}"


def class_grid(summary: dict[str, Any], model: int = 0, rows: int | None = None) -> Grid:
    """Psi of each class in all forms, weakest first by form B of the first model."""
    found = summary["models"][model]["psi"]
    order = weakest_first(summary)[:rows]
    classes = {form: each["classes"] for form, each in found.items() if each is not None}
    b = [classes["B"][c] for c in order]
    columns = {
        "class": [printable(entry["name"]) for entry in b],
        "psi (B)": [_of_class(entry) for entry in b],
        "median": [span_text(entry["median"]) for entry in b],
        "10 % quantile": [span_text(entry["low_quantile"]) for entry in b],
        "mean of psi": [span_text(entry["mean"]) for entry in b],
        "decision moves": [f"{percent(entry['moved'])} %" for entry in b],
        "psi (A)": [_of_class(classes["A"][c]) if "A" in classes else NONE for c in order],
        "psi (raw)": [_of_class(classes["raw"][c]) for c in order],
        "images": [f"{entry['samples']:,}" for entry in b],
    }
    whole = {form: each["overall"] for form, each in found.items() if each is not None}
    last = {
        "class": "all",
        "psi (B)": _of_class(whole["B"]),
        "median": span_text(whole["B"]["median"]),
        "10 % quantile": span_text(whole["B"]["low_quantile"]),
        "mean of psi": span_text(whole["B"]["mean"]),
        "decision moves": f"{percent(whole['B']['moved'])} %",
        "psi (A)": _of_class(whole["A"]) if "A" in whole else NONE,
        "psi (raw)": _of_class(whole["raw"]),
        "images": f"{whole['B']['samples']:,}",
    }
    return Grid(model_labels(summary)[model], columns, ("class",), last)


def _of_class(entry: dict[str, Any]) -> str:
    return psi_text(entry["psi"], entry["still"])


def whole_line(grid: Grid) -> Grid:
    """The table with the line of all images as its last row, for pages."""
    columns = {heading: [*values, grid.last.get(heading, "")] for heading, values in grid.columns.items()}
    return Grid(grid.title, columns, grid.left)


def proof_grid(summary: dict[str, Any]) -> Grid:
    """How psi changes when the logits are multiplied, a line for each model and form."""
    lines = []
    for label, model in zip(model_labels(summary), summary["models"], strict=True):
        proof = model["proof"]
        for form, change in proof["change"].items():
            said = "nothing moves" if change is None else f"{100 * change:.2g} %"
            said = NONE if model["psi"][form] is None else said
            found = proof["found"][form]
            share = NONE if found is None else f"{percent(found)} %"
            lines.append((printable(label), form, f"{proof['images']}", said, share))
    headings = ("model", "form", "images", "change with logits x 10", "found of a thorough search")
    return Grid("scale", dict(zip(headings, _columns(lines), strict=True)), ("model", "form"))


def bend_grid(summary: dict[str, Any], pair: str) -> Grid:
    """Rise and curvature over all images along both directions, a line for each model, surface and direction."""
    lines = []
    for label, model in zip(model_labels(summary), summary["models"], strict=True):
        found = model["surfaces"][pair]
        for surface, called in (("cross_entropy", "cross-entropy"), ("decision", "decision S")):
            for which, direction in zip(("first", "second"), pair.split(","), strict=True):
                texts = [psi_text(found[surface][which][what]["overall"]) for what in ("rise", "curvature")]
                lines.append((printable(label), called, printable(direction), *texts))
    headings = ("model", "surface", "along", "V(1) - V(0)", "V(1) - 2 V(0) + V(-1)")
    return Grid(pair, dict(zip(headings, _columns(lines), strict=True)), headings[:3])


def cost_grid(summary: dict[str, Any]) -> Grid:
    """Evaluations and time for each image."""
    lines = []
    for label, model in zip(model_labels(summary), summary["models"], strict=True):
        for part, spent in model["cost"].items():
            evaluations = [amount(spent[key]) for key in ("forwards", "backwards")]
            lines.append((printable(label), printable(part), *evaluations, f"{1000 * spent['seconds']:.3g} ms"))
    headings = ("model", "part", "forwards", "backwards", "time for an image")
    return Grid("cost", dict(zip(headings, _columns(lines), strict=True)), headings[:2])


def audit_grid(summary: dict[str, Any]) -> Grid:
    """Rank correlations with the audit's classes."""
    lines = []
    for name, found in summary["audit"]["figures"].items():
        over = found["over_images"]
        texts = [_correlation(each) for each in (found["robust_accuracy"], over, found["cfps"])]
        lines.append((printable(name), *texts))
    headings = ("figure", "with accuracy", "the same, over images", "with CFPS")
    return Grid("audit", dict(zip(headings, _columns(lines), strict=True)), headings[:1])


def _correlation(found: dict[str, Any] | None) -> str:
    if found is None or found["value"] is None:
        return NONE
    return f"{rank(found['value'])} [{rank(found['low'])}, {rank(found['high'])}]"


def _columns(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    return [list(column) for column in zip(*lines, strict=True)]


def said_of(summary: dict[str, Any]) -> list[str]:
    """The notes on all models, each with its model's name where there are two, and those on the audit."""
    several = len(summary["models"]) > 1
    said = [
        f"{printable(label)}: {line}" if several else line
        for label, model in zip(model_labels(summary), summary["models"], strict=True)
        for line in model["notes"]
    ]
    return said if summary["audit"] is None else [*said, *map(printable, summary["audit"]["notes"])]
