"""The report's tables as texts, from one summary: classes (weakest first), threats, corruptions, pairs, features.

The terminal, Markdown and LaTeX print these very texts, so they cannot disagree.
"""

from dataclasses import dataclass, replace

from weakspot.report.curves import curve_grids
from weakspot.report.grid import Grid as Grid
from weakspot.report.imbalance_tables import imbalance_grids
from weakspot.report.latent_tables import latent_grids
from weakspot.report.overstated_tables import overstated_grids
from weakspot.report.relation_tables import relation_grids
from weakspot.report.schema import Cell, ClassEntry, Summary, WorstClass
from weakspot.report.schema_cell import Role
from weakspot.report.words import (
    NONE,
    amount,
    balanced,
    cells,
    chance,
    chances,
    headline,
    images,
    limited,
    percent,
    points,
    printable,
    single_corruptions,
    weakness,
)

TOP_PAIRS = 10
"""How many directed pairs the tables list."""


@dataclass(frozen=True)
class Row:
    """One class as it stands in every table; shares in [0, 1] or None."""

    number: int
    name: str
    images: int
    headline: ClassEntry
    clean: ClassEntry | None
    corrupted: ClassEntry | None
    worst: bool


def class_rows(summary: Summary) -> list[Row]:
    """The classes, weakest first under the run's headline (`words.headline`); classes without samples last."""
    name, cell = headline(summary)
    if cell is None:
        return []
    clean, corrupted = summary["threats"].get("clean"), summary["corrupted"]
    counts = images(summary, name)
    rows = [
        Row(
            number=c,
            name=printable(entry["name"]),
            images=counts[c],
            headline=entry,
            clean=clean["classes"][c] if clean else None,
            corrupted=corrupted["classes"][c] if corrupted else None,
            worst=False,
        )
        for c, entry in enumerate(cell["classes"])
    ]
    rows.sort(key=lambda row: weakness(row.headline))
    if cell["worst_class"] is not None:
        rows[0] = replace(rows[0], worst=True)
    return rows


def rate(entry: Cell | ClassEntry | WorstClass | None) -> str:
    """A rate with its interval: 41.3 [38.3, 44.4]."""
    return NONE if entry is None else limited(entry["accuracy"], entry["low"], entry["high"])


def columns(summary: Summary) -> dict[str, list[str]]:
    """The table of classes by heading, a line per class, in per cent."""
    name, _ = headline(summary)
    rows = class_rows(summary)
    made = {
        "class": [row.name for row in rows],
        "n": [f"{row.images:,}" for row in rows],
        name: [rate(row.headline) for row in rows],
    }
    if name != "clean" and "clean" in summary["threats"]:
        made["clean"] = [rate(row.clean) for row in rows]
    if name != "corrupted" and summary["corrupted"] is not None:
        made["corrupted"] = [rate(row.corrupted) for row in rows]
    if "clean" in made:
        made["natural error"] = [percent(row.headline["natural_error"]) for row in rows]
        made["boundary error"] = [percent(row.headline["boundary_error"]) for row in rows]
    made["false pos."] = [f"{row.headline['false_positives']:,}" for row in rows]
    if sizes_differ(summary):
        made["false pos. rate"] = [percent(row.headline["false_positive_rate"]) for row in rows]
    made["CFPS"] = [limited(row.headline["cfps"], row.headline["cfps_low"], row.headline["cfps_high"]) for row in rows]
    made["CFNS"] = [limited(row.headline["cfns"], row.headline["cfns_low"], row.headline["cfns_high"]) for row in rows]
    return made


def sizes_differ(summary: Summary) -> bool:
    """Whether the classes differ in their numbers of images, so that CFPS favours large ones as sources of errors."""
    name, cell = headline(summary)
    return cell is not None and len(set(images(summary, name))) > 1


def overall(summary: Summary) -> dict[str, str]:
    """The last line of the table of classes: all together, under the same headings as `columns`."""
    name, cell = headline(summary)
    if cell is None:
        return {}
    last = {"class": "all", "n": f"{sum(images(summary, name)):,}", name: rate(cell)}
    for other in ("clean", "corrupted"):
        if other != name and other in cells(summary):
            last[other] = rate(cells(summary)[other])
    last["false pos."] = f"{sum(entry['false_positives'] for entry in cell['classes']):,}"
    return last


def grids(summary: Summary) -> list[Grid]:
    """All tables that this run fills, the classes first."""
    made = [Grid("Classes", columns(summary), ("class",), overall(summary))] if class_rows(summary) else []
    made += [_threats(summary), *overstated_grids(summary)]
    makers = (disparity, _corruptions, _severities, _pairs, _roles)
    made += [*(make(summary) for make in makers), *relation_grids(summary)]
    made += [*imbalance_grids(summary), *curve_grids(summary)]
    made += latent_grids(summary)
    return [grid for grid in made if any(grid.columns.values())]


