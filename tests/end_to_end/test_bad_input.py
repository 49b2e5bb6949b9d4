"""What a user can get wrong, or a machine can do to them: one clear line and the right exit code, nothing lost."""

import gzip
import io
import os
import pickle
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from weakspot.api import open_run

QUICK = ("--radius", "linf:0.1", "--threats", "pgd(steps=2)", "--quiet")


def audit(place, model: str = "models.py:net", data: str = "data.py:make", *more: str):
    return place.run("audit", model, "--data", data, *QUICK, "--out", "run", *more)


def refused(ended, code: int, *words: str) -> None:
    assert ended.code == code, ended
    assert ended.out == ""
    for word in words:
        assert word in ended.line, ended.line
    assert len(ended.line) < 500


@pytest.mark.parametrize(
    "data, words",
    [
        ("nan", ("NaN", "sample 3")),
        ("bytes_as_floats", ("[0, 1]", "divide by 255")),
        ("negative_label", ("-1", "sample 5")),
        ("label_beyond", ("3 logits", "8 classes")),
        ("fractional_labels", ("whole numbers",)),
        ("too_few_labels", ("40 images but 39 labels",)),
        ("no_images", ("at least one image",)),
        ("vectors", ("(N, C, H, W)", "(40, 36)")),
        ("nothing", ("expected data",)),
        ("one", ("one class only",)),
        ("absent", ("absent",)),
    ],
)
def test_data(place, data, words) -> None:
    refused(audit(place, "models.py:other", f"data.py:{data}"), 2, *words)  # it always knows three classes
    assert not (place.folder / "run").exists()


@pytest.mark.parametrize(
    "model, words",
    [
        ("Flat", ("logits of shape (batch, classes)",)),
        ("large", ("does not take this data's images", "1, 6, 6")),
        ("two", ("2 logits", "3 classes")),
        ("one", ("1 logits", "3 classes")),
        ("broken", ("no weights today",)),
        ("nothing", ("nn.Module",)),
        ("absent", ("absent",)),
    ],
)
def test_model(place, model, words) -> None:
    refused(audit(place, f"models.py:{model}"), 2, *words)
    assert not (place.folder / "run").exists()


def test_a_model_that_returns_nan(place) -> None:
    refused(audit(place, "models.py:Nan"), 2, "NaN", "clean images")


def test_probabilities_are_a_doubt_and_no_error(place) -> None:
    ended = audit(place, "models.py:Probabilities")
    assert ended.code == 0, ended.err
    doubts = {doubt["check"]: doubt for doubt in open_run(place.folder / "run").summary["doubts"]}
    assert doubts["T0"]["status"] == "fail"
    assert "probabilities" in doubts["T0"]["says"]
    assert "FAIL T0" in ended.out


def test_a_class_without_samples_has_no_rate(place) -> None:
    ended = audit(place, data="data.py:empty_class")
    assert ended.code == 0, ended.err
    run = open_run(place.folder / "run")
    assert [entry["samples"] > 0 for entry in run.classes] == [True, False, True]
    assert run.classes[1]["accuracy"] is None


