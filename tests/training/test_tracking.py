"""What reaches a tracker, read back by TensorBoard itself; trackers that cannot run."""

from pathlib import Path

import pytest
from tests.training.runs import digits, mlp

from weakspot.errors import InputError, SetupError
from weakspot.training import train
from weakspot.training.history import read_history
from weakspot.training.tracking import scalars


def test_tensorboard_reads_what_the_history_holds(tmp_path: Path) -> None:
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    out = train(
        "pgd-at(steps=1)", digits(160), policy="wat", model=mlp(), epochs=2, batch=32, validation_steps=1,
        track=["tensorboard"], out=tmp_path / "run", device="cpu",
    )  # fmt: skip
    read = loading.EventAccumulator(str(out / "track" / "weakspot")).Reload()
    rows = read_history(out, 2)
    for name in ("loss", "attacked/worst", "clean by class/3", "robust by class/7"):
        wanted = [scalars(row, tuple(map(str, range(10))))[name] for row in rows]
        assert [event.step for event in read.Scalars(name)] == [1, 2]
        assert [event.value for event in read.Scalars(name)] == pytest.approx(wanted), name


def test_a_row_becomes_numbers() -> None:
    row = {"epoch": 2, "lr": 0.1, "loss": 0.5, "train_accuracy": 0.25, "samples": [10, 0, 20], "clean": [9, 0, 15],
           "robust": None, "seconds": 3.0, "knobs": {"radius": [1.0, 2.0, 3.0]}}  # fmt: skip
    assert scalars(row, ("a", "b", "c")) == {
        "loss": 0.5, "train_accuracy": 0.25, "lr": 0.1, "seconds": 3.0, "clean/all": 0.8, "clean/worst": 0.75,
        "clean by class/a": 0.9, "clean by class/c": 0.75, "radius by class/a": 1.0, "radius by class/b": 2.0,
        "radius by class/c": 3.0,
    }  # fmt: skip


def test_a_tracker_that_cannot_run_is_one_line_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="unknown tracker 'tensorbord'; did you mean 'tensorboard'"):
        train("standard", digits(40), track=["tensorbord"], out=tmp_path / "run")
    monkeypatch.setattr("weakspot.training.tracking.get_available_trackers", lambda: [])
    with pytest.raises(SetupError, match="tracker 'wandb' needs a package that is not installed; pip install wandb"):
        train("standard", digits(40), track=["wandb"], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
