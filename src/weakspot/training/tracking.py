"""Experiment trackers beside the history: TensorBoard, Weights & Biases and others, as accelerate knows them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import LoggerType, ProjectConfiguration

from weakspot.errors import SetupError, reason, unknown
from weakspot.training.history import Row

FOLDER = "track"
"""In the run's folder: what trackers write that write files."""


def check_trackers(names: Sequence[str]) -> None:
    """Refuse a tracker that cannot run, before anything else has.

    Raises:
        InputError: no such tracker.
        SetupError: its package is not installed.

    """
    known = sorted(str(kind) for kind in LoggerType.list() if str(kind) != "all")
    installed = {str(kind) for kind in get_available_trackers()}
    for name in names:
        if name not in known:
            raise unknown("tracker", name, known)
        if name not in installed:
            raise SetupError(f"tracker {name!r} needs a package that is not installed; pip install {name}")


@contextmanager
def tracking(
    names: Sequence[str], folder: Path, config: dict[str, Any], classes: tuple[str, ...], device: torch.device
) -> Iterator[Callable[[Row], None]]:
    """What takes in an epoch's row; the trackers are closed in the end. Called by all processes, the main one logs.

    Raises:
        SetupError: a tracker does not start.

    """
    if not names:
        yield lambda row: None
        return
    project = ProjectConfiguration(str(folder), str(folder / FOLDER))
    accelerator = Accelerator(cpu=device.type == "cpu", log_with=list(names), project_config=project)
    try:
        accelerator.init_trackers("weakspot", config)
    except Exception as error:  # a tracker's own, such as a login that failed
        raise SetupError(f"cannot track by {', '.join(names)}: {reason(error)}; set it up or leave it out") from error
    try:
        yield lambda row: accelerator.log(scalars(row, classes), step=row["epoch"])
    finally:
        for tracker in accelerator.trackers:
            tracker.finish()


def scalars(row: Row, classes: tuple[str, ...]) -> dict[str, float]:
    """The row as named numbers: accuracies in [0, 1] over all, of the worst class and of each; knobs of each class."""
    found = {name: float(row[name]) for name in ("loss", "train_accuracy", "lr", "seconds")}
    for kind, counts in (("clean", row["clean"]), ("attacked", row["robust"])):
        counted = zip(classes, counts or (), row["samples"], strict=bool(counts))
        rates = {name: right / samples for name, right, samples in counted if samples}
        if rates:
            found[f"{kind}/all"] = sum(counts) / sum(row["samples"])
            found[f"{kind}/worst"] = min(rates.values())
            found |= {f"{kind} by class/{name}": rate for name, rate in rates.items()}
    for knob, values in row.get("knobs", {}).items():
        found |= {f"{knob} by class/{name}": value for name, value in zip(classes, values, strict=True)}
    return found
