"""An inference adjustment belongs to the model: trained, validated, loaded, audited, exported, or put on afterwards."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tests.training.runs import digits

from weakspot.api import audit
from weakspot.cli.entry import main
from weakspot.data.longtail import LongTail, long_tail
from weakspot.errors import InputError
from weakspot.maths.losses import margin
from weakspot.models import load
from weakspot.models.spec import read_spec
from weakspot.training import adjust, export, train

PRIORS = "logit-adjustment(tau=2.0)"


def tailed_run(out: Path, **options: Any) -> Path:
    """Two epochs on digits of which class 0 has five times as many as class 9."""
    return train(
        "pgd-at(steps=1)", long_tail(digits(600), LongTail.of("5")), epochs=2, batch=32, lr=0.05, validation_steps=1,
        average=0.0, out=out, device="cpu", **options,
    )  # fmt: skip


def model_at(path: Path) -> torch.nn.Module:
    return load(str(path), channels=1, classes=10, size=8).module


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without an adjustment."""
    return tailed_run(tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with one."""
    return tailed_run(tmp_path_factory.mktemp("tuned") / "run", adjust=PRIORS)


def test_training_does_not_see_it_and_validation_does(plain: Path, tuned: Path) -> None:
    spec = read_spec(tuned / "model.json")
    assert spec.adjust == PRIORS
    assert list(spec.counts) == json.loads((tuned / "data.json").read_text())["counts"]
    assert sorted(spec.counts, reverse=True)[0] > 2 * sorted(spec.counts)[0]
    images = digits(9).batch(range(9))
    shift = 2 * (torch.tensor(spec.counts) / sum(spec.counts)).log()
    rows = [[json.loads(row) for row in (run / "history.jsonl").read_text().splitlines()] for run in (plain, tuned)]
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]
    assert [row["clean"] for row in rows[0]] != [row["clean"] for row in rows[1]]
    saved = adjust(plain, "none", tuned.parent / "none")  # the epoch that validation chose may be another one
    again = adjust(tuned, "none", tuned.parent / "without")
    torch.testing.assert_close(model_at(saved)(images), model_at(plain)(images))
    torch.testing.assert_close(model_at(tuned)(images), model_at(again)(images) - shift)


def test_it_survives_the_program_and_the_audit(tuned: Path, tmp_path: Path) -> None:
    data = digits(20)
    expected = model_at(tuned)(data.batch(range(20))).detach()
    export(tuned, tmp_path / "m.pt2")
    torch.testing.assert_close(torch.export.load(tmp_path / "m.pt2").module()(data.batch(range(20))), expected)
    rows = audit(str(tuned), data, threats=["fgsm"], out=tmp_path / "audit", device="cpu").rows
    clean, attacked = rows.of("clean"), rows.where(rows.threat != "clean")
    assert clean.prediction.tolist() == expected.argmax(1).tolist()
    margins = margin(expected, data.labels)
    np.testing.assert_allclose(clean.margin, margins.numpy(), rtol=1e-4, atol=1e-4)
    bare = model_at(adjust(tuned, "none", tmp_path / "bare"))(data.batch(range(20)))
    assert not torch.allclose(margin(bare, data.labels), margins, atol=0.1)
    assert (attacked.margin <= clean.margin + 1e-6).all()


def test_afterwards_it_needs_no_training(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "made"
    assert main(["export", str(plain), "--adjust", "cdt(tau=0.5)", "--out", str(made), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": str(made)}
    images, counts = digits(9).batch(range(9)), json.loads((plain / "data.json").read_text())["counts"]
    torch.testing.assert_close(model_at(made)(images), model_at(plain)(images) / torch.tensor(counts) ** 0.5)
    assert (made / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    before, after = (yaml.safe_load((run / "config.yaml").read_text()) for run in (plain, made))
    assert after == before | {"adjust": "cdt(tau=0.5)"}
    back = adjust(made, "none", tmp_path / "back")
    torch.testing.assert_close(model_at(back)(images), model_at(plain)(images))
    both = ["--adjust", "tau-norm", "--out", str(tmp_path / "n"), "--pt2", str(tmp_path / "n.pt2")]
    assert main(["export", str(plain), *both]) == 0
    assert capsys.readouterr().out == f"weakspot audit {tmp_path / 'n.pt2'}\n"
    normed = model_at(tmp_path / "n")
    torch.testing.assert_close(torch.export.load(tmp_path / "n.pt2").module()(images), normed(images))


def test_counts_come_from_the_runs_note_where_the_description_has_none(plain: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for name in ("model.safetensors", "data.json"):
        (old / name).write_bytes((plain / name).read_bytes())
    content = json.loads((plain / "model.json").read_text())
    (old / "model.json").write_text(json.dumps({**content, "counts": []}))
    assert read_spec(adjust(old, "cdt", tmp_path / "made") / "model.json").counts == tuple(content["counts"])
    (old / "data.json").unlink()
    with pytest.raises(InputError, match="needs training images of each of the 10 classes, none are known"):
        adjust(old, "cdt", tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--adjust", "cdt"], "nothing to write: give"),
        ([], "nothing to write: give"),
        (["--adjust", "cdd", "--out", "{tmp}/x"], "did you mean 'cdt'"),
        (["--adjust", "tde", "--out", "{tmp}/x"], "train with --head tde"),
        (["--adjust", "cdt", "--out", "{tmp}"], "exists already"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str], says: str, plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    assert main(["export", str(plain), *given]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_class_without_images_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    data = digits(120)
    some = [i for i, c in enumerate(data.labels.tolist()) if c != 4]
    left = type(data).of(
        data.images[some], data.labels[some], name="gap", radius="linf:0.1", classes=[str(c) for c in range(10)]
    )
    for options, says in (
        ({"loss": "ldam"}, "loss ldam needs training images of each class, there are none of 4"),
        ({"adjust": "cdt"}, "adjustment cdt needs training images of each class, there are none of 4"),
    ):
        with pytest.raises(InputError, match=says):
            train("pgd-at(steps=1)", left, epochs=1, out=tmp_path / "run", device="cpu", **options)
    with pytest.raises(InputError, match="method robal-n needs training images of each class, there are none of 4"):
        train("robal-n(steps=1)", left, epochs=1, out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_class_with_one_image_trains_without_validation(tmp_path: Path) -> None:
    data = digits(60)
    some = [i for i, c in enumerate(data.labels.tolist()) if c != 4 or i == data.labels.tolist().index(4)]
    one = type(data).of(data.images[some], data.labels[some], name="one", radius="linf:0.1")
    with pytest.raises(InputError, match="class 4 .from 0. has one sample, too few to train and to validate on"):
        train("pgd-at(steps=1)", one, epochs=1, loss="ldam", out=tmp_path / "run", device="cpu")
    for loss in ("ldam(drw=True,drw_from=0)", "logit-adjustment", "class-balanced", "cdt"):
        out = train(
            "pgd-at(steps=1)", one, epochs=1, batch=16, loss=loss, validation=0.0, out=tmp_path / loss, device="cpu",
            adjust="cdt", sampler="class-aware",
        )  # fmt: skip
        assert min(read_spec(out / "model.json").counts) == 1
