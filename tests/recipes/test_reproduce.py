"""Packaged experiments: steps resume, parts can be shared, pages come last."""

import json
import shlex
import sys
from dataclasses import replace

import numpy as np
import pytest

from weakspot.cli.entry import VERBS, main
from weakspot.errors import InputError, SetupError
from weakspot.recipes import catalogue, longtail_pilot, sweeps
from weakspot.recipes.study import Sets, Step, Study
from weakspot.recipes.tables import markdown, options, percent, to_csv


@pytest.fixture
def counted(monkeypatch):
    """A study of two steps that write a file each, and how often each was made."""
    made = []

    def step(name):
        def make(out):
            made.append(name)
            (out / name).write_text(name)

        return Step(name, make, lambda out: (out / name).exists())

    study = Study(
        "toy", "Nothing.", lambda scale, sets: (step("one"), step("two")),
        lambda out, scale: {"toy.md": f"{scale}: {(out / 'one').read_text()}"}, {"cpu": ("cifar10",)},
    )  # fmt: skip
    monkeypatch.setattr(catalogue, "study_of", lambda name: study)
    return made


def test_steps_resume_and_the_page_comes_last(counted, tmp_path):
    out = tmp_path / "toy"
    first = catalogue.reproduce("toy", only=["two"], out=out)
    assert (first.done, first.left, first.pages) == (("two",), ("one",), ())
    assert catalogue.reproduce("toy", out=out, dry_run=True).left == ("one",)
    alone = catalogue.reproduce("toy", only=["two"], out=out, dry_run=True)
    assert (alone.done, alone.left) == (("two",), ())
    last = catalogue.reproduce("toy", out=out)
    assert (last.done, last.left) == (("one", "two"), ())
    assert [page.read_text() for page in last.pages] == ["cpu: one"]
    assert counted == ["two", "one"]
    with pytest.raises(InputError, match="unknown step of toy 'tow'; did you mean 'two'"):
        catalogue.reproduce("toy", only=["tow"], out=out)


