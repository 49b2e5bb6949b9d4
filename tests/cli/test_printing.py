"""Small printed things: durations, the time left, paths and commands that can be pasted."""

import shlex
import sys
from pathlib import Path

import pytest

from weakspot.auditing import Progress, Unit
from weakspot.cli.entry import INTERNAL, explain, same_command
from weakspot.cli.printing import pasteable
from weakspot.cli.progress import duration, time_left

UNIT = Unit("clean", 0, 0, 4, "outcomes/clean/0.parquet")


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (60.0, "1 min 0 s"),
        (3599.0, "59 min 59 s"),
        (7500.0, "2 h 5 min"),
    ],
)
def test_duration(seconds, text) -> None:
    assert duration(seconds) == text


def test_time_left_waits_for_every_threat_and_is_proportional() -> None:
    assert time_left(Progress(done=2, planned=40, seconds=1.0, unit=UNIT), threats=4) == ""
    assert time_left(Progress(done=10, planned=40, seconds=20.0, unit=UNIT), threats=4) == "1 min 0 s"
    assert time_left(Progress(done=2, planned=2, seconds=1.0, unit=UNIT), threats=4) == "0.0 s"


@pytest.mark.parametrize("name", ["plain", "with space", "it's", 'a"b', "$HOME", "a;b", "-dash"])
def test_paths_can_be_pasted(name) -> None:
    assert shlex.split(pasteable(Path(name))) == [name]


def test_the_resuming_line_is_the_same_command(monkeypatch) -> None:
    arguments = ["audit", "--threats", "pgd(steps=3)", "--out", "my run"]
    monkeypatch.setattr(sys, "argv", ["/somewhere/weakspot", *arguments])
    assert shlex.split(same_command(arguments)) == ["/somewhere/weakspot", *arguments]
    monkeypatch.setattr(sys, "argv", ["/somewhere/weakspot/__main__.py", *arguments])
    assert shlex.split(same_command(arguments)) == [sys.executable, "-m", "weakspot", *arguments]


@pytest.mark.parametrize(
    "error, code",
    [
        (MemoryError(), 3),
        (OSError(28, "No space left on device", "x"), 3),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("division\nby zero"), INTERNAL),
        (FileNotFoundError(2, "No such file"), INTERNAL),
    ],
)
def test_every_error_is_one_line_with_its_code(error, code) -> None:
    failure = explain(error, ["audit"])
    assert failure.code == code
    assert "\n" not in failure.line


def test_torch_out_of_memory_names_the_way_out() -> None:
    import torch

    failure = explain(torch.OutOfMemoryError("CUDA out of memory"), ["audit"])
    assert failure.code == 3
    assert "--block" in failure.line
