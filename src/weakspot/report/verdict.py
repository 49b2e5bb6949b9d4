"""What a reader should take away first: the weakest class, and what its number does not say."""

from dataclasses import dataclass

from weakspot.report.schema import Cell, Summary
from weakspot.report.words import between, cells, chance, headline, images, percent, printable, weakness

FEW_SAMPLES = 100
"""Below this many images of a class its 95 % interval is wider than about 10 points to either side."""

PER_CENT = "\u00a0%"
"""The sign never stands alone at the start of a line."""


@dataclass(frozen=True)
class Figure:
    """A rate to show large: shares in [0, 1]; None where it is undefined."""

    label: str
    accuracy: float | None
    low: float | None
    high: float | None
    samples: int


@dataclass(frozen=True)
class Verdict:
    """The box on top of the page."""

    eyebrow: str
    title: str
    sentence: str
    figures: list[Figure]
    limits: list[str]


def verdict(summary: Summary) -> Verdict:
    """The verdict on a run, in words and figures, degenerate runs included."""
    name, cell = headline(summary)
    if cell is None or cell["worst_class"] is None:
        text = "No sample has been through every attack yet." if name == "robust" else "This run has no outcomes yet."
        return Verdict("Verdict", "Not known yet", text, [], limits(summary))
    worst = cell["worst_class"]
    entry = min(cell["classes"], key=weakness)
    tied = sum(other["accuracy"] == entry["accuracy"] for other in cell["classes"])
    verb = {"robust": "withstand every attack", "corrupted": "are right on average under corruptions"}
    counts = images(summary, name)
    sentence = (
        f"{percent(worst['accuracy'])}{PER_CENT} {between(worst['low'], worst['high'])} of its "
        f"{counts[cell['classes'].index(entry)]:,} images {verb.get(name, 'are right')}, against "
        f"{percent(cell['accuracy'])}{PER_CENT} of all {sum(counts):,} images."
    )
    title = printable(worst["name"])
    if seen := [pair for pair in cell["top_confusions"] if pair["source"] == worst["name"]]:
        times = "times" if name == "corrupted" else "images"
        sentence += f" It is most often seen as {printable(seen[0]['target'])} ({seen[0]['count']:,} {times})."
    if tied > 1:
        sentence += f" {tied - 1} more class{'es share' if tied > 2 else ' shares'} this lowest accuracy."
    return Verdict("Weakest class", title, sentence, _figures(summary, name, cell), limits(summary))


def _figures(summary: Summary, name: str, cell: Cell) -> list[Figure]:
    worst = cell["worst_class"]
    assert worst is not None, "the caller has looked"
    shown = cells(summary)
    labels = {"clean": "Natural", "robust": "Robust", "corrupted": "Corrupted"}
    figures = [
        Figure(label, shown[key]["accuracy"], shown[key]["low"], shown[key]["high"], sum(images(summary, key)))
        for key, label in labels.items()
        if key in shown and shown[key]["worst_class"] is not None
    ]
    label = f"Worst class: {printable(worst['name'])}"
    samples = images(summary, name)[cell["classes"].index(min(cell["classes"], key=weakness))]
    return [*figures, Figure(label, worst["accuracy"], worst["low"], worst["high"], samples)]


def limits(summary: Summary) -> list[str]:
    """What the numbers do not say, one sentence each."""
    name, cell = headline(summary)
    attacks = [address for address, c in summary["threats"].items() if c["kind"] == "adversarial"]
    found = []
    if attacks:
        found.append(
            f"Robust accuracy is an upper bound: {len(attacks)} attack{'s' if len(attacks) > 1 else ''} failed to "
            "break these images, a stronger one can only lower it."
        )
    found.append(
        "Intervals (95 %) cover the choice of images, not a missed attack; the worst class's holds whichever class is "
        "the worst, so it is wider than Wilson's in the table."
    )
    if cell is not None and cell["worst_class"] is not None:
        found += _about_the_minimum(cell, images(summary, name))
    if summary["missing"]:
        found.append(f"{len(summary['missing']):,} planned units are missing; the numbers cover what exists.")
    if warned := sum(doubt["status"] == "warn" for doubt in summary["doubts"]):
        found.append(f"{warned} check{'s warn' if warned > 1 else ' warns'}; see Checks.")
    return found


def _about_the_minimum(cell: Cell, counts: list[int]) -> list[str]:
    worst = cell["worst_class"]
    assert worst is not None, "the caller has looked"
    known = [entry for entry in cell["classes"] if entry["samples"]]
    found = []
    if len(known) > 1 and worst["corrected"] is not None and worst["probability"] is not None:
        found.append(
            f"The lowest of {len(known)} estimates tends to be too low: corrected, "
            f"{percent(worst['corrected'])}{PER_CENT}. "
            f"The chance that this class is the weakest one is {chance(worst['probability'])}{PER_CENT}."
        )
    samples = counts[cell["classes"].index(min(known, key=weakness))]
    if samples < FEW_SAMPLES:
        found.append(f"Only {samples} images of this class: its interval is wide.")
    if empty := len(cell["classes"]) - len(known):
        found.append(f"{empty:,} class{'es have' if empty > 1 else ' has'} no samples.")
    return found
