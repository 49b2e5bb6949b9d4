"""What the report shows of training counts: two tables, CSV lines, a picture and sentences."""

from collections.abc import Iterator, Mapping
from typing import Any

from weakspot.report.figures import CLEAN, PAPER, ROBUST, Figure, axis, layout, literal
from weakspot.report.grid import Grid
from weakspot.report.schema import ClassEntry, Summary
from weakspot.report.schema_imbalance import GapEstimate, Imbalance, ImbalancedCondition, ShareEstimate
from weakspot.report.schema_pairs import Correlation
from weakspot.report.words import NONE, balanced, cells, headline, limited, percent, points, printable, rank

LISTED = 40
"""Up to this many classes stand one by one in the table, the most frequent first."""
TRAINED = (
    *("training", "group"),
    *(
        f"{name}_{end}"
        for name in ("natural_error", "boundary_error", "false_positive_rate")
        for end in ("low", "high")
    ),
)
"""The CSV columns that only lines of training counts fill."""


def _shown(summary: Summary) -> list[tuple[str, ImbalancedCondition]]:
    """What the run is judged by, then clean."""
    found = summary["imbalance"]
    if found is None:
        return []
    names = dict.fromkeys((headline(summary)[0], "clean"))
    return [(name, found["conditions"][name]) for name in names if name in found["conditions"]]


def imbalance_grids(summary: Summary) -> list[Grid]:
    """The groups, then (of few classes) each class by its training count."""
    found, shown = summary["imbalance"], _shown(summary)
    if found is None or not shown:
        return []
    first = shown[0][1]["groups"]
    made = {
        "group": [str(group["name"]) for group in first],
        "classes": [str(len(group["classes"])) for group in first],
        "trained on": [f"{group['training']:,}" for group in first],
        **{name: [_limited(group["accuracy"]) for group in each["groups"]] for name, each in shown},
    }
    if shown[0][0] == "robust":
        made["natural error"] = [_limited(group["natural_error"]) for group in first]
        made["boundary error"] = [_limited(group["boundary_error"]) for group in first]
    made["false pos. rate"] = [_limited(group["false_positive_rate"]) for group in first]
    last = {"group": "balanced", "classes": str(len(found["counts"])), "trained on": f"{sum(found['counts']):,}"}
    last |= {name: balanced(cells(summary)[name]) for name, _ in shown}
    groups = Grid("Classes by training count, means over classes", made, ("group",), last)
    return [groups, _classes(summary, found, shown)] if len(found["counts"]) <= LISTED else [groups]


def _classes(summary: Summary, found: Imbalance, shown: list[tuple[str, ImbalancedCondition]]) -> Grid:
    """Each class with its training count, the most frequent first."""
    order = sorted(range(len(found["counts"])), key=lambda c: -found["counts"][c])
    entries = {name: [cells(summary)[name]["classes"][c] for c in order] for name, _ in shown}
    first = next(iter(entries.values()))
    made = {
        "class": [printable(entry["name"]) for entry in first],
        "trained on": [f"{found['counts'][c]:,}" for c in order],
        "group": [str(found["members"][c]) for c in order],
        **{name: [limited(one["accuracy"], one["low"], one["high"]) for one in each] for name, each in entries.items()},
        "false pos. rate": [percent(entry["false_positive_rate"]) for entry in first],
    }
    return Grid("Accuracy against training count", made, ("class", "group"))


def _limited(found: ShareEstimate) -> str:
    return NONE if found["value"] is None else limited(found["value"], found["low"], found["high"])


def imbalance_sentences(summary: Summary) -> list[str]:
    """What training counts go with, and what one model cannot tell."""
    found, shown = summary["imbalance"], _shown(summary)
    if found is None or not shown:
        return []
    many, few = max(found["counts"]), min(found["counts"])
    name, first = shown[0]
    with_accuracy = _both(first["accuracy"], first["accuracy_images"])
    with_attraction = _both(first["attraction"], first["attraction_images"])
    return [
        f"Trained on {printable(found['data'])}: {many:,} to {few:,} samples of a class. Accuracy of the head minus "
        f"that of the tail ({name}): {_points(first['gap'])} points.",
        f"Rank correlation of training count with {name} accuracy: {with_accuracy}; with the rate of false "
        f"positives: {with_attraction}.",
        "One model cannot tell a class that is rare from one that is hard: that takes models trained with other orders "
        "of the classes (+lt_order=1), and weakspot rarity.",
    ]


