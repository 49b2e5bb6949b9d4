"""`weakspot show`: the images behind a cell of the confusion."""

import shutil
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.text import Text

from weakspot.cli.options import DEFAULT, Output
from weakspot.cli.printing import pasteable
from weakspot.cli.streams import say, say_json

if TYPE_CHECKING:
    from weakspot.report.behind import Kept


WORDS = ("shown", "threat", "found by")
"""The columns that are words."""


def show(
    run: Path,
    /,
    *,
    class_: Annotated[str, Parameter(name="--class")],
    predicted: str,
    threat: str | None = None,
    out: Path | None = None,
    output: Output = DEFAULT,
) -> None:
    """Write the images of a class that are seen as another one: clean, what was added (magnified), attacked.

    An audit stores a few images of each cell; of the others the clean image is read again from the run's data, where
    these are still there. Nothing is computed again.

    Parameters
    ----------
    run
        The folder of a run.
    class_
        The true class, by name or number.
    predicted
        The class that its images are seen as.
    threat
        The threat, such as pgd@linf:8/255 or fog@3; by default what the run is judged by: robust, corrupted or clean.
    out
        The folder for the PNG files and margins.csv; by default a folder in the run's folder `shown`.
    output
        What is printed, and where.

    """
    from weakspot import api
    from weakspot.auditing import PER_CELL
    from weakspot.report.behind import told

    opened = api.open_run(run)
    found, folder = opened.show(class_, predicted, threat=threat, out=out)
    said = told(found, PER_CELL, int(opened.manifest["config"].get("block", 256)))
    if output.json:
        kept = [_plain(each) for each in found.kept]
        say_json({**asdict(found), "kept": kept, "folder": str(folder) if kept else None, "says": said})
        return
    say(" ".join(said))
    if found.kept:
        from weakspot.report.terminal import folded

        for table in folded(columns(found.kept), {}, shutil.get_terminal_size().columns, left=WORDS):
            say("")
            say(table)
        say("")
        say(Text(pasteable(folder)))


def columns(kept: "list[Kept]") -> dict[str, list[str]]:
    """The table of margins by heading, a line per image."""
    from weakspot.report.words import NONE, printable

    return {
        "sample": [f"{each.sample:,}" for each in kept],
        "shown": [_shown(each) for each in kept],
        "clean margin": [f"{each.clean_margin:+.2f}" if isfinite(each.clean_margin) else NONE for each in kept],
        "margin": [f"{each.margin:+.2f}" for each in kept],
        "confidence": [f"{each.confidence:.2f}" for each in kept],
        "linf": [f"{each.distance_linf:.4f}" for each in kept],
        "l2": [f"{each.distance_l2:.3f}" for each in kept],
        "threat": [printable(each.threat) for each in kept],
        "found by": [printable(each.found_by) or NONE for each in kept],
    }


def _shown(each: "Kept") -> str:
    """Which pictures there are."""
    return f"all, added x {each.factor}" if each.added else "clean, nothing added" if each.attacked else "clean only"


def _plain(each: "Kept") -> dict[str, object]:
    """An image as JSON says it: what is undefined is null."""
    return {
        key: None if isinstance(value, float) and not isfinite(value) else value for key, value in asdict(each).items()
    }
