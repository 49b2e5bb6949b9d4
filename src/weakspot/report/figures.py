"""The page's pictures as plotly's figure dictionaries (`data` and `layout`), in the light palette.

They are plain dictionaries because building plotly's objects costs a hundred times more; tests let plotly check them.
Plotly reads some tags and entities inside any text (https://plotly.com/chart-studio-help/adding-HTML-and-links-to-charts),
so every name goes through `literal`. Classes stand on numbered axes: names may repeat or look like numbers.
"""

from typing import Any

import numpy as np

from weakspot.report.schema import Cell, ClassEntry, Summary
from weakspot.report.words import cells, headline, percent, printable, single_corruptions, weakness

FEW = 40
"""Up to this many classes a picture shows each; above it, the `WEAKEST` ones."""
WEAKEST = 30
WITH_COUNTS = 25
"""Up to this many classes the confusion matrix has its counts written in."""

Figure = dict[str, Any]

INK, MUTED, LINE, PAPER = "#1d2127", "#5c6470", "#e3e3de", "#ffffff"
CLEAN, ROBUST = "#0072b2", "#c4500a"
OTHERS = ("#009e73", "#a4528a", "#9a7200", "#3f7fa6", "#6b6b6b")
"""After Okabe and Ito's palette, which readers with any colour vision tell apart; each has its own marker as well."""
SYMBOLS = ("square", "triangle-up", "cross", "x", "star", "pentagon", "hourglass", "triangle-down")
ASIDE = {"diamond": -0.12, "circle": 0.12}
"""How far the headline's and the clean markers stand from their class's line, so that intervals stay apart."""
SCALE = ((0.0, "#f6f5f1"), (0.15, "#f6dcc7"), (0.5, "#dd8347"), (1.0, "#7d2f02"))
DIAGONAL = "#eef0f2"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

DARK = {
    INK: "#e8e8e4", MUTED: "#a0a7b1", LINE: "#2d3238", PAPER: "#1b1e22",
    CLEAN: "#62b5e5", ROBUST: "#ff9457", DIAGONAL: "#262b31",
    "#009e73": "#3fcf9f", "#a4528a": "#dd8fc4", "#9a7200": "#e0b94a", "#3f7fa6": "#7fb8d8", "#6b6b6b": "#b0b0b0",
    "#c2477a": "#f08ab4", "#4f62c4": "#98a6f5", "#5d8a1f": "#a3d160", "#3f9fb5": "#6fd3e8",
    "#f6f5f1": "#1f2328", "#f6dcc7": "#4a2f1e", "#dd8347": "#c46a2c", "#7d2f02": "#ffc59c",
}  # fmt: skip
"""Each light colour's partner; the page swaps them for readers of dark pages."""


def shortened(name: str, longest: int = 28) -> str:
    """`name` on one line, cut in the middle if it is longer than `longest`."""
    text = printable(name)
    return text if len(text) <= longest else f"{text[: longest - 10]}...{text[-7:]}"


def literal(name: str, longest: int = 28) -> str:
    """`name`, `shortened`, as plotly shows it letter by letter."""
    text = shortened(name, longest)
    # Two dollar signs would make it a formula, for which plotly looks for MathJax.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")


def weakest(cell: Cell) -> list[int]:
    """The classes that a picture shows, weakest first; those without samples are left out."""
    known = [c for c, entry in enumerate(cell["classes"]) if entry["samples"]]
    known.sort(key=lambda c: weakness(cell["classes"][c]))
    return known if len(known) <= FEW else known[:WEAKEST]


