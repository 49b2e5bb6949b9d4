"""`weakspot compare`: what changed between audits of the same images, for which class, how surely; and gates."""

import shutil
from pathlib import Path
from typing import Annotated

from weakspot.cli.options import DEFAULT, Output, Several, Shown
from weakspot.cli.printing import pasteable
from weakspot.cli.streams import say, say_json, warn


def compare(
    run: str,
    /,
    *others: str,
    gate: Annotated[tuple[str, ...], Several] = (),
    html: Path | None = None,
    seed: Annotated[int, Shown] = 0,
    output: Output = DEFAULT,
) -> int:
    """Compare audits of the same images class by class, the first run against each other one.

    The exit code is 1 if a gate fails. Runs whose data, threats or protocol differ are refused, and unfinished ones.

    Parameters
    ----------
    run
        The folder of the run before. Several runs of one method with different training seeds: A1,A2.
    others
        The folders of the runs after, each likewise. Without any, gates are about the first run itself. Of three or
        more different models it is also said, over the models, how CFPS goes with the accuracy of the classes.
    gate
        A clause that must hold, such as 'worst_class_robust >= -0.02': METRIC OPERATOR NUMBER, with METRIC one of
        robust, clean and corrupted, before it also worst_class_ or balanced_, or class(NAME).robust and so on;
        low(METRIC) and high(METRIC) are its one-sided 95 % limits. Between runs it is about the difference, last minus
        first, in shares: -0.02 are two points. May be given several times.
    html
        Write the comparison as a page here.
    seed
        Names the random draws of the intervals.
    output
        What is printed, and where.

    """
    from weakspot import api

    found = api.compare(run, *others, gates=gate, seed=seed)
    page = None if html is None else found.report(html)
    if output.json:
        say_json(found.summary)
    else:
        from weakspot.report.comparison_tables import comparison_terminal

        say(comparison_terminal(found.summary, width=shutil.get_terminal_size().columns))
        if page is not None:
            say("")
            say(pasteable(page))
    if not found.passed:
        from weakspot.report.comparison_tables import failed

        for line in failed(found.summary):
            warn(f"weakspot: {line}")
    return 0 if found.passed else 1
