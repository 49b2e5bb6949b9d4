"""`audit --latent` as a real process: what it writes, what it keeps, what it computes again, and what it cannot do."""

import json

import jsonschema
import numpy as np
import pytest

from weakspot.report.schema import SCHEMA_FILE

AUDIT = ("audit", "models.py:net", "--data", "data.py:make", "--radius", "linf:0.1", "--threats", "pgd(steps=3)")
LOOKING = "looking at the features"

CONVOLUTION = """
from torch import nn


def make():
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


def content(place, out: str, name: str = "latent.json"):
    return json.loads((place.folder / out / name).read_text())


def state(place, out: str) -> tuple[bytes, int, int]:
    path = place.folder / out / "latent.json"
    return path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino


def test_it_is_written_shown_and_not_computed_again(place) -> None:
    ended = place.run(*AUDIT, "--latent", "auto", "--out", "run")
    assert ended.code == 0, ended.err
    assert LOOKING in ended.err
    found, summary = content(place, "run"), content(place, "run", "summary.json")
    assert summary["latent"] == {key: found[key] for key in found if key not in ("distances", "maps", "made_from")}
    jsonschema.validate(summary, json.loads(SCHEMA_FILE.read_text()))
    assert (found["layer"], found["features"], found["samples"]) == ("3", 144, 40)
    assert found["threat"] == "pgd(steps=3)@linf:0.1"
    assert np.shape(found["maps"]["tsne"]["attacked"]) == (40, 2)
    assert found["explains"]["robust"] == [entry["accuracy"] for entry in summary["robust"]["classes"]]
    assert "Classes in feature space:" in ended.out
    assert "latent-tsne" in (place.folder / "run/report.html").read_text()
    before, units = state(place, "run"), place.units("run")
    again = place.run(*AUDIT, "--latent", "auto", "--out", "run")
    assert again.out == ended.out
    assert LOOKING not in again.err
    assert (state(place, "run"), place.units("run")) == (before, units)
    assert place.run("audit", "--config", "run/config.yaml", "--out", "other").code == 0
    assert state(place, "other")[0] == before[0], "the same command makes the same bytes"


def test_it_can_be_added_to_a_finished_run_and_stays(place) -> None:
    assert place.run(*AUDIT, "--out", "run").code == 0
    assert content(place, "run", "summary.json")["latent"] is None
    units = place.units("run")
    assert place.run(*AUDIT, "--latent", "auto", "--out", "run").code == 0
    assert place.units("run") == units
    before = state(place, "run")
    ended = place.run(*AUDIT, "--out", "run")
    assert state(place, "run") == before
    assert "Classes in feature space:" in ended.out
    written = [f"--{kind}={place.folder / kind}" for kind in ("latex", "csv", "markdown")]
    assert place.run("report", "run", *written).code == 0
    assert ",latent class," in (place.folder / "csv").read_text()
    for kind in ("latex", "markdown"):
        assert "Classes in feature space" in (place.folder / kind).read_text()


def test_another_layer_or_a_damaged_file_is_computed_again(place) -> None:
    assert place.run(*AUDIT, "--latent", "3", "--out", "run").code == 0
    before = state(place, "run")[0]
    ended = place.run(*AUDIT, "--latent", "1", "--out", "run")
    assert "computing latent.json again: it is of another layer or run" in ended.err
    assert content(place, "run")["layer"] == "1"
    (place.folder / "run/latent.json").write_bytes(before[:-50])
    ended = place.run(*AUDIT, "--latent", "auto", "--out", "run")
    assert "computing latent.json again: it is damaged" in ended.err
    assert state(place, "run")[0] == before


def test_a_shard_waits_for_the_others(place) -> None:
    sharded = (*AUDIT, "--block", "20", "--latent", "auto", "--out", "run", "--shard")
    ended = place.run(*sharded, "0/2")
    assert ended.code == 0, ended.err
    assert not (place.folder / "run/latent.json").exists()
    assert place.run(*sharded, "1/2").code == 0
    assert content(place, "run")["samples"] == 40


def test_a_model_without_such_a_layer_is_audited_all_the_same(place) -> None:
    (place.folder / "odd.py").write_text(CONVOLUTION)
    ended = place.run("audit", "odd.py:make", *AUDIT[2:], "--latent", "auto", "--out", "run")
    assert ended.code == 0, ended.err
    assert "no figures of feature space: no linear layer with 3 outputs" in " ".join(ended.err.split())
    assert not (place.folder / "run/latent.json").exists()
    assert content(place, "run", "summary.json")["latent"] is None
    assert "Classes in feature space" not in ended.out


def test_training_images_are_counted_where_they_are_known(place) -> None:
    trained = place.run(
        *("train", "standard", "--data", "data.py:make", "--model", "small-cnn"),
        *("--epochs", "1", "--validation", "0", "--out", "trained"),
    )
    assert trained.code == 0, trained.err
    audited = ("audit", "trained", "--radius", "linf:0.1", "--threats", "fgsm", "--latent", "auto", "--out")
    assert place.run(*audited, "run").code == 0
    explains = content(place, "run")["explains"]
    counts = [entry["samples"] for entry in content(place, "run")["classes"]]
    assert (explains["samples_of"], explains["variables"]["samples"]["values"]) == ("training", counts)
    assert content(place, "run")["threat"] == "pgd@linf:0.1"
    source = (place.folder / "data.py").read_text()
    (place.folder / "data.py").write_text(source.replace("default_rng(seed)", "default_rng(seed + 1)"))
    assert place.run(*audited, "other").code == 0
    assert content(place, "other")["explains"]["samples_of"] == "test", "it was trained on other images"


def test_a_wrong_name_is_said_before_anything_is_computed(place) -> None:
    ended = place.run(*AUDIT, "--latent", "head", "--out", "run")
    assert ended.code == 2
    assert "no module 'head' in this Sequential" in ended.line
    assert not (place.folder / "run").exists()


def test_without_attacks_there_is_only_the_clean_side(place) -> None:
    ended = place.run(*AUDIT[:-1], "brightness@2", "--latent", "auto", "--out", "run")
    assert ended.code == 0, ended.err
    found = content(place, "run", "summary.json")["latent"]
    assert found["threat"] is found["attacked"] is found["explains"] is found["classes"][0]["shift"] is None
    assert found["classes"][0]["clean"]["spread"]["value"] > 0


@pytest.mark.parametrize("model, data, samples", [("net", "empty_class", 0), ("two", "two", None)])
def test_few_classes(place, model, data, samples) -> None:
    arguments = ("audit", f"models.py:{model}", "--data", f"data.py:{data}", *AUDIT[4:], "--latent", "auto")
    ended = place.run(*arguments, "--out", "run", "--json")
    assert ended.code == 0, ended.err
    summary = json.loads(ended.out)
    jsonschema.validate(summary, json.loads(SCHEMA_FILE.read_text()))
    entries = summary["latent"]["classes"]
    assert summary["latent"]["explains"]["r2"] is None
    if samples is None:
        assert [entry["clean"]["nearest"] for entry in entries] == [entries[1]["name"], entries[0]["name"]]
        return
    assert entries[1]["samples"] == samples
    assert entries[1]["clean"]["spread"] == {"value": None, "low": None, "high": None}
    assert entries[1]["clean"]["nearest"] is entries[1]["toward"] is None
    assert entries[0]["clean"]["nearest"] == entries[2]["name"]