def accuracy_figure(summary: Summary) -> Figure:
    """Accuracy of each class with its interval, a marker per threat; all but the headline and clean start hidden."""
    first, cell = headline(summary)
    assert cell is not None, "a run without threats has no picture"
    shown = weakest(cell)
    drawn = _drawing_order(summary, first)
    traces = []
    for place, (name, other) in enumerate(drawn):
        colour = {first: ROBUST, "clean": CLEAN}.get(name, OTHERS[place % len(OTHERS)])
        symbol = {first: "diamond", "clean": "circle"}.get(name, SYMBOLS[place % len(SYMBOLS)])
        entries = [other["classes"][c] for c in shown]
        traces.append({
            "type": "scatter", "mode": "markers", "name": literal(name, longest=40),
            "x": [_per_cent(entry["accuracy"]) for entry in entries],
            "y": [y + ASIDE.get(symbol, 0.0) for y in range(len(shown))],
            "error_x": {"type": "data", "symmetric": False, "array": [_above(e) for e in entries],
                        "arrayminus": [_below(e) for e in entries], "color": colour, "thickness": 1.5, "width": 3},
            "marker": {"symbol": symbol, "size": 10, "color": colour, "line": {"width": 1, "color": PAPER}},
            "visible": True if name in (first, "clean") else "legendonly",
            "customdata": [[literal(e["name"], 60), percent(e["low"]), percent(e["high"]), e["samples"]]
                           for e in entries],
            "hovertemplate": "%{customdata[0]}: %{x:.1f} % [%{customdata[1]}, %{customdata[2]}], n = %{customdata[3]}"
                             "<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    made = layout(height=130 + 20 * (len(drawn) // 4) + 30 * len(shown))
    made["xaxis"] = axis("accuracy", grid=True) | {"range": [-2, 102], "ticksuffix": " %"}
    made["yaxis"] = class_axis([cell["classes"][c]["name"] for c in shown])
    return {"data": traces, "layout": made}


def distribution_figure(summary: Summary) -> Figure:
    """How many classes have which accuracy, in 20 bins, under the headline and when clean."""
    first, cell = headline(summary)
    assert cell is not None, "a run without threats has no picture"
    edges = np.linspace(0, 100, 21)
    traces = []
    for name, other in _drawing_order(summary, first):
        if name not in (first, "clean"):
            continue
        values = [100 * entry["accuracy"] for entry in other["classes"] if entry["accuracy"] is not None]
        counts, _ = np.histogram(values, edges)
        traces.append({
            "type": "scatter", "mode": "lines", "fill": "tozeroy", "name": literal(name, longest=40),
            "x": np.repeat(edges, 2)[1:-1].tolist(), "y": np.repeat(counts, 2).tolist(),
            "line": {"color": ROBUST if name == first else CLEAN, "width": 2,
                     "dash": "solid" if name == first else "dot"},
            "hovertemplate": "%{y} classes near %{x:.0f} %<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    made = layout(height=300)
    made["xaxis"] = axis("accuracy of a class", grid=False) | {"range": [0, 100], "ticksuffix": " %"}
    made["yaxis"] = axis("classes", grid=True) | {"rangemode": "tozero"}
    return {"data": traces, "layout": made}


def confusion_figure(cell: Cell) -> Figure:
    """Counts of true class (row) by prediction (column); the colour is the share of the true class, errors only."""
    counts, share = confusion_shares(cell)
    names = [entry["name"] for entry in cell["classes"]]
    few = len(names) <= WITH_COUNTS
    right = np.eye(len(names), dtype=bool)
    worst = max(float(share[~right].max(initial=0)), 1.0)
    grey = ((0.0, DIAGONAL), (1.0, DIAGONAL))
    traces = [
        {
            "type": "heatmap", "z": np.where(hidden, np.array(None), share).tolist(),
            "customdata": counts.tolist(), "zmin": 0, "zmax": top, "colorscale": scale, "showscale": False,
            "xgap": 2 if few else 0, "ygap": 2 if few else 0, "hoverongaps": False,
            "hovertemplate": "%{y} seen as %{x}: %{customdata} (%{z:.1f} %)<extra></extra>",
            **({"text": np.where(hidden | (counts == 0), "", counts.astype(str)).tolist(),
                "texttemplate": "%{text}"} if few else {}),
        }
        # Above that size the diagonal is left blank: the page stays small and the errors are what it is about.
        for hidden, scale, top in ((right, SCALE, worst), (~right, grey, 100.0))[: 2 if few else 1]
    ]  # fmt: skip
    names_axis = class_axis(names, size=12 if few else 9 if len(names) <= 60 else 7)
    made = layout(height=min(150 + 42 * len(names), 1000), top=10)
    made["yaxis"] = names_axis | {"title": title("true class")}
    across = {"title": title("predicted class"), "range": [-0.6, len(names) - 0.4], "tickangle": -45}
    made["xaxis"] = names_axis | across
    return {"data": traces, "layout": made}


def confusion_shares(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Counts of shape (K, K), row = true class, and the same in per cent of the row, to two decimals."""
    assert cell["confusion"] is not None, "above 100 classes there is no full matrix"
    counts = np.array(cell["confusion"])
    return counts, np.round(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), 2)


def attraction_figure(cell: Cell) -> Figure:
    """Left: each class's share of all errors as their target (CFPS). Right: how many errors it draws and suffers."""
    entries = sorted(cell["classes"], key=lambda entry: -entry["false_positives"])
    entries = entries if len(entries) <= FEW else entries[:WEAKEST]
    shares = [_per_cent(entry["cfps"]) for entry in entries]
    drawn = [entry["false_positives"] for entry in entries]
    suffered = [entry["samples"] - entry["correct"] for entry in entries]
    traces = [
        {
            "type": "bar", "orientation": "h", "name": name, "x": values, "y": list(range(len(entries))),
            "xaxis": axis, "showlegend": axis == "x2", "customdata": [literal(entry["name"], 60) for entry in entries],
            "marker": {"color": colour,
                       "pattern": {"shape": pattern, "size": 5, "fgcolor": PAPER, "fillmode": "overlay"}},
            "hovertemplate": f"%{{customdata}}: %{{x:{form}<extra>{name}</extra>",
            **({"error_x": _limits(entries)} if axis == "x" else {}),
        }
        for axis, name, values, colour, pattern, form in (
            ("x", "CFPS", shares, ROBUST, "", ".1f} %"),
            ("x2", "errors drawn (false positives)", drawn, ROBUST, "", ",d}"),
            ("x2", "errors suffered (false negatives)", suffered, CLEAN, "/", ",d}"),
        )
    ]  # fmt: skip
    equal = 100 / len(cell["classes"])
    numbers = {"rangemode": "tozero", "nticks": 5, "tickangle": 0}
    made = layout(height=150 + 30 * len(entries)) | {"barmode": "group", "bargap": 0.35}
    made["xaxis"] = axis("CFPS (dotted: an equal share)", grid=True) | numbers | {"domain": [0, 0.475]}
    made["xaxis"]["ticksuffix"] = " %"
    made["xaxis2"] = axis("errors", grid=True) | numbers | {"domain": [0.525, 1], "anchor": "y"}
    made["yaxis"] = class_axis([entry["name"] for entry in entries])
    made["shapes"] = [{"type": "line", "xref": "x", "yref": "paper", "x0": equal, "x1": equal, "y0": 0, "y1": 1,
                         "line": {"color": MUTED, "dash": "dot", "width": 1.5}}]  # fmt: skip
    return {"data": traces, "layout": made}


def _limits(entries: list[ClassEntry]) -> Figure:
    """CFPS's intervals as error bars; none where one is unknown."""
    bars = [(e["cfps_low"], e["cfps"], e["cfps_high"]) for e in entries]
    known = [(low, share, high) if low is not None and share is not None and high is not None else (0.0, 0.0, 0.0)
             for low, share, high in bars]  # fmt: skip
    return {
        "type": "data", "symmetric": False, "array": [100 * (high - share) for _, share, high in known],
        "arrayminus": [100 * (share - low) for low, share, _ in known], "color": INK, "thickness": 1.2, "width": 3,
    }  # fmt: skip


def _drawing_order(summary: Summary, first: str) -> list[tuple[str, Cell]]:
    """The headline first, then clean, then the rest in their order; single corruptions have a picture of their own."""
    together = single_corruptions(summary)
    found = {name: cell for name, cell in cells(summary).items() if name not in together}
    names = list(dict.fromkeys([first, *(["clean"] if "clean" in found else []), *found]))
    return [(name, found[name]) for name in names]


def _per_cent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _above(entry: ClassEntry) -> float:
    return 100 * ((entry["high"] or 0.0) - (entry["accuracy"] or 0.0))


def _below(entry: ClassEntry) -> float:
    return 100 * ((entry["accuracy"] or 0.0) - (entry["low"] or 0.0))


def layout(height: int, top: int = 40) -> Figure:
    """What all pictures share; `height` and `top` margin in pixels."""
    return {
        "height": height,
        "margin": {"l": 10, "r": 16, "t": top, "b": 50},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 13, "color": INK},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"},
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": MUTED, "font": {"color": INK}},
    }


def title(text: str) -> Figure:
    """An axis title."""
    return {"text": text, "font": {"color": MUTED, "size": 12}, "standoff": 8}


def axis(name: str, *, grid: bool) -> Figure:
    """An axis of numbers."""
    return {
        "title": title(name), "showgrid": grid, "gridcolor": LINE, "zeroline": False, "linecolor": LINE,
        "fixedrange": True, "automargin": True, "ticks": "", "tickfont": {"color": MUTED},
    }  # fmt: skip


def class_axis(names: list[str], size: int = 13) -> Figure:
    """A numbered axis that shows names, the first on top."""
    return axis("", grid=False) | {
        "tickvals": list(range(len(names))), "ticktext": [literal(name) for name in names],
        "range": [len(names) - 0.4, -0.6], "tickfont": {"color": INK, "size": size},
    }  # fmt: skip