def test_two_classes_and_three(place) -> None:
    for model, data, classes in (("two", "two", 2), ("net", "make", 3)):
        out = f"run{classes}"
        ended = place.run(
            "audit", f"models.py:{model}", "--data", f"data.py:{data}", *QUICK[:2], "--out", out, "--quiet"
        )
        assert ended.code == 0, ended.err  # the whole default preset: DLR divides by the third largest logit
        assert len(open_run(place.folder / out).classes) == classes


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("audit", "--data", "cifr10"), ("cifr10", "did you mean 'cifar10'")),
        (("audit", "--threats", "pdg"), ("pdg", "did you mean 'pgd'")),
        (("audit", "--threats", "pgd(restart=3)"), ("restart", "did you mean 'restarts'")),
        (("audit", "--threats", "pgd(steps=many)"), ("steps", "many")),
        (("audit", "--threats", "targeted(target=99)"), ("classes 0 to 9", "target=99")),
        (("audit", "--threats", "stored:fog(folder=absent)@3"), ("folder of .npy files", "absent")),
        (("audit", "--preset", "quik"), ("did you mean 'quick'",)),
        (("audit", "--radius", "8/255"), ("linf:8/255",)),
        (("audit", "--radius", "linf:8"), ("at most 1",)),
        (("audit", "--radius", "lnf:0.1"), ("did you mean 'linf'",)),
        (("audit", "--limit", "0"), ("limit",)),
        (("audit", "--limit", "some"), ("--limit", "int", "weakspot audit --help")),
        (("audit", "--block", "0"), ("block",)),
        (("audit", "--shard", "2/2"), ("i/N", "2/2")),
        (("audit", "--device", "gpu"), ("cuda", "gpu")),
        (("audit", "resnt18"), ("resnt18", "did you mean 'resnet18")),
        (("audit", "resnet18"), ("weights",)),
        (("audit", "models.py:net", "--data", "data.py:make"), ("--radius",)),
        (("audit", "--config", "absent.yaml"), ("absent.yaml",)),
        (("audit", "--limt", "3"), ("did you mean --limit?",)),
        (("audit", "one", "two"), ("two",)),
        (("adit",), ('did you mean "audit"?',)),
        (("data", "lits"), ('did you mean "list"?',)),
        (("report", "nowhere"), ("manifest.json",)),
        (("report",), ("RUN",)),
        (("train", "tardes"), ("did you mean 'trades'",)),
        (("train", "trades(bta=3)"), ("did you mean 'beta'", "known: beta, step, steps")),
        (("train", "standard", "--epochs", "0"), ("epochs",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_usage(place, arguments, words) -> None:
    ended = place.run(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    for word in words:
        assert word.lower() in ended.line.lower()
    assert not (place.folder / "runs").exists()


def test_a_device_that_is_not_there(place) -> None:
    refused(audit(place, "models.py:net", "data.py:make", "--device", "cuda:0"), 3, "cuda:0")


# Files that nobody should trust


class Evil:
    """Its pickle makes a file when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("owned",)


@pytest.mark.parametrize("content", ["truncated", "empty", "pickle", "text"])
def test_hostile_checkpoints(place, content) -> None:
    import torch

    path = place.folder / "weights.pt"
    if content == "pickle":
        path.write_bytes(pickle.dumps({"0.weight": Evil()}))
    elif content == "truncated":
        torch.save({"0.weight": torch.zeros(4, 1, 3, 3)}, path)
        path.write_bytes(path.read_bytes()[:-200])
    else:
        path.write_text("" if content == "empty" else "these are no weights")
    refused(audit(place, "models.py:net", "data.py:make", "--weights", "weights.pt"), 2, "weights.pt")
    assert not (place.folder / "owned").exists()
    assert not (place.folder / "run").exists()


def test_weights_that_do_not_fit_are_named(place) -> None:
    import torch

    torch.save({"0.weight": torch.zeros(4, 1, 3, 3), "extra": torch.zeros(1)}, place.folder / "weights.pt")
    ended = audit(place, "models.py:net", "data.py:make", "--weights", "weights.pt")
    refused(ended, 2, "0.bias", "extra")


def hostile_npz(path: Path) -> None:
    objects = np.empty(40, dtype=object)
    objects[:] = [Evil() for _ in objects]
    np.savez(path, x_test=objects, y_test=np.zeros(40, dtype=np.int64))


def truncated_npz(path: Path) -> None:
    np.savez(path, x_test=np.zeros((40, 6, 6), np.uint8), y_test=np.zeros(40, np.int64))
    path.write_bytes(path.read_bytes()[:900])


def truncated_idx(path: Path) -> None:
    path.mkdir()
    for name, header, size in (("images-idx3", b"\0\0\x08\x03" + b"\0\0\0\x28\0\0\0\x06\0\0\0\x06", 100),
                               ("labels-idx1", b"\0\0\x08\x01" + b"\0\0\0\x28", 40)):  # fmt: skip
        (path / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(header + bytes(size)))


def escaping_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("../owned", "cifar-10-batches-bin/../../owned"):
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"owned"))


@pytest.mark.parametrize(
    "address, make",
    [
        ("npz:x.npz", hostile_npz),
        ("npz:x.npz", truncated_npz),
        ("idx:x", truncated_idx),
        ("cifar10-bin:x.tgz", escaping_tar),
    ],
    ids=["objects", "truncated npz", "truncated idx", "escaping tar"],
)
def test_hostile_archives(place, address, make) -> None:
    make(place.folder / address.partition(":")[2])
    refused(audit(place, data=address), 2, address.partition(":")[2])
    assert not (place.folder / "owned").exists()
    assert not (place.folder.parent / "owned").exists()


# Machines that do not play along


@pytest.fixture
def small_disk(place) -> Iterator[Path]:
    """A mounted disk of 120 KiB."""
    disk = place.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_loses_nothing_that_is_computed(place, small_disk) -> None:
    command = ("audit", "models.py:net", "--data", "data.py:make", *QUICK, "--block", "2", "--out")
    assert place.run(*command, "whole").code == 0
    ended = place.run(*command, "disk/run")
    refused(ended, 3, "full", "the same command")
    before = place.units("disk/run")
    assert 0 < len(before) < 40
    assert before.keys() < place.units("whole").keys()
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert place.run(*command, "disk/run").code == 0
    after = place.units("disk/run")
    assert {name: after[name] for name in before} == before
    assert place.table("disk/run") == place.table("whole")


def test_a_file_that_may_not_grow_loses_nothing_that_is_computed(place) -> None:
    command = ("audit", "models.py:net", "--data", "data.py:make", *QUICK, "--out", "run")
    refused(place.run(*command, file_size=20_000), 3, "report.html", "too large")
    before = place.units("run")
    assert len(before) == 2
    assert place.run(*command).code == 0
    assert place.units("run") == before


@pytest.mark.parametrize("out", ["file/run", "/proc/run"])
def test_an_unwritable_folder(place, out) -> None:
    (place.folder / "file").write_text("not a folder")
    ended = place.run("audit", "models.py:net", "--data", "data.py:make", *QUICK, "--out", out)
    refused(ended, 3, out, "--out")


def test_a_file_where_the_folder_should_be(place) -> None:
    (place.folder / "run").write_text("not a folder")
    refused(audit(place), 2, "must be a folder")


def test_a_manifest_that_is_damaged(place) -> None:
    assert audit(place).code == 0
    (place.folder / "run/manifest.json").write_text('{"schema": 1')
    refused(audit(place), 2, "manifest.json")
    refused(place.run("report", "run"), 2, "manifest.json")
