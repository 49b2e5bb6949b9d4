"""`weakspot export`: the file gives the run's logits, is a model for audit, and wrong input is one line."""

import json
from pathlib import Path

import pytest
import torch
from tests.training.runs import digits, short_run

from weakspot.cli.entry import main
from weakspot.errors import InputError
from weakspot.models import load
from weakspot.training import export


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training run, in a folder that has the name of a zoo model."""
    return short_run(tmp_path_factory.mktemp("export") / "cnn")


def test_the_program_gives_the_runs_logits_and_needs_no_weakspot(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    assert main(["export", "cnn", "--pt2", str(tmp_path / "m.pt2"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pt2": str(tmp_path / "m.pt2")}
    images = digits(7).batch(range(7))
    original = load(str(run), channels=1, classes=10, size=8).module
    expected = original(images).detach()
    torch.testing.assert_close(torch.export.load(tmp_path / "m.pt2").module()(images).detach(), expected)
    audited = load(str(tmp_path / "m.pt2"), channels=1, classes=10, size=8).module
    torch.testing.assert_close(audited(images).detach(), expected)


def test_without_json_the_next_command_is_printed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run), "--pt2", str(tmp_path / "m.pt2")]) == 0
    assert capsys.readouterr().out == f"weakspot audit {tmp_path / 'm.pt2'}\n"


def test_wrong_input_is_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"ends in \.pt2"):
        export(run, tmp_path / "m.onnx")
    assert main(["export", str(tmp_path), "--pt2", str(tmp_path / "m.pt2")]) == 2
    error = capsys.readouterr().err
    assert "holds no model.json" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "m.pt2").exists()
