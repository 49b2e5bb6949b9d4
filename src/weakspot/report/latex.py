r"""The report as LaTeX tabulars, one after another; they want `\usepackage{booktabs}`."""

from weakspot.report.findings import findings
from weakspot.report.overstated_tables import overstated_warning
from weakspot.report.schema import Summary
from weakspot.report.tables import Grid, class_rows, grids
from weakspot.report.words import protocol, spent

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


def to_latex(summary: Summary) -> str:
    """The table of classes as a booktabs tabular, then the other tables; what they are stands in comments."""
    said = [sentence for sentence in (overstated_warning(summary), *findings(summary)) if sentence]
    head = [f"% {protocol(summary)}", f"% {spent(summary)}", *(f"% {sentence}" for sentence in said)]
    made = grids(summary)
    worst = [row.worst for row in class_rows(summary)]
    parts = [tabular(grid, worst if grid.title == "Classes" else []) for grid in made]
    return "\n".join([*head, "\n\n".join(parts)]) + "\n"


def tabular(grid: Grid, worst: list[bool]) -> str:
    """One table; the lines marked in `worst` have a bold first cell."""
    lines = [[escaped(text) for text in line] for line in grid.lines]
    for at, line in enumerate(lines):
        # After \\ a star or a bracket would be read as its option.
        name = "{}" + line[0] if line[0][:1] in ("*", "[") else line[0]
        line[0] = rf"\textbf{{{name}}}" if at < len(worst) and worst[at] else name
    total = [escaped(grid.last.get(heading, "")) for heading in grid.columns]
    return "\n".join(
        [
            f"% {grid.title}",
            r"\begin{tabular}{" + "".join("l" if heading in grid.left else "r" for heading in grid.columns) + "}",
            r"\toprule",
            " & ".join(escaped(heading) for heading in grid.columns) + r" \\",
            r"\midrule",
            *(" & ".join(line) + r" \\" for line in lines),
            *([r"\midrule", " & ".join(total) + r" \\"] if grid.last else []),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def escaped(text: str) -> str:
    """`text` as LaTeX prints it letter by letter."""
    return "".join(_LATEX.get(sign, sign) for sign in text)
