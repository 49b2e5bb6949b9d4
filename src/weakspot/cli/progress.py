"""Progress on stderr: a bar with the time left on a terminal, a plain line every 30 seconds elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from weakspot.cli.options import Output
from weakspot.cli.streams import warn

if TYPE_CHECKING:
    from rich.progress import Progress

    from weakspot.auditing import Progress as Done

EVERY = 30.0
"""Seconds between two plain lines."""


class Teller:
    """Shows how far an audit is; a context manager whose `tell` and `remark` are handed to `api.carry_out`."""

    def __init__(self, output: Output, threats: int) -> None:
        self.output = output
        self.threats = threats
        self.shown = time.monotonic()
        self.bar: Progress | None = None
        if sys.stderr.isatty() and not output.quiet and not output.verbose:
            self.bar = bar()
            self.task = self.bar.add_task("auditing", total=None, left="")

    def __enter__(self) -> "Teller":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar:
            self.bar.stop()

    def remark(self, line: str) -> None:
        """A line worth knowing, unless --quiet."""
        if self.output.quiet:
            return
        if self.bar:
            self.bar.console.print(line, markup=False, highlight=False)
        else:
            warn(line)

    def tell(self, progress: "Done") -> None:
        """One more unit is done."""
        unit = progress.unit
        left = time_left(progress, self.threats)
        if self.bar:
            self.bar.update(
                self.task, completed=progress.done, total=progress.planned, description=unit.threat, left=left
            )
        elif self.output.verbose or (not self.output.quiet and time.monotonic() - self.shown >= EVERY):
            self.shown = time.monotonic()
            samples = f"samples {unit.start} to {unit.stop - 1}"
            warn(f"{progress.done} of {progress.planned} units, {left or '?'} left: {unit.threat}, {samples}")


def bar() -> "Progress":
    """A bar for the terminal on stderr that vanishes when it is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    return Progress(*columns, console=Console(file=sys.stderr), transient=True)


def time_left(progress: "Done", threats: int) -> str:
    """The expected time to the end; empty until each threat has run once, since their costs differ a hundredfold."""
    if progress.done < min(threats, progress.planned):
        return ""
    return duration(progress.seconds / progress.done * (progress.planned - progress.done))


def duration(seconds: float) -> str:
    """Seconds for people: 0.4 s, 18 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
