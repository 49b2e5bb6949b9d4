"""A run's history: one JSON line per epoch, and the line that a person watches."""

import sys
import time
from json import dumps, loads
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from weakspot.errors import InputError, reason
from weakspot.models.checkpoints import write

NAME = "history.jsonl"
MORE = " ..."
Row = dict[str, Any]
"""epoch (from 1), lr (at its end), loss and train_accuracy (on the training images, attacked if the method attacks),
seconds, from validation samples, clean, robust (counts per class; robust may be null), and under a policy knobs (each
class's radius, natural and robust weight and factor of beta, as the epoch began); saved (whether its weights became
those of the run; the last one that says so stays)."""


def read_history(folder: Path, epochs: int | None = None) -> list[Row]:
    """The rows of the first `epochs` epochs (all by default); later ones belong to an epoch that was interrupted.

    Raises:
        InputError: the file is damaged.

    """
    path = folder / NAME
    try:
        rows = [loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
        return [row for row in rows if epochs is None or row["epoch"] <= epochs]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({reason(error)}); delete it: the weights do not depend on it") from error


def saved_epoch(folder: Path) -> int | None:
    """The epoch whose weights are saved; None where the history does not tell.

    Raises:
        InputError: the history is damaged.

    """
    return max((row["epoch"] for row in read_history(folder) if row.get("saved")), default=None)


def write_history(folder: Path, rows: list[Row]) -> None:
    """Write all rows anew, atomically."""
    write(folder / NAME, "".join(dumps(row) + "\n" for row in rows).encode())


def share(counts: list[int] | None, samples: list[int]) -> str:
    """A share of all samples for people; "-" where nothing was counted."""
    return f"{100 * sum(counts) / sum(samples):.1f} %" if counts and sum(samples) else "-"


def describe(row: Row, epochs: int, classes: tuple[str, ...]) -> str:
    """One epoch as a line: loss, validation accuracy clean and attacked, the weakest class."""
    samples, right = row["samples"], row["robust"] or row["clean"]
    rates = [(r / n, name) for r, n, name in zip(right, samples, classes, strict=True) if n]
    worst = f"  worst {min(rates)[1]} {100 * min(rates)[0]:.1f} %" if rates else ""
    return (
        f"epoch {row['epoch']}/{epochs}  loss {row['loss']:.4f}  clean {share(row['clean'], samples)}  "
        f"attacked {share(row['robust'], samples)}{worst}  {row['seconds']:.0f} s"
    )


def weakest(row: Row, classes: tuple[str, ...], width: int) -> str:
    """As many classes as fit into `width` characters, weakest first, with their validation accuracy in per cent."""
    counted = zip(row["robust"] or row["clean"], row["samples"], classes, strict=True)
    text = "  weakest"
    for rate, name in sorted((right / n, name) for right, n, name in counted if n):
        part = f"  {name} {100 * rate:.0f}"
        if len(text) + len(part) > width - len(MORE):
            return text + MORE
        text += part
    return text


class Live:
    """Writes to stderr: a line per epoch, and on a terminal the steps in between; nothing if it is not to speak."""

    def __init__(self, *, speaks: bool = True) -> None:
        self.last = 0.0
        self.speaks = speaks
        self.terminal = speaks and sys.stderr.isatty()

    def step(self, epoch: int, epochs: int, done: int, steps: int, loss: float) -> None:
        """Refresh the moving line, at most twice a second."""
        if self.terminal and time.monotonic() - self.last > 0.5:
            self.last = time.monotonic()
            sys.stderr.write(f"\repoch {epoch}/{epochs}  step {done}/{steps}  loss {loss:.4f}\033[K")
            sys.stderr.flush()

    def classes(self, row: Row, classes: tuple[str, ...]) -> None:
        """Show on a terminal how the classes do; the history holds it for all others."""
        if self.terminal:
            self.line(weakest(row, classes, get_terminal_size().columns - 1))

    def line(self, text: str) -> None:
        """Write a lasting line."""
        if not self.speaks:
            return
        sys.stderr.write(("\r\033[K" if self.terminal else "") + text + "\n")
        sys.stderr.flush()
