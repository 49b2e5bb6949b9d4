"""What is printed, on a terminal and elsewhere, and what happens when printing fails."""

import io
import sys

import pytest
from rich.text import Text

from weakspot import api
from weakspot.cli import main
from weakspot.cli.streams import say, say_json, warn
from weakspot.errors import SetupError


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "stream, no_color, coloured", [(Terminal, None, True), (Terminal, "1", False), (io.StringIO, None, False)]
)
def test_colours_only_on_a_terminal_and_never_with_no_color(monkeypatch, stream, no_color, coloured) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for variable in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    taken = stream()
    monkeypatch.setattr(sys, "stdout", taken)
    say(Text("FAIL", "red"))
    assert ("\033[31m" in taken.getvalue()) == coloured
    assert "FAIL" in taken.getvalue()


def test_text_is_printed_as_it_is(capsys) -> None:
    """A class name with brackets is no markup, and a long line is not broken."""
    say("[red]class[/red] " + "x" * 300)
    assert capsys.readouterr().out == "[red]class[/red] " + "x" * 300 + "\n"


def test_json_refuses_nan(capsys) -> None:
    with pytest.raises(ValueError, match="JSON"):
        say_json({"accuracy": float("nan")})


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_behind_stdout_is_told(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr("weakspot.cli.streams._to_nowhere", lambda number: None)
    with pytest.raises(SetupError, match="stdout"):
        say("text")


def test_a_full_disk_behind_stderr_stops_nothing(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    monkeypatch.setattr("weakspot.cli.streams._to_nowhere", lambda number: None)
    warn("text")


def test_an_error_of_our_own_shows_its_traceback_and_exits_with_70(monkeypatch, capsys) -> None:
    def prepare(*given: object, **named: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(api, "prepare", prepare)
    assert main(["audit"]) == 70
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" in printed.err
    assert printed.err.splitlines()[-1].startswith("weakspot: internal error")


@pytest.mark.parametrize("arguments", [["--help"], ["audit", "--help"], ["data", "--help"], ["--version"]])
def test_help_and_version_go_to_stdout(arguments, capsys) -> None:
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out
    assert printed.err == ""
