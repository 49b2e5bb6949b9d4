"""`weakspot report`: the report of a run, whether it is finished or not."""

from pathlib import Path

from weakspot.cli.options import DEFAULT, Output
from weakspot.cli.printing import show_run


def report(
    run: Path,
    /,
    *,
    html: Path | None = None,
    latex: Path | None = None,
    csv: Path | None = None,
    markdown: Path | None = None,
    full: bool = False,
    output: Output = DEFAULT,
) -> None:
    """Print the report of a run, and write it as HTML, LaTeX, CSV or Markdown.

    A run that is not finished is reported as far as it is, and says what is missing.

    Parameters
    ----------
    run
        The folder of a run.
    html
        Write the page here instead of into the run's folder.
    latex
        Write the class table for LaTeX (booktabs) here.
    csv
        Write every number of every class and threat here.
    markdown
        Write the class table for Markdown here.
    full
        Print every table and every finding, not the most important ones.
    output
        What is printed, and where.

    """
    from weakspot import api

    opened = api.open_run(run)
    page = opened.report(html, latex=latex, csv=csv, markdown=markdown)
    show_run(opened, [page, *(path for path in (latex, csv, markdown) if path is not None)], output, full=full)