def _points(found: GapEstimate) -> str:
    limits = "" if found["low"] is None else f" [{points(found['low'])}, {points(found['high'])}]"
    return f"{points(found['value'])}{limits}"


def _both(classes: Correlation, images: Correlation) -> str:
    if classes["value"] is None:
        return "undefined"
    limits = [
        f"[{rank(one['low'])}, {rank(one['high'])}] (resampling {one['resampled']})"
        for one in (classes, images)
        if one["low"] is not None
    ]
    return " ".join([rank(classes["value"]), " and ".join(limits)]).strip()


def imbalance_lines(summary: Summary) -> Iterator[Mapping[str, Any]]:
    """The CSV lines: scope group, a line for each group and condition; scope trained, one for each class."""
    found = summary["imbalance"]
    if found is None:
        return
    for c, name in enumerate(summary["data"]["classes"]):
        yield {
            "threat": found["data"], "scope": "trained", "class": name, "training": found["counts"][c],
            "group": found["members"][c],
        }  # fmt: skip
    for condition, each in found["conditions"].items():
        for group in each["groups"]:
            line: dict[str, Any] = {
                "threat": condition, "kind": cells(summary)[condition]["kind"], "scope": "group",
                "group": group["name"], "training": group["training"], "samples": group["samples"],
                "accuracy": group["accuracy"]["value"], "low": group["accuracy"]["low"],
                "high": group["accuracy"]["high"],
            }  # fmt: skip
            for key, one in (
                ("natural_error", group["natural_error"]),
                ("boundary_error", group["boundary_error"]),
                ("false_positive_rate", group["false_positive_rate"]),
            ):
                line |= {key: one["value"], f"{key}_low": one["low"], f"{key}_high": one["high"]}
            yield line


def imbalance_figure(summary: Summary) -> Figure:
    """Accuracy of each class against its training count, on a logarithmic axis; a class without any is left out."""
    found = summary["imbalance"]
    assert found is not None, "a run without training counts has no picture"
    traces = []
    for name, _ in _shown(summary):
        colour, symbol = (CLEAN, "circle") if name == "clean" else (ROBUST, "diamond")
        every = list(zip(found["counts"], cells(summary)[name]["classes"], strict=True))
        known = [(count, entry) for count, entry in every if count and entry["accuracy"] is not None]
        traces.append({
            "type": "scatter", "mode": "markers", "name": literal(name, longest=40),
            "x": [count for count, _ in known], "y": [_per_cent(entry["accuracy"]) for _, entry in known],
            "error_y": {"type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 3,
                        "array": [_reach(entry, "high") for _, entry in known],
                        "arrayminus": [_reach(entry, "low") for _, entry in known]},
            "marker": {"symbol": symbol, "size": 10, "color": colour, "line": {"width": 1, "color": PAPER}},
            "customdata": [literal(entry["name"], 60) for _, entry in known],
            "hovertemplate": "%{customdata}: %{x:,} samples, %{y:.1f} %<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    made = layout(height=380)
    ticks = _ticks([count for count in found["counts"] if count])
    made["xaxis"] = axis("training samples of the class", grid=False) | {
        "type": "log", "tickvals": ticks, "ticktext": [f"{tick:,}" for tick in ticks],
    }  # fmt: skip
    made["yaxis"] = axis("accuracy (%)", grid=True) | {"range": [-2, 102]}
    return {"data": traces, "layout": made}


def _ticks(counts: list[int]) -> list[int]:
    """Round numbers around all counts; plotly's own labels say 2 and 5 where 200 and 500 are meant."""
    steps = [digit * 10**power for power in range(len(str(max(counts))) + 1) for digit in (1, 2, 5)]
    return [step for step in steps if min(counts) / 2 < step < 2 * max(counts)]


def _per_cent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _reach(entry: ClassEntry, end: str) -> float:
    """From a class's accuracy to one end of its interval, in per cent."""
    value, limit = entry["accuracy"], entry["high"] if end == "high" else entry["low"]
    return 0.0 if value is None or limit is None else round(100 * abs(limit - value), 2)
