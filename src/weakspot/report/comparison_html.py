"""A comparison as one page that asks for nothing: gates, figures of all classes, and the change of each class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weakspot.report.comparison_schema import ClassChange, ComparisonSummary, Condition
from weakspot.report.comparison_tables import (
    COVERED,
    about_fakes,
    about_models,
    class_grid,
    evidence,
    fake_grid,
    gate_grid,
    models_grid,
    ordered,
    remarks,
    verdict,
    warnings,
    whole_grid,
)
from weakspot.report.figures import (
    CLEAN,
    FEW,
    MUTED,
    OTHERS,
    ROBUST,
    WEAKEST,
    Figure,
    axis,
    class_axis,
    layout,
    literal,
)
from weakspot.report.page import render
from weakspot.report.words import points
from weakspot.store import write_text

TONES = {"better": (CLEAN, "circle"), "worse": (ROBUST, "diamond"), "": (OTHERS[-1], "square")}
LEGEND = {"worse": "worse", "better": "better", "": "not resolved"}


def write_comparison(path: Path, summary: ComparisonSummary) -> None:
    """Write the page to `path`, atomically.

    Raises:
        SetupError: the folder cannot be written or the disk is full.

    """
    page = comparison_page(summary)
    write_text(path, page)


def comparison_page(summary: ComparisonSummary) -> str:
    """The whole comparison as one page."""
    drawings: dict[str, Any] = {}
    sections: list[Mapping[str, Any]] = []
    for number, compared in enumerate(summary["comparisons"]):
        conditions = {}
        for place, (scope, found) in enumerate(compared["conditions"].items()):
            drawings[f"change-{number}-{place}"] = change_figure(found)
            conditions[scope] = (f"change-{number}-{place}", class_grid(found, scope))
        sections.append(
            {
                "compared": compared,
                "whole": whole_grid(compared),
                "conditions": conditions,
                "said": remarks(compared),
                "fake": fake_grid(compared),
                "about_fake": about_fakes(compared),
            }
        )
    content = {
        "summary": summary,
        "sections": sections,
        "gates": gate_grid(summary["gates"]),
        "failures": [f"{each['clause']}: {evidence(each)}" for each in summary["gates"] if not each["passed"]],
        "warnings": warnings(summary),
        "covered": COVERED,
        "models": models_grid(summary),
        "about_models": about_models(summary),
    }
    return render("comparison.html", drawings, content)


def change_figure(found: Condition) -> Figure:
    """The difference of each class with its interval, in points; of many classes the most changed ones."""
    known = [one for one in ordered(found) if one["difference"] is not None]
    shown = known if len(known) <= FEW else [*known[: WEAKEST // 2], *known[-WEAKEST // 2 :]]
    traces = [_trace(tone, [(y, one) for y, one in enumerate(shown) if verdict(one) == tone]) for tone in LEGEND]
    made = layout(height=130 + 30 * len(shown))
    made["xaxis"] = axis("difference in percentage points", grid=True)
    made["yaxis"] = class_axis([one["name"] for one in shown])
    made["shapes"] = [{"type": "line", "xref": "x", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1,
                       "line": {"color": MUTED, "width": 1.5, "dash": "dot"}}]  # fmt: skip
    return {"data": [trace for trace in traces if trace["x"]], "layout": made}


def _trace(tone: str, rows: list[tuple[int, ClassChange]]) -> Figure:
    colour, symbol = TONES[tone]
    changes = [(100 * (one["difference"] or 0.0), one) for _, one in rows]
    return {
        "type": "scatter", "mode": "markers", "name": LEGEND[tone], "x": [x for x, _ in changes],
        "y": [y for y, _ in rows],
        "error_x": {"type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 3,
                    "array": [100 * (one["high"] or 0.0) - x for x, one in changes],
                    "arrayminus": [x - 100 * (one["low"] or 0.0) for x, one in changes]},
        "marker": {"symbol": symbol, "size": 10, "color": colour},
        "customdata": [[literal(one["name"], 60), points(one["low"]), points(one["high"])] for _, one in changes],
        "hovertemplate": "%{customdata[0]}: %{x:+.1f} [%{customdata[1]}, %{customdata[2]}]<extra></extra>",
    }  # fmt: skip
