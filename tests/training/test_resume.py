"""However a run ends, the same call goes on from the last finished epoch and reaches the uninterrupted run's bytes."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors import safe_open
from tests.training.runs import STEPS, digits, short_run

from weakspot.errors import InputError, SetupError
from weakspot.training import Interrupted, Losses, train
from weakspot.training.objectives.pgd_at import PgdAt

ROOT = Path(__file__).parents[2]


class Stopping(PgdAt):
    """PGD-AT that is interrupted in the middle of its second epoch."""

    def __call__(self, *arguments: Any) -> Losses:
        if arguments[5] == STEPS + 1:
            raise KeyboardInterrupt
        return super().__call__(*arguments)


class Forbidden(PgdAt):
    """PGD-AT that must not be called."""

    def __call__(self, *arguments: Any) -> Losses:
        raise AssertionError("trained again")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    return short_run(tmp_path_factory.mktemp("whole") / "run")


def assert_same_run(one: Path, other: Path) -> None:
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())
    for name in ("config.yaml", "model.json", "model.safetensors", "checkpoint.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert history(one) == history(other)


def history(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def epochs_done(folder: Path) -> int:
    with safe_open(folder / "checkpoint.safetensors", "pt") as file:
        return json.loads(file.metadata()["progress"])["epochs"]


def test_a_killed_process_leaves_a_run_that_ends_the_same(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.hang_at", str(out), str(STEPS + 1)], env={**os.environ, **threads}
    )
    try:
        for _ in range(1200):
            if (tmp_path / "hanging").exists():
                break
            assert process.poll() is None, "it must not end by itself"
            time.sleep(0.05)
        assert (tmp_path / "hanging").exists(), "it must reach the middle of the second epoch"
        with pytest.raises(InputError, match="another process trains in"):
            short_run(out)
    finally:
        process.kill()  # SIGKILL
        process.wait()
    assert epochs_done(out) == 1
    (out / "checkpoint.safetensors.1.tmp").write_bytes(b"half a checkp")  # what a kill in a write leaves
    short_run(out)
    assert_same_run(out, whole)


def test_ctrl_c_names_the_folder_and_the_run_goes_on(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as stopped:
        short_run(tmp_path / "run", Stopping(steps=1))
    assert stopped.value.folder == tmp_path / "run"
    assert f"--out {tmp_path / 'run'}" in str(stopped.value)
    assert epochs_done(tmp_path / "run") == 1
    short_run(tmp_path / "run")
    assert_same_run(tmp_path / "run", whole)


def test_a_checkpoint_that_is_interrupted_while_it_is_written_leaves_the_old_one(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, flush = tmp_path / "run", os.fsync

    def interrupted(number: int) -> None:
        flush(number)
        parts = [path for path in out.glob("checkpoint*.tmp") if path.stat().st_ino == os.fstat(number).st_ino]
        if parts and (out / "checkpoint.safetensors").exists():
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(Interrupted):
        short_run(out)
    monkeypatch.undo()
    assert epochs_done(out) == 1
    assert not list(out.glob("*.tmp"))
    short_run(out)
    assert_same_run(out, whole)


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_loses_nothing(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        short_run(tmp_path / "run", Stopping(steps=1))
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    with disk_of(4096), pytest.raises(SetupError, match="cannot write"):
        short_run(tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before
    short_run(tmp_path / "run")
    assert_same_run(tmp_path / "run", whole)


def test_a_finished_run_is_returned_as_it_is(whole: Path) -> None:
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    assert short_run(whole, Forbidden(steps=1)) == whole
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before


def test_another_configuration_is_refused_with_the_difference(whole: Path) -> None:
    with pytest.raises(InputError) as error:
        train(PgdAt(steps=3), digits(200), epochs=4, batch=32, lr=0.05, average=0.9, validation_steps=2, out=whole)
    message = str(error.value)
    assert "method: 'pgd-at(steps=1)' -> 'pgd-at(steps=3)'" in message
    assert "epochs: 3 -> 4" in message
    assert "data_digest" in message
    assert "batch" not in message
    assert "\n" not in message


def test_a_damaged_history_is_one_line(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "history.jsonl").write_text('{"epo')
    with pytest.raises(InputError, match="history.jsonl is damaged"):
        short_run(tmp_path / "run")
    (tmp_path / "run" / "history.jsonl").unlink()
    short_run(tmp_path / "run")


def test_a_refused_process_leaves_the_folder_as_it_is(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "checkpoint.safetensors.9.tmp").write_bytes(b"being written")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "run").iterdir()}
    with FileLock(tmp_path / "run" / ".lock"), pytest.raises(InputError, match="another process trains in"):
        short_run(tmp_path / "run")
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "run").iterdir()}
    assert {name: after[name] for name in before if name != ".lock"} == {
        name: value for name, value in before.items() if name != ".lock"
    }


def test_a_folder_that_cannot_be_locked_is_one_line(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / ".lock").unlink(missing_ok=True)
    (tmp_path / "run" / ".lock").mkdir()
    with pytest.raises(SetupError, match="cannot lock the run folder"):
        short_run(tmp_path / "run")


def test_a_damaged_checkpoint_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        short_run(tmp_path / "run", Stopping(steps=1))
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="delete the file to train from the start"):
        short_run(tmp_path / "run")
    path.unlink()
    short_run(tmp_path / "run")
    assert_same_run(tmp_path / "run", whole)
