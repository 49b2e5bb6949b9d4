"""A run on the terminal: its table and the paths of what was written."""

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.cli.options import Output
from weakspot.cli.streams import say, say_json

if TYPE_CHECKING:
    from weakspot.run import Run


def show_run(run: "Run", written: Sequence[Path], output: Output, *, full: bool = False) -> None:
    """Print the report, brief or full, then each written path on a line of its own; or summary.json alone."""
    if output.json:
        say_json(run.summary)
        return
    from weakspot.report.terminal import terminal

    say(terminal(run.summary, width=shutil.get_terminal_size().columns, whole=full))
    say("")
    for path in written:
        say(pasteable(path))


def pasteable(path: Path) -> str:
    """The path as a shell takes it."""
    return shlex.quote(str(path))
