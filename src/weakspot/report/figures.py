"""The page's pictures as plotly figures, in the light palette; the page swaps colours by `DARK` for dark readers.

Plotly reads some tags and entities inside any text (https://plotly.com/chart-studio-help/adding-HTML-and-links-to-charts),
so every name goes through `literal`. Classes stand on numbered axes: names may repeat or look like numbers.
"""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from weakspot.report.schema import Cell, ClassEntry, Summary
from weakspot.report.words import cells, headline, percent, printable

FEW = 40
"""Up to this many classes a picture shows each; above it, the `WEAKEST` ones."""
WEAKEST = 30

INK, MUTED, LINE, PAPER = "#1d2127", "#5c6470", "#e3e3de", "#ffffff"
CLEAN, ROBUST = "#0072b2", "#c4500a"
OTHERS = ("#009e73", "#a4528a", "#9a7200", "#3f7fa6", "#6b6b6b")
"""After Okabe and Ito's palette, which readers with any colour vision tell apart; each has its own marker as well."""
SYMBOLS = ("square", "triangle-up", "cross", "x", "star", "pentagon", "hourglass", "triangle-down")
SCALE = ((0.0, "#fbfbf9"), (0.15, "#f6dcc7"), (0.5, "#dd8347"), (1.0, "#7d2f02"))
DIAGONAL = "#eef0f2"
DARK = {
    INK: "#e8e8e4", MUTED: "#a0a7b1", LINE: "#2d3238", PAPER: "#1b1e22",
    CLEAN: "#62b5e5", ROBUST: "#ff9457", DIAGONAL: "#262b31",
    "#009e73": "#3fcf9f", "#a4528a": "#dd8fc4", "#9a7200": "#e0b94a", "#3f7fa6": "#7fb8d8", "#6b6b6b": "#b0b0b0",
    "#fbfbf9": "#1f2328", "#f6dcc7": "#4a2f1e", "#dd8347": "#c46a2c", "#7d2f02": "#ffc59c",
}  # fmt: skip
"""Each light colour's partner on a dark page."""


def literal(name: str, longest: int = 28) -> str:
    """`name` as plotly shows it letter by letter, cut in the middle if it is longer than `longest`."""
    text = printable(name)
    if len(text) > longest:
        text = f"{text[: longest - 10]}...{text[-7:]}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def weakest(cell: Cell) -> list[int]:
    """The classes that a picture shows, weakest first; those without samples are left out."""
    known = [c for c, entry in enumerate(cell["classes"]) if entry["samples"]]
    known.sort(key=lambda c: cell["classes"][c]["accuracy"] or 0.0)
    return known if len(known) <= FEW else known[:WEAKEST]


