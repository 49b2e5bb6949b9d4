"""How numbers and names read, the same in the terminal, Markdown, LaTeX and HTML."""

from weakspot.report.schema import Cell, ClassEntry, Summary

NONE = "-"
"""Stands for a value that is undefined."""


def printable(name: str) -> str:
    """`name` on one line, with control characters and text direction marks shown as their escapes.

    Names come from data sets and paths: as they are, they could move a terminal's cursor or turn a line round.
    """
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in name)


def percent(share: float | None) -> str:
    """A share in [0, 1] as per cent with one decimal, without the sign: 41.3."""
    return NONE if share is None else f"{100 * share:.1f}"


def chance(probability: float | None) -> str:
    """A simulated probability in per cent, which is never certain: over 99.9, under 0.1."""
    if probability is None or 0.001 <= probability <= 0.999:
        return percent(probability)
    return "over 99.9" if probability > 0.5 else "under 0.1"


def between(low: float | None, high: float | None) -> str:
    """An interval in per cent: [38.3, 44.4]; empty where it is undefined."""
    return "" if low is None or high is None else f"[{percent(low)}, {percent(high)}]"


def amount(value: float | None) -> str:
    """A count or a duration with three digits and thousands marked: 1,234; 12.3; 0.51."""
    if value is None:
        return NONE
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 42 s, 3 min 12 s, 2 h 5 min."""
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{amount(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def headline(summary: Summary) -> tuple[str, Cell | None]:
    """What the run is judged by, and its name: the worst case over attacks, without attacks the clean images."""
    if summary["robust"] is not None:
        return "robust", summary["robust"]
    name = next(iter(summary["threats"]), "")
    name = "clean" if "clean" in summary["threats"] else name
    return name, summary["threats"].get(name)


def weakness(entry: ClassEntry) -> tuple[float, int]:
    """Sorts classes, weakest first: by accuracy, of equals the one with most samples; without samples last.

    It is the rule by which `analysis.worst_class` names one, so that the first class is the one that it names.
    """
    return (2.0 if entry["accuracy"] is None else entry["accuracy"], -entry["samples"])


def cells(summary: Summary) -> dict[str, Cell]:
    """Every table of classes in the summary by its name: threats, then "robust", then "robust" at further radii."""
    found = dict(summary["threats"])
    if summary["robust"] is not None:
        found["robust"] = summary["robust"]
    return found | {f"robust at {radius}": cell for radius, cell in summary["robust_at"].items()}


def protocol(summary: Summary) -> str:
    """Data, threats and number of samples in one line."""
    data = summary["data"]
    threats = ", ".join(summary["threats"]) or "no threats"
    return printable(f"{data['name']}, {data['samples']:,} samples, {len(data['classes']):,} classes; {threats}")


def spent(summary: Summary) -> str:
    """The cost in one line."""
    cost = summary["cost"]
    return (
        f"{amount(cost['forwards_per_sample'])} forward and {amount(cost['backwards_per_sample'])} backward passes "
        f"per sample, {duration(cost['seconds'])}"
    )
