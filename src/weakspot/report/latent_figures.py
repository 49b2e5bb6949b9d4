"""The page's pictures of feature space: maps of images, clean and attacked, and distances between class means."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from weakspot.report.figures import (
    CLEAN,
    FEW,
    INK,
    MUTED,
    OTHERS,
    PAPER,
    ROBUST,
    SCALE,
    WITH_COUNTS,
    Figure,
    axis,
    class_axis,
    layout,
    literal,
    title,
)
from weakspot.report.latent_tables import length, ordered
from weakspot.report.schema import Summary
from weakspot.report.words import amount

COLOURS = (CLEAN, ROBUST, *OTHERS[:3], "#c2477a", "#4f62c4", "#5d8a1f", "#3f9fb5", OTHERS[-1])
"""One for each class on a map; the classes beyond them share one grey."""
NEARER = tuple((1 - place, colour) for place, colour in reversed(SCALE))
"""Strong where classes are near to each other."""


def latent_drawings(summary: Summary, found: Mapping[str, Any] | None) -> dict[str, Figure]:
    """The pictures by the element that they fill; `found` is the whole of latent.json."""
    if found is None or summary["latent"] is None:
        return {}
    drawn = {}
    for method in ("pca", "tsne"):
        if found["maps"][method] is not None:
            drawn[f"latent-{method}"] = map_figure(summary, found["maps"], method)
    if found["distances"] is not None and len(found["classes"]) <= FEW:
        drawn["latent-distances"] = distance_figure(summary, found["distances"])
    return drawn


def map_figure(summary: Summary, maps: Mapping[str, Any], method: str) -> Figure:
    """Each image as a point: a disc when clean, a cross in the same colour when attacked; a trace for each class."""
    latent = summary["latent"]
    assert latent is not None, "the caller has looked"
    names = [entry["name"] for entry in latent["classes"]]
    place = {id(entry): c for c, entry in enumerate(latent["classes"])}
    order = [place[id(entry)] for entry in ordered(summary, latent)]
    label, drawn = np.array(maps["label"]), maps[method]
    groups = _groups([c for c in order if (label == c).any()])
    traces: list[Figure] = []
    for called, members, colour in groups:
        name = literal(names[members[0]] if called is None else called, longest=24)
        at = np.flatnonzero(np.isin(label, members))
        for side, symbol, size in (("clean", "circle", 5), ("attacked", "x-thin", 5)):
            if drawn[side] is None:
                continue
            points = np.array(drawn[side])[at]
            seen = maps[f"{side}_prediction"]
            traces.append({
                "type": "scatter", "mode": "markers", "name": name, "legendgroup": name, "showlegend": side == "clean",
                "x": points[:, 0].tolist(), "y": points[:, 1].tolist(),
                "marker": {"symbol": symbol, "size": size, "color": colour,
                           "opacity": 0.75 if side == "clean" else 0.6,
                           "line": {"width": 0.5 if side == "clean" else 1.2,
                                    "color": PAPER if side == "clean" else colour}},
                "text": [literal(names[label[i]], 40) for i in at],
                "customdata": [[maps["sample"][i], literal(names[seen[i]], 40)] for i in at],
                "hovertemplate": f"%{{text}}, {side}: seen as %{{customdata[1]}} (sample %{{customdata[0]}})"
                                 "<extra></extra>",
            })  # fmt: skip
    made = layout(height=560)
    made["legend"] |= {"itemsizing": "constant", "font": {"size": 12}}
    made["xaxis"], made["yaxis"] = (_plane_axis(drawn, number) for number in range(2))
    if method == "pca":
        made["yaxis"] |= {"scaleanchor": "x"}  # a distance is as long in either direction
    else:
        made["margin"]["b"] = 10
        made["annotations"] = [_name_at(names[c], np.array(drawn["clean"])[label == c]) for c in _few(groups)]
    return {"data": traces, "layout": made}


def _groups(order: list[int]) -> list[tuple[str | None, list[int], str]]:
    """What shares a trace: (its name if it is no class, the classes, their colour); the weakest classes come first."""
    if len(order) <= len(COLOURS):
        return [(None, [c], colour) for c, colour in zip(order, COLOURS, strict=False)]
    alone = len(COLOURS) - 1
    others = order[alone:]
    found: list[tuple[str | None, list[int], str]] = [(f"{len(others):,} less weak classes", others, MUTED)]
    return found + [(None, [c], colour) for c, colour in zip(order[:alone], COLOURS, strict=False)]


def _few(groups: list[tuple[str | None, list[int], str]]) -> list[int]:
    return [members[0] for called, members, _ in groups if called is None]


def _plane_axis(drawn: Mapping[str, Any], number: int) -> Figure:
    """An axis of a map: of t-SNE without numbers, which mean nothing there."""
    if drawn["explained"] is None:
        return axis("", grid=False) | {"showticklabels": False, "showline": True, "mirror": True}
    share = amount(100 * drawn["explained"][number])
    return axis(f"component {number + 1} ({share} % of the variance)", grid=True)


def _name_at(name: str, points: np.ndarray) -> Figure:
    """The class's name where the middle of its clean images is."""
    x, y = np.median(points, axis=0)
    return {
        "x": float(x), "y": float(y), "text": literal(name, 20), "showarrow": False,
        "font": {"size": 12, "color": INK}, "bgcolor": PAPER, "opacity": 0.8, "borderpad": 1,
    }  # fmt: skip


def distance_figure(summary: Summary, distances: Mapping[str, Any]) -> Figure:
    """Distances between the clean means of the classes, weakest class first; the nearer, the stronger the colour."""
    latent = summary["latent"]
    assert latent is not None, "the caller has looked"
    place = {id(entry): c for c, entry in enumerate(latent["classes"])}
    shown = [place[id(entry)] for entry in ordered(summary, latent) if entry["samples"]]
    names = [latent["classes"][c]["name"] for c in shown]
    few = len(names) <= WITH_COUNTS
    crossed = distances.get("attacked_to_clean")

    def table(of: Mapping[str, Any], kind: str) -> list[list[float | None]]:
        return [[None if i == j else of[kind][i][j] for j in shown] for i in shown]

    clean = table(distances["clean"], "euclidean")
    known = [value for row in clean for value in row if value is not None]
    cosine = table(distances["clean"], "cosine")
    moved = None if crossed is None else table(crossed, "euclidean")
    told = [
        [
            [length(cosine[i][j]), "" if moved is None else f", attacked {length(moved[i][j])}"]
            for j in range(len(shown))
        ]
        for i in range(len(shown))
    ]
    trace = {
        "type": "heatmap", "z": clean, "zmin": min(known, default=0.0), "zmax": max(known, default=1.0),
        "colorscale": NEARER, "showscale": False, "xgap": 2 if few else 0, "ygap": 2 if few else 0,
        "hoverongaps": False, "customdata": told,
        "hovertemplate": "%{y} to %{x}: %{z:.3g}%{customdata[1]}; cosine %{customdata[0]}<extra></extra>",
        **({"text": [["" if value is None else length(value) for value in row] for row in clean],
            "texttemplate": "%{text}"} if few else {}),
    }  # fmt: skip
    made = layout(height=min(150 + 42 * len(names), 1000), top=10)
    names_axis = class_axis(names, size=12 if few else 9)
    made["yaxis"] = names_axis | {"title": title("from the mean of")}
    made["xaxis"] = names_axis | {"title": title("to that of"), "range": [-0.6, len(names) - 0.4], "tickangle": -45}
    return {"data": [trace], "layout": made}
