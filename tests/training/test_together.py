"""Two real processes: what one computes, written once; batch norm, resuming, and failures in which all end."""

import json
import subprocess
import sys
from os import environ
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.runs import digits
from tests.training.together import CASES, alike

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder in which two processes have run together.py, and how they ended."""
    out = tmp_path_factory.mktemp("two")
    data = digits(160)
    np.savez(
        out / "digits.npz", images=(data.batch(range(160)) * 255).round().byte().numpy(), labels=data.labels.numpy()
    )
    threads = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    done = subprocess.run(
        [*launch, "tests.training.together", str(out)], env={**environ, **threads}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out, done


def history(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_compute_what_one_does(case: str, two: Any, tmp_path: Path) -> None:
    together, alone = two[0] / case, alike(case, tmp_path)
    mine, theirs = (load_file(folder / "checkpoint.safetensors") for folder in (alone, together))
    assert mine.keys() == theirs.keys()
    bf16 = CASES[case][2].get("precision") == "bf16"
    for name in (name for name in mine if not name.startswith("optimizer/")):
        assert (theirs[name] - mine[name]).abs().max() < (1e-3 if bf16 else 3e-5), name
    for one, other in zip(history(alone), history(together), strict=True):
        assert other["samples"] == one["samples"]
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-3 if bf16 else 1e-4)
    assert json.loads((together / "environment.json").read_text())["processes"] == 2


def test_batch_norm_trains_and_resumes_to_the_same_bytes(two: Any) -> None:
    whole, resumed = two[0] / "whole", two[0] / "resumed"
    for name in ("model.safetensors", "checkpoint.safetensors", "config.yaml"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes(), name
    rows = history(whole)
    assert rows == history(resumed)
    assert rows[1]["loss"] < rows[0]["loss"]
    assert load_file(whole / "checkpoint.safetensors")["model/2.num_batches_tracked"] == 8


def test_the_command_line_trains_and_only_one_process_speaks(two: Any) -> None:
    out, done = two
    assert done.stdout == f"weakspot audit {out / 'cli'}\n"
    assert (out / "cli" / "model.json").exists()
    assert done.stderr.count("epoch 1/2  loss") == len(CASES) + 2  # whole, resumed
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "case, first, second",
    [
        ("blown up", "InputError: the loss of standard became", "SystemExit: 2"),
        ("whole", "holds another run (", "SystemExit: 2"),
        ("too small", "each process needs an image of each batch, got 2 processes", "each process needs an image"),
    ],
)
def test_what_cannot_work_ends_all_processes(case: str, first: str, second: str, two: Any) -> None:
    assert first in (two[0] / f"{case} 0").read_text()
    assert second in (two[0] / f"{case} 1").read_text()


def test_a_bad_batch_is_saved_whole(two: Any) -> None:
    bad = load_file(two[0] / "blown up" / "bad_batch.safetensors")
    assert torch.equal(bad["labels"], digits(160).labels[bad["sample"]])
    assert [len(value) for value in bad.values()] == [33] * 5


def test_processes_that_were_asked_for_different_runs_do_not_start(two: Any) -> None:
    for rank in (0, 1):
        assert "the processes were given different runs" in (two[0] / f"unlike {rank}").read_text()
