"""What the report shows of attacks that overstate robustness: two tables, a warning, CSV lines."""

from collections.abc import Iterator, Mapping
from typing import Any

from weakspot.report.grid import Grid
from weakspot.report.schema import Summary
from weakspot.report.schema_overstated import Overstated, OverstatedClass
from weakspot.report.words import NONE, between, limited, percent, printable

TITLE = "Overstated by one attack"
OVERSTATED = ("alone", "together", "flagged")
"""The CSV columns that only these lines fill."""
LISTED = 40
"""Of more classes than these, the table shows those of the largest lower limits."""
SCALE = "scale"
"""The check of `weakspot doctor --full` that tells whether the logits' scale misleads an attack."""
ABOUT = (
    "Overstated is the part of an attack's accuracy that all attacks of the run together do not confirm: images that "
    "it leaves right and another one breaks, in points. Accuracies are means over classes. Limits of a class hold for "
    "all classes at once. Flagged: more than a point for certain, overall or in a class; an attack that is weak by "
    "design (one step, no gradients of this model, or aimed at given classes) is listed, and not flagged."
)


def overstated_grids(summary: Summary) -> list[Grid]:
    """A line for each attack, then one for each class; none where no attack has another to be compared with."""
    found = summary["overstated"]
    if not found:
        return []
    most = [_most(each) for each in found]
    made = {
        "attack": [printable(each["threat"]) for each in found],
        "overstated": [limited(each["value"], each["low"], each["high"]) for each in found],
        "flag": ["overstates" if each["flagged"] else "weak by design" if each["weak"] else "" for each in found],
        "alone": [percent(each["alone"]) for each in found],
        "all together": [percent(each["together"]) for each in found],
        "most in": [NONE if one is None else f"{printable(one['name'])}: {_limited(one)}" for one in most],
        "classes flagged": [str(sum(one["flagged"] for one in each["classes"])) for each in found],
    }
    return [Grid(TITLE, made, ("attack", "flag", "most in")), *_classes(found)]


def _classes(found: list[Overstated]) -> list[Grid]:
    """A line for each class, the most overstated first; only of attacks that overstate any image."""
    shown = [each for each in found if any(one["count"] for one in each["classes"])]
    if not shown:
        return []
    # The order is that of the attack that matters most: a flagged one, of the largest part.
    first = max(shown, key=lambda each: (each["flagged"], each["value"] or 0.0))
    order = sorted(range(len(first["classes"])), key=lambda c: _certainty(first["classes"][c]), reverse=True)[:LISTED]
    made = {"class": [printable(first["classes"][c]["name"]) for c in order]}
    made |= {printable(each["threat"]): [_limited(each["classes"][c]) for c in order] for each in shown}
    left = len(first["classes"]) - len(order)
    title = f"Class by class, {TITLE[0].lower()}{TITLE[1:]}" + (f" ({left:,} classes left out)" if left else "")
    return [Grid(title, made, ("class",))]


def overstated_sentences(summary: Summary) -> list[str]:
    """What the tables are; empty without them."""
    return [ABOUT] if summary["overstated"] else []


def overstated_warning(summary: Summary, *, whole: bool = True) -> str:
    """What is overstated and what to do about it, on a short report in few words; "" where no attack is flagged."""
    flagged = [each for each in summary["overstated"] if each["flagged"]]
    if not flagged:
        return ""
    first = max(flagged, key=lambda each: each["value"] or 0.0)
    most = _most(first)
    said = f"{printable(first['threat'])} overstates by {percent(first['value'])} points "
    said += between(first["low"], first["high"])
    said += "" if most is None else f", most in {printable(most['name'])}: {_limited(most)}"
    if whole:
        ends = percent(first["alone"]), percent(first["together"])
        said += ": alone it shows {} % (mean over classes), all attacks together {} %".format(*ends)
    others = [printable(each["threat"]) for each in flagged if each is not first]
    said += f". So do {', '.join(others)}." if others else "."
    said += f" Do not publish {'one of their numbers' if others else 'its number'} alone"
    return f"{said}; {_why(summary)}" if whole else f"{said}."


def _why(summary: Summary) -> str:
    """Whether the logits' scale is why, as far as the run's checks say."""
    known = [doubt for doubt in summary["doubts"] if doubt["check"] == SCALE and doubt["figure"] is not None]
    if known and known[0]["status"] == "ok":
        return f"the check {SCALE} finds no reason in the scale of the logits."
    if known:
        return f"the check {SCALE} says why: the scale of the logits misleads the attack."
    return f"weakspot doctor MODEL --data DATA --full (check {SCALE}) tells whether the scale of the logits is why."


def overstated_lines(summary: Summary) -> Iterator[Mapping[str, Any]]:
    """The CSV lines, scope overstated: each attack over all classes, then each class."""
    for each in summary["overstated"]:
        start = {"threat": each["threat"], "kind": "adversarial", "scope": "overstated"}
        ends = {"share": each["value"], "low": each["low"], "high": each["high"], "flagged": each["flagged"]}
        yield {**start, **ends, "alone": each["alone"], "together": each["together"]}
        for one in each["classes"]:
            yield {
                **start, "class": one["name"], "samples": one["samples"], "count": one["count"], "share": one["value"],
                "low": one["low"], "high": one["high"], "flagged": one["flagged"],
            }  # fmt: skip


def _limited(one: OverstatedClass) -> str:
    return limited(one["value"], one["low"], one["high"])


def _certainty(one: OverstatedClass) -> tuple[float, float]:
    """Sorts classes by what is overstated for certain: the largest share may be that of the fewest images."""
    return (one["low"] or 0.0, -1.0 if one["value"] is None else one["value"])


def _most(each: Overstated) -> OverstatedClass | None:
    """The most overstated class; None where no image is."""
    most = max(each["classes"], key=_certainty)
    return most if most["count"] else None
