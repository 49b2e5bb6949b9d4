"""The table of classes for the terminal, Markdown, LaTeX and CSV, all from the same summary, weakest class first."""

import csv
import io
from dataclasses import dataclass, replace
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from weakspot.report.schema import Cell, ClassEntry, Summary, WorstClass
from weakspot.report.words import NONE, between, cells, chance, headline, percent, printable, protocol, spent, weakness

GAP = 3
"""Spaces between two columns."""
MANY = 40
"""Above this many classes the terminal shows the weakest ones only."""
SHOWN = 20
WORST = "<- worst"
"""Marks the worst class in words, since colour alone is lost on many readers and in files."""
UPPER_BOUND = (
    "Robust accuracy is an upper bound: a stronger attack can only lower it. Intervals (95 %, Wilson) cover the "
    "sampling of images, not an attack that missed something."
)


@dataclass(frozen=True)
class Row:
    """One class as it stands in every table; shares in [0, 1] or None."""

    number: int
    name: str
    headline: ClassEntry
    clean: ClassEntry | None
    worst: bool


def class_rows(summary: Summary) -> list[Row]:
    """The classes, weakest first under the run's headline (`words.headline`); classes without samples last."""
    _, cell = headline(summary)
    if cell is None:
        return []
    clean = summary["threats"].get("clean")
    rows = [
        Row(c, printable(entry["name"]), entry, clean["classes"][c] if clean else None, worst=False)
        for c, entry in enumerate(cell["classes"])
    ]
    rows.sort(key=lambda row: weakness(row.headline))
    if cell["worst_class"] is not None:
        rows[0] = replace(rows[0], worst=True)
    return rows


def rate(entry: Cell | ClassEntry | WorstClass | None) -> str:
    """A rate with its interval: 41.3 [38.3, 44.4]."""
    return NONE if entry is None else f"{percent(entry['accuracy'])} {between(entry['low'], entry['high'])}".strip()


def columns(summary: Summary) -> dict[str, list[str]]:
    """The table by heading, a line per class, in per cent; the headings stand in the order of their importance."""
    name, _ = headline(summary)
    rows = class_rows(summary)
    made = {
        "class": [row.name for row in rows],
        "n": [f"{row.headline['samples']:,}" for row in rows],
        name: [rate(row.headline) for row in rows],
    }
    if name != "clean" and "clean" in summary["threats"]:
        made["clean"] = [rate(row.clean) for row in rows]
        made["natural error"] = [percent(row.headline["natural_error"]) for row in rows]
        made["boundary error"] = [percent(row.headline["boundary_error"]) for row in rows]
    made["false pos."] = [f"{row.headline['false_positives']:,}" for row in rows]
    made["CFPS"] = [percent(row.headline["cfps"]) for row in rows]
    return made


def overall(summary: Summary) -> dict[str, str]:
    """The last line of the table: all classes together, under the same headings as `columns`."""
    name, cell = headline(summary)
    if cell is None:
        return {}
    last = {"class": "all", "n": f"{cell['samples']:,}", name: rate(cell)}
    if "clean" in summary["threats"]:
        last["clean"] = rate(summary["threats"]["clean"])
    last["false pos."] = f"{sum(entry['false_positives'] for entry in cell['classes']):,}"
    return last


def terminal(summary: Summary, width: int = 80) -> RenderableType:
    """The class table, a line per threat and the notes, for `rich.console.Console.print`.

    Columns that do not fit into `width` are left out from the right: the class and its first rate stay.
    """
    name, cell = headline(summary)
    if cell is None:
        return Group(Text("This run has no threats."), *_notes(summary))
    made, last = columns(summary), overall(summary)
    shown = len(made["class"]) if len(made["class"]) <= MANY else SHOWN
    rows = class_rows(summary)[:shown]
    made = {heading: values[:shown] for heading, values in made.items()}
    made["class"] = [f"{row.name} {WORST}" if row.worst else row.name for row in rows]
    table = _fitting(made, last, width, wanted=3, left=("class",))
    for row, line in zip(rows, table.rows, strict=True):
        line.style = "bold red" if row.worst else None
    hidden = len(class_rows(summary)) - shown
    more = [Text(f"... and {hidden:,} classes that are less weak.")] if hidden else []
    return Group(table, *more, Text(), _threats(summary, width), Text(), *_notes(summary))


def _threats(summary: Summary, width: int) -> Table:
    made: dict[str, list[str]] = {"threat": [], "n": [], "accuracy": [], "worst class": []}
    for name, cell in cells(summary).items():
        worst = cell["worst_class"]
        made["threat"].append(printable(name))
        made["n"].append(f"{cell['samples']:,}")
        made["accuracy"].append(rate(cell))
        made["worst class"].append(NONE if worst is None else f"{printable(worst['name'])}: {rate(worst)}")
    return _fitting(made, {}, width, wanted=3, left=("threat", "worst class"))


