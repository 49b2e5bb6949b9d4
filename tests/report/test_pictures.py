"""The pictures for papers: real files of each format, the same each time, with names as they are."""

import html
import io

import numpy as np
import pytest
import synthetic_runs as runs
from PIL import Image

from weakspot.errors import InputError, SetupError
from weakspot.report.pictures import save_accuracy, save_confusion
from weakspot.report.summary import summarise

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", sorted(STARTS))
def test_each_format_is_written_alike_each_time(tmp_path, summary, suffix):
    paths = [tmp_path / f"{number}{suffix}" for number in range(4)]
    for path in paths[:2]:
        save_accuracy(path, summary)
    for path in paths[2:]:
        save_confusion(path, summary["robust"])
    contents = [path.read_bytes() for path in paths]
    assert all(content.startswith(STARTS[suffix]) for content in contents)
    assert contents[0] == contents[1] != contents[2] == contents[3]
    assert len(list(tmp_path.iterdir())) == 4


def test_the_confusion_picture_holds_the_counts(tmp_path, summary):
    save_confusion(tmp_path / "c.svg", summary["robust"])
    text = (tmp_path / "c.svg").read_text()
    assert all(f">{n}</text>" in text for row in summary["robust"]["confusion"] for n in row if n)
    assert all(f">{name}</text>" in text for name in runs.CIFAR)


def test_the_picture_is_not_blank(tmp_path, summary):
    save_accuracy(tmp_path / "a.png", summary)
    pixels = np.asarray(Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).convert("RGB"), int)
    assert (np.abs(pixels - np.array([0xC4, 0x50, 0x0A])).sum(axis=2) < 10).sum() > 500  # robust
    assert (np.abs(pixels - np.array([0x00, 0x72, 0xB2])).sum(axis=2) < 10).sum() > 500  # clean


def test_hostile_names_are_drawn_as_they_are(tmp_path):
    plan = runs.manifest((*runs.HOSTILE, "$\\frac$"), samples=1400)
    summary = summarise(plan, runs.rows(plan))
    save_accuracy(tmp_path / "a.svg", summary)
    save_confusion(tmp_path / "c.svg", summary["robust"])
    for name in ("a.svg", "c.svg"):
        text = html.unescape((tmp_path / name).read_text())
        assert "$\\frac$" in text
        assert "[red]markup[/red]" in text


@pytest.mark.parametrize("case", ["clean only", "no errors", "empty class", "many classes", "one attack is not there"])
def test_degenerate_runs_have_pictures(tmp_path, case):
    classes = [f"c{c}" for c in range(90)] if case == "many classes" else runs.CIFAR
    plan = runs.manifest(classes, () if case == "clean only" else runs.QUICK, 600)
    table = runs.rows(plan)
    if case == "no errors":
        table = table.where(table.correct)
    if case == "empty class":
        table = table.where(table.label != 4)
    missing = [unit["file"] for unit in plan["units"] if unit["threat"] == runs.QUICK[0] and unit["block"] == 0]
    if case == "one attack is not there":
        table = runs.without(plan, table, missing)
    summary = summarise(plan, table, missing=missing if case == "one attack is not there" else ())
    save_accuracy(tmp_path / "a.png", summary)
    save_confusion(tmp_path / "c.png", summary["robust"] or summary["threats"]["clean"])
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "c.png"}


def test_a_wrong_place_is_one_clear_error(tmp_path, summary):
    with pytest.raises(InputError, match=r"\.png, \.svg or \.pdf file, got 'a\.jpg'"):
        save_accuracy(tmp_path / "a.jpg", summary)
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError):
        save_accuracy(tmp_path / "file" / "a.png", summary)
