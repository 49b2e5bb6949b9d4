"""The page's pictures of corruptions (corruption x class, a trace per severity) and of directed pairs."""

import numpy as np

from weakspot.addresses import ThreatAddress
from weakspot.report.figures import (
    DIAGONAL,
    SCALE,
    WITH_COUNTS,
    Figure,
    class_axis,
    layout,
    title,
    weakest,
)
from weakspot.report.schema import Pairs, Summary
from weakspot.report.schema_corrupted import Corrupted

FADING = tuple((1 - place, colour) for place, colour in reversed(SCALE))
"""Dark where accuracy is low."""


def severities(found: Corrupted) -> list[str]:
    """What the severity control offers: their mean, then each."""
    return ["mean", *(str(entry["severity"]) for entry in found["by_severity"])]


def corruption_figure(summary: Summary) -> Figure:
    """Accuracy of each class under each corruption: a trace for the mean over severities, and hidden ones for each.

    Of many classes the weakest under corruptions are shown.
    """
    found = summary["corrupted"]
    assert found is not None, "a run without corruptions has no such picture"
    shown = weakest(found)
    names = [found["classes"][c]["name"] for c in shown]
    few = len(names) <= WITH_COUNTS
    traces = []
    for number, table in enumerate(_accuracies(summary, found)):
        values = 100 * table[:, shown]
        blank = np.where(np.isnan(values), np.array(None), np.round(values, 2)).tolist()
        traces.append({
            "type": "heatmap", "z": blank, "zmin": 0, "zmax": 100, "colorscale": FADING, "showscale": False,
            "visible": number == 0, "xgap": 2 if few else 0, "ygap": 2, "hoverongaps": False,
            "hovertemplate": "%{y}, %{x}: %{z:.1f} %<extra></extra>",
            **({"text": [["" if z is None else f"{z:.0f}" for z in row] for row in blank],
                "texttemplate": "%{text}"} if few else {}),
        })  # fmt: skip
    made = layout(height=150 + 34 * len(found["by_corruption"]), top=10)
    made["yaxis"] = class_axis([entry["name"] for entry in found["by_corruption"]])
    across = {"range": [-0.6, len(names) - 0.4], "tickangle": -45}
    made["xaxis"] = class_axis(names, size=12 if few else 9) | across
    return {"data": traces, "layout": made}


def _accuracies(summary: Summary, found: Corrupted) -> list[np.ndarray]:
    """Shares of shape (corruptions, classes): the mean over severities, then each severity; NaN where undefined."""
    rows = found["by_corruption"]
    tables = [np.array([[_known(one["accuracy"]) for one in entry["classes"]] for entry in rows])]
    for severity in (entry["severity"] for entry in found["by_severity"]):
        table = np.full(tables[0].shape, np.nan)
        for at, entry in enumerate(rows):
            for address in entry["threats"]:
                if ThreatAddress.of(address).place == str(severity):
                    table[at] = [_known(one["accuracy"]) for one in summary["threats"][address]["classes"]]
        tables.append(table)
    return tables


def _known(share: float | None) -> float:
    return np.nan if share is None else share


def pairs_figure(pairs: Pairs) -> Figure:
    """Success of each directed pair in per cent of the source's images; row = source, column = target."""
    assert pairs["success"] is not None, "above 100 classes there is no matrix"
    names, ended, samples, already = pairs["sources"], pairs["ended"], pairs["samples"], pairs["already"]
    few = len(names) <= WITH_COUNTS
    shares = [[None if share is None else round(100 * share, 2) for share in row] for row in pairs["success"]]
    top = max([share for row in shares for share in row if share is not None], default=0.0)
    counts = np.dstack([np.array(each) for each in (ended, samples, already)]).tolist()
    diagonal = [[0 if i == j else None for j in range(len(names))] for i in range(len(names))]
    traces = [
        {
            "type": "heatmap", "z": shares, "customdata": counts, "zmin": 0, "zmax": max(top, 1.0), "colorscale": SCALE,
            "showscale": False, "xgap": 2 if few else 0, "ygap": 2 if few else 0, "hoverongaps": False,
            "hovertemplate": "%{y} to %{x}: %{z:.1f} % (%{customdata[0]} of %{customdata[1]}, "
                             "%{customdata[2]} already when clean)<extra></extra>",
            **({"text": [["" if share is None else f"{share:.0f}" for share in row] for row in shares],
                "texttemplate": "%{text}"} if few else {}),
        },
        {"type": "heatmap", "z": diagonal, "colorscale": ((0.0, DIAGONAL), (1.0, DIAGONAL)), "showscale": False,
         "xgap": 2 if few else 0, "ygap": 2 if few else 0, "hoverinfo": "skip", "hoverongaps": False},
    ]  # fmt: skip
    names_axis = class_axis(names, size=12 if few else 9 if len(names) <= 60 else 7)
    made = layout(height=min(150 + 42 * len(names), 1000), top=10)
    made["yaxis"] = names_axis | {"title": title("from")}
    made["xaxis"] = names_axis | {"title": title("to"), "range": [-0.6, len(names) - 0.4], "tickangle": -45}
    return {"data": traces, "layout": made}
