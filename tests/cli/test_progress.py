"""Progress: a line every 30 seconds where nobody watches, nothing with --quiet, a bar on a terminal."""

import io
import sys

import pytest

from weakspot.auditing import Progress, Unit
from weakspot.cli import progress
from weakspot.cli.options import Output
from weakspot.cli.progress import Teller


def steps(count: int) -> list[Progress]:
    return [Progress(i, count, float(i), Unit("pgd", i, 4 * i, 4 * i + 4, "x")) for i in range(1, count + 1)]


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time that the module sees; tests move it."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def lines(capsys, clock, output: Output) -> list[str]:
    with Teller(output, threats=1) as teller:
        teller.remark("hello")
        for step in steps(7):
            clock[0] += 10.0
            teller.tell(step)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_a_line_every_thirty_seconds(capsys, clock) -> None:
    assert lines(capsys, clock, Output()) == [
        "hello",
        "3 of 7 units, 4.0 s left: pgd, samples 12 to 15",
        "6 of 7 units, 1.0 s left: pgd, samples 24 to 27",
    ]


def test_quiet_and_verbose(capsys, clock) -> None:
    assert lines(capsys, clock, Output(quiet=True)) == []
    assert len(lines(capsys, clock, Output(verbose=True))) == 8


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with Teller(Output(), threats=1) as teller:
        for step in steps(4):
            teller.tell(step)
            assert teller.bar is not None
            teller.bar.refresh()
    shown = stream.getvalue()
    assert "3/4" in shown
    assert "1.0 s" in shown
