"""The report as GitHub's Markdown: every table, then the notes."""

from weakspot.report.notes import notes
from weakspot.report.schema import Summary
from weakspot.report.tables import Grid, class_rows, grids


def to_markdown(summary: Summary) -> str:
    """All tables and their notes; "" for a run without threats."""
    if not class_rows(summary):
        return ""
    first, *others = grids(summary)
    parts = [_grid(first, [row.worst for row in class_rows(summary)])]
    parts += [f"### {escaped(grid.title)}\n\n{_grid(grid)}" for grid in others]
    parts.append("\n".join(f"- {escaped(text)}" for _, text in notes(summary)))
    return "\n\n".join(parts) + "\n"


def _grid(grid: Grid, worst: list[bool] | None = None) -> str:
    lines = [[escaped(text) for text in line] for line in grid.lines]
    for line, is_worst in zip(lines, worst or [], strict=False):
        line[0] = f"**{line[0]}** (worst)" if is_worst else line[0]
    if grid.last:
        lines.append([escaped(grid.last.get(heading, "")) for heading in grid.columns])
    rule = "|" + "|".join(" --- " if heading in grid.left else " ---: " for heading in grid.columns) + "|"
    head, *body = [f"| {' | '.join(line)} |" for line in [[escaped(heading) for heading in grid.columns], *lines]]
    return "\n".join([head, rule, *body])


def escaped(text: str) -> str:
    """`text` as Markdown shows it letter by letter."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]<>#|~$&!" else sign for sign in text)
