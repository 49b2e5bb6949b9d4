"""Runs of saved predictions: the same numbers as an audit's where the predictions are the audit's own."""

import json

import numpy as np
import pytest

import weakspot
from weakspot.cli.entry import main
from weakspot.errors import InputError
from weakspot.importing import Imported

ATTACK = "pgd(steps=3)@linf:0.1"


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """An audit of 60 images under an attack and a corruption, and its predictions as archives."""
    folder = tmp_path_factory.mktemp("audited")
    run = weakspot.audit(threats=[ATTACK, "fog@3"], limit=60, out=folder / "run")
    files = {}
    for number, threat in enumerate(("clean", ATTACK, "fog@3")):
        rows, files[threat] = run.rows.of(threat), folder / f"{number}.npz"
        turned = rows.where(np.arange(60)[::-1])
        np.savez(files[threat], prediction=turned.prediction, sample=turned.sample, label=turned.label)
    return run, files


def test_the_numbers_are_those_of_the_audit(audited, tmp_path):
    run, files = audited
    brought = weakspot.import_run(files, "fashion-mnist-mini", limit=60, out=tmp_path / "run", name="theirs")
    for threat in files:
        for key in ("accuracy", "classes", "confusion"):
            assert brought.summary["threats"][threat][key] == run.summary["threats"][threat][key], (threat, key)
    assert brought.summary["robust"]["classes"] == run.summary["robust"]["classes"]
    assert brought.rows.of("fog@3").severity.tolist() == [3] * 60
    assert brought.missing == []
    assert [doubt["check"] for doubt in brought.doubts] == ["imported"]
    assert "saved by another tool" in (tmp_path / "run" / "report.html").read_text()
    change = weakspot.compare(run, brought, gates=["worst_class_robust >= -0.001", "clean >= -0.001"])
    assert change.passed


def test_the_command_line(audited, tmp_path, capsys, monkeypatch):
    _, files = audited
    monkeypatch.chdir(tmp_path)
    given = [part for threat, file in files.items() for part in ("--predictions", f"{threat}={file}")]
    assert main(["import", "--data", "fashion-mnist-mini", "--limit", "60", *given, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert set(summary["threats"]) == set(files)
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("imported-fashion-mnist-mini-")
    before = sorted((path, path.stat().st_size) for path in folder.rglob("*.parquet"))
    assert main(["import", "--data", "fashion-mnist-mini", "--limit", "60", *given, "-q"]) == 0
    assert sorted((path, path.stat().st_size) for path in folder.rglob("*.parquet")) == before
    assert main(["report", str(folder), "--json"]) == 0
    assert main(["import", "--data", "fashion-mnist-mini", "--limit", "60", *given, "--out", str(tmp_path)]) == 0
    others = [*given, "--predictions", f"fog@2={files['fog@3']}"]
    assert main(["import", "--data", "fashion-mnist-mini", "--limit", "60", *others, "--out", str(tmp_path)]) == 2
    assert "holds another run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["nonsense"], "THREAT=FILE"),
        (["clean={clean}", "clean={clean}"], "given twice"),
        (["fog@3={clean}"], "predictions on clean images are needed"),
        (["clean={clean}", "fog={clean}"], "NAME@SEVERITY"),
        (["clean={clean}", "fog@6={clean}"], "severity from 1 to 5"),
        (["clean={clean}", "fog@linf:0.1={clean}"], "severity from 1 to 5"),
        (["clean={clean}", "pgd@linf:x={clean}"], "a radius is written"),
        (["clean=nowhere.npz"], "found none at nowhere.npz"),
    ],
)
def test_refuses(audited, tmp_path, capsys, monkeypatch, given, says):
    monkeypatch.chdir(tmp_path)
    clean = audited[1]["clean"]
    given = [part for each in given for part in ("--predictions", each.format(clean=clean))]
    assert main(["import", "--data", "fashion-mnist-mini", "--limit", "60", *given]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_every_sample_must_be_there(audited):
    with pytest.raises(InputError, match="predictions of 60 samples, the data have 2000; give --limit N"):
        weakspot.import_run({"clean": audited[1]["clean"]}, "fashion-mnist-mini")


def test_an_attack_that_is_not_known_here():
    threat = Imported.of("square-2022(budget=500)@linf:0.031372549")
    assert (threat.kind, threat.address.name, threat.severity) == ("adversarial", "square-2022", 0)
    assert str(Imported.of("pgd@linf:8/255").address) == "pgd@linf:8/255"
    assert Imported.of("my-noise@2").kind == "corruption"
