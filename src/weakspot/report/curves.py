"""Accuracy against radius as a section of the report: summary, table, CSV lines and picture from one query."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from weakspot.addresses import Radius, ThreatAddress
from weakspot.analysis.curves import accuracy_curves, radii_up_to
from weakspot.outcomes import Outcomes
from weakspot.report.figures import CLEAN, INK, MUTED, OTHERS, ROBUST, SYMBOLS, Figure, axis, layout, literal
from weakspot.report.grid import Grid
from weakspot.report.numbers import number, numbers
from weakspot.report.schema import Summary
from weakspot.report.schema_curves import ClassCurve, Curve
from weakspot.report.words import NONE, percent, printable

SHOWN = 5
"""How many classes the picture and the table have, the weakest ones by area."""
COLUMNS = 6
"""How many radii the table has at most, the first and the last among them; the CSV has all."""
POINTS = 8
"""Radii of a `curve` threat whose address names no other number."""
NORMS: tuple[Literal["linf", "l2"], ...] = ("linf", "l2")


def curves(manifest: Mapping[str, Any], rows: Mapping[str, Outcomes], names: list[str]) -> list[Curve]:
    """A curve for each norm in which attacks looked at two radii or more."""
    found = []
    for norm in NORMS:
        attacked = {
            threat["address"]: Radius.of(threat["radius"])
            for threat in manifest["threats"]
            if threat["kind"] == "adversarial" and threat["radius"] and threat["address"] in rows
        }
        threats = [address for address, radius in attacked.items() if radius.norm == norm]
        radii = {one.size: one for address in threats for one in _looked_at(address, attacked[address]) if one.size}
        if len(radii) < 2:
            continue
        ordered = [radii[size] for size in sorted(radii)]
        table = Outcomes.join([rows[address] for address in threats])
        made = accuracy_curves(table, threats, norm, len(names), [float(radius) for radius in ordered])
        classes: list[ClassCurve] = [
            {
                "name": name, "samples": int(made.samples[c]), "accuracy": numbers(made.accuracy[:, c]),
                "low": numbers(made.low[:, c]), "high": numbers(made.high[:, c]), "area": number(made.area[c]),
            }
            for c, name in enumerate(names)
        ]  # fmt: skip
        found.append(Curve(
            norm=norm, threats=threats, radii=["0", *(str(radius).partition(":")[2] for radius in ordered)],
            sizes=[float(size) for size in made.radius], overall=numbers(made.overall), classes=classes,
        ))  # fmt: skip
    return found


def _looked_at(address: str, radius: Radius) -> list[Radius]:
    """The radii of one threat: a curve has several."""
    parts = ThreatAddress.of(address)
    if parts.name != "curve":
        return [radius]
    return radii_up_to(radius, int(dict(parts.options).get("points", POINTS)))


def weakest(curve: Curve) -> list[ClassCurve]:
    """The classes that are shown, weakest first."""
    known = [one for one in curve["classes"] if one["area"] is not None]
    return sorted(known, key=lambda one: one["area"] or 0.0)[:SHOWN]


def curve_grids(summary: Summary) -> list[Grid]:
    """A table for each norm: the weakest classes at each radius, then all samples."""
    return [_grid(curve) for curve in summary["curves"]]


def _grid(curve: Curve) -> Grid:
    shown = weakest(curve)
    columns = {"class": [*(printable(one["name"]) for one in shown), "all classes"]}
    last_one = len(curve["radii"]) - 1
    steps = min(last_one, COLUMNS - 1)
    for at in sorted({round(step * last_one / steps) for step in range(steps + 1)}):
        radius = curve["radii"][at]
        columns[radius] = [percent(share) for share in (*(one["accuracy"][at] for one in shown), curve["overall"][at])]
    columns["mean"] = [*(percent(one["area"]) for one in shown), NONE]
    return Grid(f"Accuracy against radius ({curve['norm']}), weakest classes", columns, ("class",))


def curve_lines(summary: Summary) -> Iterator[Mapping[str, Any]]:
    """The CSV lines: all samples, then each class, at each radius."""
    for curve in summary["curves"]:
        for at, size in enumerate(curve["sizes"]):
            start = {"threat": curve["norm"], "kind": "adversarial", "scope": "curve", "radius": size}
            yield {**start, "accuracy": curve["overall"][at]}
            for one in curve["classes"]:
                found = {key: one[key][at] for key in ("accuracy", "low", "high")}
                yield {**start, "class": one["name"], "samples": one["samples"], **found}


def curve_figure(curve: Curve) -> Figure:
    """A line for each of the weakest classes, the weakest one strong, and a dashed one for all samples."""
    colours, traces = (ROBUST, CLEAN, *OTHERS), []
    for place, one in enumerate(weakest(curve)):
        traces.append(_line(curve, literal(one["name"]), one["accuracy"], colours[place % len(colours)], place))
    overall = _line(curve, "all classes", curve["overall"], MUTED, len(traces))
    overall["line"] |= {"dash": "dash"}
    made = layout(height=380)
    made["xaxis"] = axis(f"radius ({curve['norm']})", grid=False) | {
        "tickvals": curve["sizes"], "ticktext": curve["radii"], "tickfont": {"color": INK, "size": 12},
    }  # fmt: skip
    made["yaxis"] = axis("accuracy (%)", grid=True) | {"range": [-2, 102]}
    return {"data": [*traces, overall], "layout": made}


def _line(curve: Curve, name: str, shares: list[float | None], colour: str, place: int) -> Figure:
    return {
        "type": "scatter", "mode": "lines+markers", "name": name, "x": curve["sizes"],
        "y": [None if share is None else round(100 * share, 2) for share in shares],
        "line": {"color": colour, "width": 3 if place == 0 else 1.5},
        "marker": {"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 8, "color": colour},
        "customdata": curve["radii"], "hovertemplate": "%{customdata}: %{y:.1f} %<extra>" + name + "</extra>",
    }  # fmt: skip
