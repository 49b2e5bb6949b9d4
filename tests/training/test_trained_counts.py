"""What a run folder says about the data it was trained on, and how the counts reach an audit."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from tests.training.runs import digits

from weakspot.api import prepare
from weakspot.contracts import Data
from weakspot.data.longtail import LongTail, long_tail
from weakspot.data.subset import limit
from weakspot.errors import InputError
from weakspot.training import train
from weakspot.training.folder import mark_data


def trained(data: Data, out: Path) -> Path:
    return train("standard", data, epochs=1, batch=32, average=0.0, validation=0.2, out=out, device="cpu")


@pytest.fixture(scope="module")
def tailed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a long tail whose classes come in a drawn order."""
    return trained(long_tail(digits(600), LongTail.of("5", order=3)), tmp_path_factory.mktemp("trained") / "run")


def test_the_noted_positions_are_those_of_the_tail(tailed: Path) -> None:
    whole, tail = digits(600), LongTail.of("5", order=3)
    note = json.loads((tailed / "data.json").read_text())
    assert note["name"] == "digits+lt=5+lt_order=3"
    trained, held = (note["positions"][part] for part in ("trained", "held_out"))
    assert sorted(trained + held) == list(long_tail(whole, tail).indices)
    for part, counts in ((trained, note["counts"]), (held, note["held_out"])):
        found = Counter(int(whole.labels[position]) for position in part)
        assert counts == [found[c] for c in range(10)]
    least = min(Counter(whole.labels.tolist()).values())
    assert [a + b for a, b in zip(note["counts"], note["held_out"], strict=True)] == tail.counts(least, 10)
    assert min(note["held_out"]) >= 1


def test_a_whole_set_needs_no_positions(tmp_path: Path) -> None:
    note = json.loads((trained(digits(120), tmp_path / "run") / "data.json").read_text())
    assert note["positions"] is None
    assert sum(note["counts"]) + sum(note["held_out"]) == 120


def test_classes_without_images_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = limit(digits(60), 6)  # six images cannot show all ten digits
    absent = [str(name) for c, name in enumerate(some.classes) if c not in some.labels.tolist()]
    kept, none = torch.arange(len(some)), torch.arange(0)
    mark_data(tmp_path, some, kept, none)
    shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
    assert capsys.readouterr().err == f"{some.name} has no training image of {shown}: not learned\n"
    whole = digits(60)
    mark_data(tmp_path, whole, torch.arange(60), none)
    assert set(whole.labels.tolist()) == set(range(10))
    assert capsys.readouterr().err == ""


def test_the_counts_reach_the_manifest_and_are_no_part_of_what_a_run_is(tailed: Path, tmp_path: Path) -> None:
    note = json.loads((tailed / "data.json").read_text())
    options = {"threats": ["fgsm"], "limit": 20, "device": "cpu"}
    prepared = prepare(str(tailed), digits(), **options)
    assert prepared.manifest["training"] == {"name": note["name"], "counts": note["counts"]}
    elsewhere = tmp_path / "other.safetensors"
    elsewhere.write_bytes((tailed / "model.safetensors").read_bytes())
    assert "training" not in prepare(str(tailed), digits(), weights=elsewhere, **options).manifest
    same = prepare(tailed, digits(), weights=tailed / "model.safetensors", **options)
    assert same.manifest["training"] == prepared.manifest["training"]
    (tailed / "data.json").rename(tmp_path / "aside.json")
    try:
        without = prepare(str(tailed), digits(), **options)
        assert "training" not in without.manifest
        assert (without.folder, without.manifest["units"]) == (prepared.folder, prepared.manifest["units"])
    finally:
        (tmp_path / "aside.json").rename(tailed / "data.json")


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "holds no counts of training samples"),
        ("[1]", "holds no counts"),
        ('{"name": "x", "counts": ["many"]}', "holds no counts"),
        ('{"name": "x", "counts": [3, 4]}', "holds counts of 2 classes, .* the audited data has 10; choose the data"),
        ('{"name": "x", "counts": [3, 4, 1, 1, 1, 1, 1, 1, 1, -1]}', "none may be below 0"),
        (
            '{"name": "x", "counts": [2, 1, 1, 1, 1, 1, 1, 1, 1, 1], "positions": {"trained": [0, 1, 2, 3]}}',
            "holds counts of 11 samples and the positions of 4, so one of them was changed; put the file back",
        ),
        ('{"name": "x", "counts": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "positions": [7]}', "holds no counts"),
    ],
)
def test_counts_that_disagree_are_one_line(tailed: Path, tmp_path: Path, text: str, says: str) -> None:
    for name in ("model.json", "model.safetensors", "config.yaml"):
        (tmp_path / name).write_bytes((tailed / name).read_bytes())
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        prepare(str(tmp_path), digits(), threats=["fgsm"], limit=20)
    assert "\n" not in str(caught.value)


def test_a_limited_tail_notes_positions_in_the_whole_set(tmp_path: Path) -> None:
    part = limit(long_tail(digits(600), LongTail.of("2")), 200)
    note = json.loads((trained(part, tmp_path / "run") / "data.json").read_text())
    assert sorted(note["positions"]["trained"] + note["positions"]["held_out"]) == list(part.indices)
