"""What goes to stdout and stderr, also where nobody reads them any more."""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from weakspot.errors import SetupError

if TYPE_CHECKING:
    from rich.console import RenderableType


def hold_open() -> None:
    """Give closed standard streams (`>&-`) a place to go, before a data file takes their number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is the closed one
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # it stays open as long as the process


def say(content: "RenderableType") -> None:
    """Print a result on stdout; rich honours NO_COLOR, and leaves colours out where stdout is no terminal."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, markup=False)
    _deliver(lambda: console.print(content, soft_wrap=isinstance(content, str)))


def say_json(content: Any) -> None:
    """Print one JSON object on stdout."""
    _deliver(lambda: print(json.dumps(content, indent=1, allow_nan=False)))


def warn(line: str) -> None:
    """Print a line on stderr; where stderr is gone there is nobody to tell."""
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _to_nowhere(2)


@contextlib.contextmanager
def hushed(quiet: bool) -> Iterator[None]:
    """What is printed on stderr inside goes nowhere, if so; an error leaves the block and is told outside."""
    if not quiet:
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


def flush() -> None:
    """Deliver what is buffered for stdout."""
    _deliver(sys.stdout.flush)


def _deliver(write: Callable[[], object]) -> None:
    """Write to stdout. A reader that has gone (`| head`) is no failure: the work is done and its files are written.

    Raises:
        SetupError: stdout goes to a file on a full disk.

    """
    try:
        write()
    except BrokenPipeError:
        _to_nowhere(1)
    except OSError as error:
        _to_nowhere(1)
        if error.errno != errno.EBADF:
            raise SetupError(f"cannot write the result to stdout: {error.strerror}") from error


def _to_nowhere(number: int) -> None:
    """Send a standard stream to /dev/null, so that Python's own flush at the exit is silent too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
