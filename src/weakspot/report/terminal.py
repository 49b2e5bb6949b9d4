"""The report on a terminal: what most readers look for, or every table; a table that is too wide goes on below."""

from collections.abc import Mapping
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from weakspot.report.notes import notes
from weakspot.report.schema import Summary
from weakspot.report.tables import Grid, class_rows, grids
from weakspot.report.words import headline

GAP = 3
"""Spaces between two columns."""
MANY = 40
"""Above this many classes the terminal shows the weakest ones only."""
SHOWN = 20
WORST = "<- worst"
"""Marks the worst class in words, since colour alone is lost on many readers and in files."""
BRIEF = (
    "Threats", "Corruptions, meaned over", "Directed pairs, easiest", "Classes that attract errors or leak",
    "Classes by training count", "Accuracy against radius", "Classes in feature space",
)  # fmt: skip
"""How the titles of the brief report's tables begin, beside the classes: the first one of each thing asked for."""
STYLES = {"fail": "bold red", "warn": "yellow", "plain": "", "dim": "dim"}


def terminal(summary: Summary, width: int = 80, *, whole: bool = False) -> RenderableType:
    """For `rich.console.Console.print`: the tables of classes and threats, who attracts errors or leaks, and the first
    table of each thing that was asked for (corruptions, pairs, feature space); the notes.

    With `whole` all tables and all findings. Columns that do not fit into `width` are then folded below the others,
    with the class again, so that nothing is left out; otherwise they are left to the whole report.
    """
    said = [Text(text, style=STYLES[style]) for style, text in notes(summary, whole=whole)]
    _, cell = headline(summary)
    if cell is None:
        return Group(Text("This run has no threats."), *said)
    first, *others = grids(summary)
    shown = [grid for grid in others if whole or grid.title.startswith(BRIEF)]
    parts: list[RenderableType] = [*_classes(summary, first, width, whole=whole), Text()]
    for number, grid in enumerate(shown):
        parts += [Text(f"{grid.title}:")] if number else []
        tables = folded(grid.columns, grid.last, width, left=grid.left)
        parts += [*spaced(tables if whole else tables[:1]), Text()]
    if not whole:
        left = len(others) - len(shown)
        said.append(Text(f"All columns, {left} more tables and what they say: weakspot report RUN --full", style="dim"))
    return Group(*parts, *said)


def _classes(summary: Summary, grid: Grid, width: int, *, whole: bool) -> list[RenderableType]:
    """The table of classes, of many classes the weakest ones, with the worst one marked."""
    every = class_rows(summary)
    rows = every if len(every) <= MANY else every[:SHOWN]
    made = {heading: values[: len(rows)] for heading, values in grid.columns.items()}
    made["class"] = [f"{row.name} {WORST}" if row.worst else row.name for row in rows]
    tables = folded(made, grid.last, width, left=grid.left)
    tables = tables if whole else tables[:1]
    for table in tables:
        for row, line in zip(rows, table.rows, strict=True):
            line.style = "bold red" if row.worst else None
    hidden = len(every) - len(rows)
    return [*spaced(tables), *([Text(f"... and {hidden:,} classes that are less weak.")] if hidden else [])]


def folded(made: Mapping[str, list[str]], last: Mapping[str, str], width: int, *, left: tuple[str, ...]) -> list[Table]:
    """All columns in as many tables as it takes, each of which begins with the first columns of words."""
    names = [heading for place, heading in enumerate(made) if heading in left and place < 2]
    names = names if names == list(made)[: len(names)] and names else list(made)[:1]
    taken = sum(_wide(heading, made, last) + GAP for heading in names)
    parts: list[list[str]] = []
    room = -1
    for heading in (heading for heading in made if heading not in names):
        needed = _wide(heading, made, last) + GAP
        if room < needed or not parts:
            parts.append([])
            room = width + GAP - taken
        parts[-1].append(heading)
        room -= needed
    return [
        fitted({key: made[key] for key in (*names, *part)}, last, width, wanted=len(made), left=left)
        for part in parts or [[]]
    ]


def spaced(tables: list[Table]) -> list[RenderableType]:
    """The tables with an empty line between two."""
    parts: list[RenderableType] = []
    for table in tables:
        parts += [*([Text()] if parts else []), table]
    return parts


def _wide(heading: str, made: Mapping[str, list[str]], last: Mapping[str, str]) -> int:
    return max(len(text) for text in [heading, last.get(heading, ""), *made[heading]])


def fitted(
    made: Mapping[str, list[str]], last: Mapping[str, str], width: int, *, wanted: int, left: tuple[str, ...]
) -> Table:
    """The columns that fit into `width`, but at least the first `wanted`; those in `left` start at the left."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, show_footer=bool(last), footer_style="")
    room = width + GAP
    kept: list[str] = []
    for heading in made:
        room -= _wide(heading, made, last) + GAP
        if len(kept) >= wanted and room < 0:
            break
        kept.append(heading)
    for heading in kept:
        justify: Literal["left", "right"] = "left" if heading in left else "right"
        table.add_column(heading, Text(last.get(heading, "")), justify=justify, no_wrap=heading != kept[0])
    for line in zip(*(made[heading] for heading in kept), strict=True):
        table.add_row(*(Text(text) for text in line))
    return table