def _fitting(
    made: dict[str, list[str]], last: dict[str, str], width: int, *, wanted: int, left: tuple[str, ...]
) -> Table:
    """The columns that fit into `width`, but at least the first `wanted`; those in `left` start at the left."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, show_footer=bool(last), footer_style="")
    room = width + GAP
    kept: list[str] = []
    for heading, values in made.items():
        room -= max(len(text) for text in [heading, last.get(heading, ""), *values]) + GAP
        if len(kept) >= wanted and room < 0:
            break
        kept.append(heading)
    for heading in kept:
        justify: Literal["left", "right"] = "left" if heading in left else "right"
        table.add_column(heading, Text(last.get(heading, "")), justify=justify, no_wrap=heading != kept[0])
    for line in zip(*(made[heading] for heading in kept), strict=True):
        table.add_row(*(Text(text) for text in line))
    return table


def _notes(summary: Summary) -> list[Text]:
    notes = [Text(f"{d['status'].upper()} {printable(d['check'])}: {printable(d['says'])}",
                  style="bold red" if d["status"] == "fail" else "yellow")
             for d in summary["doubts"] if d["status"] != "ok"]  # fmt: skip
    if summary["missing"]:
        notes.append(Text(f"INCOMPLETE: {len(summary['missing']):,} planned units are missing.", style="bold red"))
    if (worst := _about_the_worst(summary)) is not None:
        notes.append(Text(worst))
    notes.append(Text(f"Rates in per cent with 95 % intervals. {protocol(summary)}.", style="dim"))
    notes.append(Text(f"Cost: {spent(summary)}.", style="dim"))
    if any(cell["kind"] == "adversarial" for cell in summary["threats"].values()):
        notes.append(Text(UPPER_BOUND, style="dim"))
    return notes


def _about_the_worst(summary: Summary) -> str | None:
    _, cell = headline(summary)
    if cell is None or (worst := cell["worst_class"]) is None:
        return None
    return (
        f"Worst class {printable(worst['name'])}: {rate(worst)}; corrected for being the lowest: "
        f"{percent(worst['corrected'])}; the worst one with a probability of {chance(worst['probability'])} %."
    )


def to_markdown(summary: Summary) -> str:
    """The class table and its notes as GitHub's Markdown."""
    made, last = columns(summary), overall(summary)
    if not made:
        return ""
    lines = [list(made), *zip(*made.values(), strict=True), [last.get(heading, "") for heading in made]]
    escaped = [[_markdown_text(text) for text in line] for line in lines]
    for line, row in zip(escaped[1:], class_rows(summary), strict=False):
        line[0] = f"**{line[0]}** (worst)" if row.worst else line[0]
    texts = [f"| {' | '.join(line)} |" for line in escaped]
    rule = "|" + "|".join([" --- "] + [" ---: "] * (len(made) - 1)) + "|"
    notes = [f"- {_markdown_text(note.plain)}" for note in _notes(summary)]
    return "\n".join([texts[0], rule, *texts[1:], "", *notes]) + "\n"


def _markdown_text(text: str) -> str:
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]<>#|~$&!" else sign for sign in text)


def to_latex(summary: Summary) -> str:
    r"""The class table as a booktabs tabular; wants `\usepackage{booktabs}`."""
    made, last = columns(summary), overall(summary)
    lines = [[_latex_text(text) for text in line] for line in zip(*made.values(), strict=True)]
    for line, row in zip(lines, class_rows(summary), strict=True):
        # After \\ a star or a bracket would be read as its option.
        name = "{}" + line[0] if line[0][:1] in ("*", "[") else line[0]
        line[0] = rf"\textbf{{{name}}}" if row.worst else name
    body = [" & ".join(line) + r" \\" for line in lines]
    total = " & ".join(_latex_text(last.get(heading, "")) for heading in made) + r" \\"
    head = " & ".join(_latex_text(heading) for heading in made) + r" \\"
    whole = [
        f"% {protocol(summary)}",
        f"% {spent(summary)}",
        r"\begin{tabular}{l" + "r" * (len(made) - 1) + "}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\midrule",
        total,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(whole) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)


def to_csv(summary: Summary) -> str:
    """Every number of every class under every threat, one line each, and one for all classes (`scope`), as CSV.

    Shares are in [0, 1] with all their digits; undefined ones are empty. A name that a spreadsheet would run as a
    formula is preceded by an apostrophe.
    """
    keys = [key for key in ClassEntry.__annotations__ if key != "name"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["threat", "kind", "scope", "class", *keys])
    for threat, cell in cells(summary).items():
        start = [_inert(threat), cell["kind"]]
        whole = dict(cell)
        writer.writerow([*start, "all", "", *(whole.get(key) for key in keys)])
        for entry in cell["classes"]:
            values = dict(entry)
            writer.writerow([*start, "class", _inert(entry["name"]), *(values[key] for key in keys)])
    return text.getvalue()


def _inert(name: str) -> str:
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name