def accuracy_figure(summary: Summary) -> go.Figure:
    """Accuracy of each class with its interval, a marker per threat; all but the headline and clean start hidden."""
    first, cell = headline(summary)
    assert cell is not None, "a run without threats has no picture"
    shown = weakest(cell)
    figure = go.Figure(layout=_layout(height=150 + 30 * len(shown)))
    for place, (name, other) in enumerate(_drawing_order(summary, first)):
        colour = {first: ROBUST, "clean": CLEAN}.get(name, OTHERS[place % len(OTHERS)])
        symbol = {first: "diamond", "clean": "circle"}.get(name, SYMBOLS[place % len(SYMBOLS)])
        entries = [other["classes"][c] for c in shown]
        figure.add_trace(
            go.Scatter(
                x=[_per_cent(entry["accuracy"]) for entry in entries],
                y=list(range(len(shown))),
                error_x={"type": "data", "symmetric": False, "array": [_above(e) for e in entries],
                         "arrayminus": [_below(e) for e in entries], "color": colour, "thickness": 1.5, "width": 3},
                name=literal(name, longest=40),
                mode="markers",
                marker={"symbol": symbol, "size": 10, "color": colour, "line": {"width": 1, "color": PAPER}},
                visible=True if name in (first, "clean") else "legendonly",
                customdata=[[literal(e["name"], 60), percent(e["low"]), percent(e["high"]), e["samples"]]
                            for e in entries],
                hovertemplate="%{customdata[0]}: %{x:.1f} % [%{customdata[1]}, %{customdata[2]}], "
                "n = %{customdata[3]}<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(range=[-2, 102], ticksuffix=" %", title_text="accuracy", **_axis(grid=True))
    figure.update_yaxes(**_class_axis([cell["classes"][c]["name"] for c in shown]))
    return figure


def distribution_figure(summary: Summary) -> go.Figure:
    """How many classes have which accuracy, in 20 bins, under the headline and when clean."""
    first, cell = headline(summary)
    assert cell is not None, "a run without threats has no picture"
    figure = go.Figure(layout=_layout(height=300))
    edges = np.linspace(0, 100, 21)
    chosen = {first: cell} | ({"clean": summary["threats"]["clean"]} if "clean" in summary["threats"] else {})
    for name, other in chosen.items():
        values = [100 * entry["accuracy"] for entry in other["classes"] if entry["accuracy"] is not None]
        counts, _ = np.histogram(values, edges)
        colour = CLEAN if name == "clean" and first != "clean" else ROBUST
        figure.add_trace(
            go.Scatter(
                x=np.repeat(edges, 2)[1:-1].tolist(), y=np.repeat(counts, 2).tolist(), mode="lines", fill="tozeroy",
                name=literal(name, longest=40),
                line={"color": colour, "width": 2, "dash": "solid" if name == first else "dot"},
                hovertemplate="%{y} classes near %{x:.0f} %<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(range=[0, 100], ticksuffix=" %", title_text="accuracy of a class", **_axis(grid=False))
    figure.update_yaxes(title_text="classes", rangemode="tozero", **_axis(grid=True))
    return figure


def confusion_figure(cell: Cell) -> go.Figure:
    """Counts of true class (row) by prediction (column); the colour is the share of the true class, errors only."""
    assert cell["confusion"] is not None, "above 100 classes there is no full matrix"
    counts = np.array(cell["confusion"])
    names = [entry["name"] for entry in cell["classes"]]
    few = len(names) <= 25
    wrong = ~np.eye(len(names), dtype=bool)
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = go.Figure(layout=_layout(height=min(180 + 42 * len(names), 1000)))
    for mask, scale, top in ((wrong, SCALE, max(float(share[wrong].max(initial=0)), 1.0)), (~wrong, None, 100.0)):
        figure.add_trace(
            go.Heatmap(
                z=np.where(mask, share, np.nan).astype(np.float32),
                text=np.where(mask & (counts > 0), counts.astype(str), ""),
                texttemplate="%{text}" if few else None,
                zmin=0,
                zmax=top,
                colorscale=scale or ((0.0, DIAGONAL), (1.0, DIAGONAL)),
                showscale=False,
                xgap=2 if few else 0,
                ygap=2 if few else 0,
                hoverongaps=False,
                customdata=counts.astype(np.int32),
                hovertemplate="%{y} seen as %{x}: %{customdata} (%{z:.1f} %)<extra></extra>",
            )
        )
    size = 12 if few else 9 if len(names) <= 60 else 7
    axis = _class_axis(names, size=size)
    figure.update_yaxes(title_text="true class", **axis)
    figure.update_xaxes(
        title_text="predicted class", **(axis | {"autorange": True, "tickangle": -45, "side": "bottom"})
    )
    return figure


def attraction_figure(cell: Cell) -> go.Figure:
    """Left: each class's share of all errors as their target (CFPS). Right: how many errors it draws and suffers."""
    entries = sorted(cell["classes"], key=lambda entry: -entry["false_positives"])
    entries = entries if len(entries) <= FEW else entries[:WEAKEST]
    places = list(range(len(entries)))
    figure = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.05)
    figure.update_layout(_layout(height=150 + 30 * len(entries)), barmode="group", bargap=0.35)
    names = [literal(entry["name"], 60) for entry in entries]
    lost = [entry["samples"] - entry["correct"] for entry in entries]
    bars: list[tuple[int, str, list[float | None], str, str]] = [
        (1, "CFPS", [_per_cent(e["cfps"]) for e in entries], ROBUST, ""),
        (2, "errors drawn (false positives)", [e["false_positives"] for e in entries], ROBUST, ""),
        (2, "errors suffered (false negatives)", list(lost), CLEAN, "/"),
    ]
    for col, name, values, colour, pattern in bars:
        figure.add_trace(
            go.Bar(
                x=values, y=places, orientation="h", name=name, showlegend=col == 2, customdata=names,
                marker={"color": colour, "pattern": {"shape": pattern, "size": 5, "fgcolor": PAPER}},
                hovertemplate="%{customdata}: %{x:.4~g}" + (" %" if col == 1 else "") + f"<extra>{name}</extra>",
            ),
            row=1,
            col=col,
        )  # fmt: skip
    figure.add_vline(100 / len(cell["classes"]), line={"color": MUTED, "dash": "dot", "width": 1.5}, row=1, col=1)
    figure.update_xaxes(rangemode="tozero", **_axis(grid=True))
    figure.update_xaxes(title_text="CFPS (dotted: an equal share)", ticksuffix=" %", row=1, col=1)
    figure.update_xaxes(title_text="errors", row=1, col=2)
    figure.update_yaxes(**_class_axis([entry["name"] for entry in entries]))
    return figure


def as_json(figure: go.Figure) -> dict[str, Any]:
    """The figure for Plotly.newPlot, without the default template that plotly would repeat in each."""
    made = figure.to_plotly_json()
    made["layout"].pop("template", None)
    return {"data": made["data"], "layout": made["layout"]}


def _drawing_order(summary: Summary, first: str) -> list[tuple[str, Cell]]:
    """The headline first, then clean, then the rest in their order."""
    found = cells(summary)
    names = list(dict.fromkeys([first, *(["clean"] if "clean" in found else []), *found]))
    return [(name, found[name]) for name in names]


def _per_cent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _above(entry: ClassEntry) -> float:
    return 100 * ((entry["high"] or 0.0) - (entry["accuracy"] or 0.0))


def _below(entry: ClassEntry) -> float:
    return 100 * ((entry["accuracy"] or 0.0) - (entry["low"] or 0.0))


def _layout(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 10, "r": 16, "t": 40, "b": 50},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": INK},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"},
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": MUTED, "font": {"color": INK}},
    }


def _axis(*, grid: bool) -> dict[str, Any]:
    return {
        "showgrid": grid, "gridcolor": LINE, "zeroline": False, "linecolor": LINE, "fixedrange": True,
        "tickfont": {"color": MUTED}, "title_font": {"color": MUTED, "size": 12}, "title_standoff": 8,
    }  # fmt: skip


def _class_axis(names: list[str], size: int = 13) -> dict[str, Any]:
    """A numbered axis that shows names, the first on top."""
    return _axis(grid=False) | {
        "tickvals": list(range(len(names))), "ticktext": [literal(name) for name in names],
        "range": [len(names) - 0.4, -0.6], "automargin": True, "tickfont": {"color": INK, "size": size},
    }  # fmt: skip
