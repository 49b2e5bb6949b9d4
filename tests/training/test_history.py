"""The history as rows, and the lines that a person watches."""

from pathlib import Path

import pytest

from weakspot.training.history import Live, Row, describe, read_history, weakest, write_history


def row(epoch: int) -> Row:
    return {
        "epoch": epoch, "lr": 0.1, "loss": 0.51234, "train_accuracy": 0.5, "samples": [10, 0, 20], "clean": [9, 0, 15],
        "robust": [8, 0, 4], "seconds": 61.0,
    }  # fmt: skip


def test_rows_come_back_up_to_the_last_finished_epoch(tmp_path: Path) -> None:
    assert read_history(tmp_path, 3) == []
    write_history(tmp_path, [row(1), row(2), row(3)])
    assert read_history(tmp_path, 2) == [row(1), row(2)]
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 3


def test_a_line_names_the_weakest_class_that_has_samples() -> None:
    text = describe(row(2), 5, ("cat", "none", "dog"))
    assert text == "epoch 2/5  loss 0.5123  clean 80.0 %  attacked 40.0 %  worst dog 20.0 %  61 s"
    without = describe({**row(2), "robust": None}, 5, ("cat", "none", "dog"))
    assert "attacked -  worst dog 75.0 %" in without
    nothing = describe({**row(2), "samples": [0, 0, 0], "clean": [0, 0, 0], "robust": [0, 0, 0]}, 5, ("a", "b", "c"))
    assert "clean -  attacked -  61 s" in nothing


def test_the_weakest_classes_come_first_and_fit_the_terminal() -> None:
    classes = ("cat", "none", "dog")
    assert weakest(row(2), classes, 80) == "  weakest  dog 20  cat 80"
    assert weakest({**row(2), "robust": None}, classes, 80) == "  weakest  dog 75  cat 90"
    assert weakest(row(2), classes, 24) == "  weakest  dog 20 ..."


def test_steps_are_shown_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    live = Live()
    live.step(1, 5, 3, 10, 0.5)
    live.line("done")
    assert capsys.readouterr().err == "done\n"
    live.terminal = True
    live.step(1, 5, 3, 10, 0.5)
    live.step(1, 5, 4, 10, 0.5)  # within half a second: nothing
    assert capsys.readouterr().err == "\repoch 1/5  step 3/10  loss 0.5000\033[K"
    live.line("done")
    assert capsys.readouterr() == ("", "\r\033[Kdone\n")
    live.classes(row(2), ("cat", "none", "dog"))
    assert capsys.readouterr().err == "\r\033[K  weakest  dog 20  cat 80\n"
    live.terminal = False
    live.classes(row(2), ("cat", "none", "dog"))
    assert capsys.readouterr().err == ""