def _threats(summary: Summary) -> Grid:
    together = single_corruptions(summary)
    shown = {name: cell for name, cell in cells(summary).items() if name not in together}
    worst = [cell["worst_class"] for cell in shown.values()]
    made = {
        "threat": [printable(name) for name in shown],
        "n": [f"{sum(images(summary, name)):,}" for name in shown],
        "accuracy": [rate(cell) for cell in shown.values()],
        "worst class": [NONE if one is None else f"{printable(one['name'])}: {rate(one)}" for one in worst],
    }
    return Grid("Threats", made, ("threat", "worst class"))


def disparity(summary: Summary) -> Grid:
    """How unevenly accuracy is spread over classes: clean, under the headline, and under corruptions."""
    shown = {
        name: cell for name, cell in cells(summary).items() if name in ("clean", "corrupted", headline(summary)[0])
    }
    spread = [cell["disparity"] for cell in shown.values()]
    made = {
        "condition": [printable(name) for name in shown],
        "balanced": [balanced(cell) for cell in shown.values()],
        "weakest, mean": [f"{percent(one['worst_mean'])} (of {one['k']})" for one in spread],
        "gap": [percent(one["gap"]) for one in spread],
        "spread": [percent(one["spread"]) for one in spread],
        "without noise": [percent(one["spread_without_noise"]) for one in spread],
        "p of equal": [chances(one["equal_p"]) for one in spread],
        "NRR": [percent(one["nrr"]) for one in spread],
    }
    return Grid("Disparity over classes", made, ("condition",))


def _corruptions(summary: Summary) -> Grid:
    found = summary["corrupted"]
    entries = [] if found is None else found["by_corruption"]
    names = [] if found is None else [entry["name"] for entry in found["classes"]]
    weakest = [
        min((c for c, one in enumerate(entry["classes"]) if one["accuracy"] is not None),
            key=lambda c: entry["classes"][c]["accuracy"] or 0.0, default=None)
        for entry in entries
    ]  # fmt: skip
    made = {
        "corruption": [printable(entry["name"]) for entry in entries],
        "accuracy": [limited(entry["accuracy"], entry["low"], entry["high"]) for entry in entries],
        "weakest class": [
            NONE if c is None else f"{printable(names[c])}: {percent(entry['classes'][c]['accuracy'])}"
            for entry, c in zip(entries, weakest, strict=True)
        ],
        "per severity": [points(entry["slope"]) for entry in entries],
    }
    return Grid("Corruptions, meaned over severities", made, ("corruption", "weakest class"))


def _severities(summary: Summary) -> Grid:
    entries = [] if summary["corrupted"] is None else summary["corrupted"]["by_severity"]
    made = {
        "severity": [str(entry["severity"]) for entry in entries],
        "accuracy": [limited(entry["accuracy"], entry["low"], entry["high"]) for entry in entries],
    }
    return Grid("Corruptions by severity", made, ("severity",))


def _pairs(summary: Summary) -> Grid:
    found = [] if summary["pairs"] is None else summary["pairs"]["top"][:TOP_PAIRS]
    made = {
        "from": [printable(pair["source"]) for pair in found],
        "to": [printable(pair["target"]) for pair in found],
        "success": [limited(pair["success"], pair["low"], pair["high"]) for pair in found],
        "back": [percent(pair["back"]) for pair in found],
        "symmetric": [percent(pair["symmetric"]) for pair in found],
        "asymmetric": [points(pair["asymmetric"]) for pair in found],
        "n": [f"{pair['samples']:,}" for pair in found],
        "already clean": [f"{pair['already']:,}" for pair in found],
    }
    if any(pair["least_radius"] is not None for pair in found):
        made["least radius"] = [amount(pair["least_radius"]) for pair in found]
    return Grid("Directed pairs, easiest first", made, ("from", "to"))


def _roles(summary: Summary) -> Grid:
    name, cell = headline(summary)
    return roles(name, cell)


def roles(name: str, cell: Cell | None) -> Grid:
    """The classes that attract errors or leak under the threat of that name."""
    found: list[tuple[str, Role]] = []
    if cell is not None:
        found = [("attracts", role) for role in cell["attractors"]] + [("leaks", role) for role in cell["leaks"]]
    made = {
        "class": [printable(role["name"]) for _, role in found],
        "role": [kind for kind, _ in found],
        "errors": [f"{role['count']:,}" for _, role in found],
        "by chance": [f"{role['expected']:,.1f}" for _, role in found],
        "share": [limited(role["share"], role["low"], role["high"]) for _, role in found],
        "p": [chances(role["p"]) for _, role in found],
    }
    return Grid(f"Classes that attract errors or leak ({printable(name)})", made, ("class", "role"))


def about_the_worst(summary: Summary) -> str | None:
    """How sure the worst class is, in one sentence."""
    _, cell = headline(summary)
    if cell is None or (worst := cell["worst_class"]) is None:
        return None
    said = f"Worst class {printable(worst['name'])}: {rate(worst)}"
    if worst["corrected"] is None:
        return f"{said}."
    return (
        f"{said}; corrected for being the lowest: {percent(worst['corrected'])}; the worst one with a probability of "
        f"{chance(worst['probability'])} %."
    )
