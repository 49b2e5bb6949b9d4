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


def limited(share: float | None, low: float | None, high: float | None) -> str:
    """A share with its limits, in per cent: 41.3 [38.3, 44.4]."""
    return f"{percent(share)} {between(low, high)}".strip()


def balanced(cell: Cell) -> str:
    """The mean over classes with its interval."""
    return limited(cell["balanced_accuracy"], cell["balanced_low"], cell["balanced_high"])


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


def points(difference: float | None) -> str:
    """A difference of shares in percentage points with its sign: +1.2, -0.4."""
    return NONE if difference is None else f"{100 * difference:+.1f}"


def rank(value: float | None) -> str:
    """A rank correlation with two decimals and its sign: -0.62."""
    return NONE if value is None else f"{value:+.2f}"


def chances(p: float | None) -> str:
    """A p-value with two digits; below 0.001 only that it is: 0.024, < 0.001."""
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.2g}"


def headline(summary: Summary) -> tuple[str, Cell | None]:
    """What the run is judged by, and its name.

    It is the worst case over attacks; without attacks the mean over corruptions; without either the clean images.
    """
    if summary["robust"] is not None:
        return "robust", summary["robust"]
    if summary["corrupted"] is not None:
        return "corrupted", summary["corrupted"]
    name = next(iter(summary["threats"]), "")
    name = "clean" if "clean" in summary["threats"] else name
    return name, summary["threats"].get(name)


def weakness(entry: ClassEntry) -> tuple[float, int]:
    """Sorts classes, weakest first: by accuracy, of equals the one with most samples; without samples last.

    It is the rule by which `analysis.worst_class` names one, so that the first class is the one that it names.
    """
    return (2.0 if entry["accuracy"] is None else entry["accuracy"], -entry["samples"])


def cells(summary: Summary) -> dict[str, Cell]:
    """Every table of classes in the summary by its name: threats, "robust", "robust" at further radii, "corrupted"."""
    found = dict(summary["threats"])
    if summary["robust"] is not None:
        found["robust"] = summary["robust"]
    found |= {f"robust at {radius}": cell for radius, cell in summary["robust_at"].items()}
    return found if summary["corrupted"] is None else found | {"corrupted": summary["corrupted"]}


def single_corruptions(summary: Summary) -> set[str]:
    """The threats that "corrupted" means over: they are listed apart, since there may be a hundred."""
    together = summary["corrupted"]
    return set() if together is None else {t for entry in together["by_corruption"] for t in entry["threats"]}


def images(summary: Summary, name: str) -> list[int]:
    """How many images of each class the cell of that name rests on; under corruptions an image has several rows."""
    if name == "corrupted" and summary["corrupted"] is not None:
        return summary["corrupted"]["images"]
    return [entry["samples"] for entry in cells(summary)[name]["classes"]]


def protocol(summary: Summary) -> str:
    """Data, threats and number of samples in one line."""
    data = summary["data"]
    together = single_corruptions(summary)
    named = [name for name in summary["threats"] if name not in together]
    named += [f"{len(together)} corruption threats"] if together else []
    threats = ", ".join(named) or "no threats"
    return printable(f"{data['name']}, {data['samples']:,} samples, {len(data['classes']):,} classes; {threats}")


def spent(summary: Summary) -> str:
    """The cost in one line."""
    cost = summary["cost"]
    return (
        f"{amount(cost['forwards_per_sample'])} forward and {amount(cost['backwards_per_sample'])} backward passes "
        f"per sample, {duration(cost['seconds'])}"
    )