def test_quiet_silences_the_steps_and_not_the_errors(tmp_path, monkeypatch, capsys):
    def make(out):
        sys.stderr.write("epoch 1\n")
        if (out / "broken").exists():
            raise InputError("no more")

    study = Study("toy", "Nothing.", lambda *_: (Step("one", make, lambda out: False),), lambda *_: {}, {"cpu": ()})
    monkeypatch.setattr(catalogue, "study_of", lambda name: study)
    asked = ["reproduce", "toy", "--out", str(tmp_path)]
    assert main(asked) == 0
    assert capsys.readouterr().err == "one: step 1 of 1\nepoch 1\n"
    assert main([*asked, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    (tmp_path / "broken").touch()
    assert main([*asked, "--quiet"]) == 2
    assert capsys.readouterr().err == "weakspot: no more\n"


def test_a_folder_of_one_size_is_not_taken_for_another(counted, tmp_path, monkeypatch):
    catalogue.reproduce("toy", only=["two"], out=tmp_path / "toy")
    study = catalogue.study_of("toy")
    monkeypatch.setattr(
        catalogue, "study_of", lambda name: replace(study, name=name, sets={**study.sets, "gpu": ("cifar10",)})
    )
    for name, scale in (("toy", "gpu"), ("other", "cpu")):
        for dry_run in (True, False):
            with pytest.raises(InputError, match=f"holds toy at the size cpu, not {name} at the size {scale}; choose"):
                catalogue.reproduce(name, scale=scale, out=tmp_path / "toy", dry_run=dry_run)
    assert counted == ["two"]
    (tmp_path / "toy" / catalogue.MARK).write_text("{")
    with pytest.raises(InputError, match=r"study\.json is damaged; delete it"):
        catalogue.reproduce("toy", out=tmp_path / "toy")
    (tmp_path / "toy" / catalogue.MARK).unlink()
    assert catalogue.reproduce("toy", out=tmp_path / "toy").left == ()


def test_a_step_that_was_begun_is_told_from_one_that_was_not(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first, last, *_ = (step.name for step in catalogue.study_of("fairness").steps("cpu", Sets()))
    (tmp_path / "out" / first).mkdir(parents=True)
    assert main(["reproduce", "fairness", "--out", "out", "--dry-run", "--only", first, "--only", last]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == ["out: 0 steps done, 2 left", f"left: {first} (begun), {last}"]


def test_a_step_that_fails_at_once_leaves_no_empty_folder(tmp_path, capsys):
    asked = ["reproduce", "longtail", "--only", "cdt-ir50-s1", "--out"]
    assert main([*asked, str(tmp_path / "out")]) == 2
    assert "cdt-ir50-s1 builds on pgd-at-ir50-s1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    assert main([*asked, str(tmp_path / "mine" / "deep" / "out")]) == 2
    assert list((tmp_path / "mine").iterdir()) == []
    assert main([*asked, str(tmp_path / "mine")]) == 2
    assert (tmp_path / "mine").is_dir()


def test_a_study_that_can_say_what_is_missing_has_a_page_of_what_is_done(counted, tmp_path, monkeypatch):
    whole = catalogue.study_of("toy")
    partial = replace(whole, partial=True)
    monkeypatch.setattr(catalogue, "study_of", lambda name: partial)
    out = tmp_path / "toy"
    assert catalogue.reproduce("toy", out=out, dry_run=True).pages == ()
    found = catalogue.reproduce("toy", only=["one"], out=out)
    assert found.left == ("two",)
    assert [page.read_text() for page in found.pages] == ["cpu: one"]
    assert catalogue.reproduce("toy", out=out, dry_run=True).pages == ()


@pytest.mark.parametrize("example", VERBS["reproduce"].examples)
def test_the_examples_of_the_help_are_accepted(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # The example's shards are the reader's; a dry run opens what it is given.
    words = shlex.split(example.replace("parquet:shards", "fashion-mnist-mini"))[1:]
    assert main([*words, "--dry-run"] if len(words) > 1 and "--dry-run" not in words else words) == 0
    if "--only" in words:
        step = words[words.index("--only") + 1]
        assert step in [each.name for each in catalogue.study_of(words[1]).steps("cpu", Sets())]


def test_what_stands_for_a_data_set_is_looked_at_before_the_first_step(counted, tmp_path):
    for address, says in ((f"parquet:{tmp_path / 'nowhere'}", "nowhere"), ("digits-of-three", "digits-of-three")):
        for dry_run in (True, False):
            with pytest.raises(InputError, match=says):
                catalogue.reproduce("toy", sets={"cifar10": address}, out=tmp_path / "toy", dry_run=dry_run)
    three = tmp_path / "three.npz"
    np.savez(three, images=np.zeros((6, 3, 8, 8), np.float32), labels=np.arange(6) % 3)
    with pytest.raises(InputError, match=r"cifar10 has 10 classes, npz:.*three\.npz has 3; give another address"):
        catalogue.reproduce("toy", sets={"cifar10": f"npz:{three}"}, out=tmp_path / "toy")
    assert counted == []
    assert not (tmp_path / "toy").exists()


def test_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(catalogue.MODULES)
    assert main(["reproduce", "fairness", "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["done"], len(found["left"])) == ([], 23)
    assert not (tmp_path / "runs").exists()
    for given, says in (
        (["fairnes"], "did you mean 'fairness'"),
        (["fairness", "--set", "cifar10"], "NAME=ADDRESS"),
        (["fairness", "--only", "trades"], "unknown step of fairness 'trades'"),
        (["fairness", "--set", "cifar11=parquet:shards"], "unknown data set 'cifar11'; did you mean 'cifar10'?"),
        (["longtail", "--set", "cifar10=parquet:shards"], "longtail has no use for cifar10 at the size cpu"),
        (["fairness", "--set", "mnist=idx:mnist"], "fairness has no use for mnist at the size cpu; it uses cifar10"),
        (["fairness", "--dry-run", "--set", "cifar10=parquet:nowhere"], "nowhere"),
        (
            ["psi", "--scale", "gpu-100", "--dry-run", "--set", "cifar100=fashion-mnist-mini"],
            "cifar100 has 100 classes, fashion-mnist-mini has 10",
        ),
        (["--only", "trades-0"], "which experiment?"),
    ):
        assert main(["reproduce", *given]) == 2
        assert says in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_one_clear_line(counted, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot make the folder .*file/toy: Not a directory; choose another --out"):
        catalogue.reproduce("toy", out=tmp_path / "file" / "toy")
    assert counted == []


@pytest.mark.parametrize(
    "name, scale", [(name, scale) for name in catalogue.MODULES for scale in catalogue.study_of(name).sets]
)
def test_every_recipe_has_steps_of_different_names(name, scale):
    steps = catalogue.study_of(name).steps(scale, Sets())
    assert steps
    assert len({step.name for step in steps}) == len(steps)


def test_the_pilot_of_the_long_tail_on_tiny_models(tmp_path, monkeypatch):
    kept = [run for run in longtail_pilot.RUNS if run.name in ("pgd-at", "robal-r", "balanced")]
    tiny = {"model": "lenet5", "radius": longtail_pilot.RADIUS, "epochs": 1, "validation_steps": 1, "select": "last"}
    audit = {**longtail_pilot.AUDIT, "limit": 12}
    short = {"pgd-at(steps=7)": "pgd-at(steps=1)", "robal-r(steps=7)": "robal-r(steps=1)"}
    runs = tuple(replace(run, method=short[run.method], training=tiny, audit=audit) for run in kept)
    monkeypatch.setattr(longtail_pilot, "RUNS", runs)
    monkeypatch.setattr(longtail_pilot, "CONTROLS", (replace(runs[0], name="pgd-at-2", training={**tiny, "seed": 2}),))
    monkeypatch.setattr(longtail_pilot, "ORDERS", (replace(runs[0], name="order-1", part="+lt=50+lt_order=1"),))
    monkeypatch.setattr(sweeps, "IMAGES", 10)
    monkeypatch.setattr(longtail_pilot, "AUDIT", audit)
    monkeypatch.setattr(longtail_pilot, "POST_HOC", {"cdt": "cdt(tau=0.3)"})
    monkeypatch.setattr(longtail_pilot, "NAMES", ("pgd-at", "robal-r", "balanced", "cdt"))
    sets = {"fashion-mnist": "fashion-mnist-mini"}
    with pytest.raises(InputError, match="cdt builds on pgd-at, which is not trained yet"):
        catalogue.reproduce("longtail-pilot", only=["cdt"], sets=sets, out=tmp_path / "study")
    found = catalogue.reproduce("longtail-pilot", sets=sets, out=tmp_path / "study")
    page, table = (path.read_text() for path in found.pages)
    assert [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| cdt")][-1] == "| cdt"
    assert "| pgd-at | tail |" in page
    assert "balanced | tail" not in page
    assert "| pgd-at, two seeds | 2 | " in page
    assert "Hardness at the mean count" in page
    assert len([line for line in page.splitlines() if line.startswith("| robal-r ")]) == 6  # three of them are groups
    assert len(table.splitlines()) == 1 + 4 * 10


def test_tables():
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y, z"}]
    assert markdown(rows) == ["| a | b |", "| --- | --- |", "| 1 | x |", "| 2 | y, z |"]
    assert options({"epochs": 12, "flip": False}) == "epochs 12, flip False"
    assert markdown([]) == ["(none)"]
    assert to_csv(rows) == 'a,b\n1,x\n2,"y, z"\n'
    assert percent({"accuracy": 0.1234, "low": 0.05, "high": 0.2}) == "12.3 [5.0, 20.0]"
    assert percent({"accuracy": None, "low": None, "high": None}) == "-"
