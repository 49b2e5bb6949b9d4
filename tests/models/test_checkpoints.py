"""Weights from files: good ones, misfits, damaged ones, and pickles that would run code."""

import errno
import logging
import os
import pickle
import re
import warnings
import zipfile
from hashlib import sha256

import pytest
import torch
from torch import nn

from weakspot.errors import InputError, SetupError
from weakspot.models import build, checkpoints, digest

FAMILIES = ("cnn", "lenet5", "small-cnn", "small-cnn-bn", "resnet18-w4", "preact-resnet18-w4", "wrn-10-1")


def small(name="cnn", seed=0, **shape):
    return build(name, **{"channels": 1, "classes": 10, "size": 28} | shape, seed=seed)


class Hostile:
    """Unpickled, it makes a folder: the trace that code has run."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 700
    return text


@pytest.mark.parametrize("name", FAMILIES)
def test_saved_and_loaded_is_the_same_model(name, tmp_path):
    source, target = small(name, seed=1), small(name, seed=2)
    checkpoints.save(source, tmp_path / "w.safetensors")
    checkpoints.load_into(target, tmp_path / "w.safetensors")
    assert digest(target) == digest(source)
    assert os.listdir(tmp_path) == ["w.safetensors"]


def test_normalisation_travels_with_the_weights(tmp_path):
    source = build("cnn", channels=1, classes=10, size=28, mean=(0.3,), std=(0.2,))
    checkpoints.save(source, tmp_path / "w.safetensors")
    target = small()
    checkpoints.load_into(target, tmp_path / "w.safetensors")
    assert target.normalize.mean.item() == pytest.approx(0.3)
    assert target.normalize.std.item() == pytest.approx(0.2)


NESTINGS = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "optimizer": {"lr": 0.1}},
    "net": lambda state: {"net": state, "acc": 93.1},
    "twice": lambda state: {"model": {"state_dict": state, "epoch": 3}},
    "parallel": lambda state: {f"module.{name}": value for name, value in state.items()},
    "compiled": lambda state: {"state_dict": {f"_orig_mod.module.{name}": value for name, value in state.items()}},
    "elsewhere": lambda state: {n: v for n, v in state.items() if not n.startswith("normalize")},
    "old norms": lambda state: {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("nesting", NESTINGS)
@pytest.mark.parametrize("old_format", [False, True])
def test_the_ways_in_which_scripts_nest_weights(nesting, old_format, tmp_path):
    source, target = small("resnet18-w4", seed=1), small("resnet18-w4", seed=2)
    path = tmp_path / "w.pt"
    torch.save(NESTINGS[nesting](source.state_dict()), path, _use_new_zipfile_serialization=not old_format)
    checkpoints.load_into(target, path)
    assert digest(target) == digest(source)


def test_a_model_that_has_a_part_called_module_keeps_its_names(tmp_path):
    class Wrapper(nn.Module):
        def __init__(self, seed):
            super().__init__()
            self.module = small(seed=seed)

    checkpoints.save(Wrapper(1), tmp_path / "w.safetensors")
    target = Wrapper(2)
    checkpoints.load_into(target, tmp_path / "w.safetensors")
    assert digest(target.module) == digest(small(seed=1))


def test_tied_weights_are_saved(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(3, 3)
            self.second = self.first

    checkpoints.save(Tied(), tmp_path / "w.safetensors")
    checkpoints.load_into(Tied(), tmp_path / "w.safetensors")


def test_a_misfit_names_what_differs(tmp_path):
    state = small().state_dict()
    state["fc.weight"] = state.pop("linear.weight")
    state["conv1.weight"] = torch.zeros(32, 3, 4, 4)
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(InputError) as error:
        checkpoints.load_into(small(), tmp_path / "w.pt")
    said = one_line(error)
    assert "missing linear.weight" in said
    assert "unexpected fc.weight" in said
    assert "conv1.weight 32x3x4x4 for 32x1x4x4" in said


def test_a_great_misfit_names_a_few_and_counts_the_rest(tmp_path):
    target = small()
    before = digest(target)
    checkpoints.save(small("resnet18-w4"), tmp_path / "w.safetensors")
    with pytest.raises(InputError) as error:
        checkpoints.load_into(target, tmp_path / "w.safetensors")
    assert len(re.findall(r"and \d+ more", one_line(error))) == 2
    assert digest(target) == before, "a refused checkpoint left something in the model"


@pytest.mark.parametrize("suffix", ["pt", "pth", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("old_format", [False, True])
@pytest.mark.parametrize("trust", [False, True])
def test_a_truncated_file_is_one_line(suffix, share, old_format, trust, tmp_path):
    path = tmp_path / f"w.{suffix}"
    if suffix == "safetensors":
        checkpoints.save(small(), path)
    else:
        torch.save(small().state_dict(), path, _use_new_zipfile_serialization=not old_format)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"w\.\w+ cannot be read") as error:
        checkpoints.read(path, trust_pickle=trust)
    one_line(error)


def test_garbage_is_one_line(tmp_path):
    for index, content in enumerate([b"hello", b"\x80\x05.", b"PK\x03\x04" + bytes(100), pickle.dumps(3), bytes(4096)]):
        path = tmp_path / f"{index}.pt"
        path.write_bytes(content)
        with pytest.raises(InputError) as error:
            checkpoints.read(path)
        one_line(error)


@pytest.mark.parametrize("content", [{}, [], 3, {"epoch": 3}, {"state_dict": {"epoch": 3}}, {0: torch.zeros(1)}])
def test_a_file_without_weights_is_one_line(content, tmp_path):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(InputError, match="holds no state dict"):
        checkpoints.read(tmp_path / "w.pt")


def test_a_checkpoint_that_contains_itself_ends(tmp_path):
    content = {"epoch": 3}
    content["model"] = content
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(InputError, match="holds no state dict"):
        checkpoints.read(tmp_path / "w.pt")


def test_a_missing_file_and_a_folder_are_one_line(tmp_path):
    for path in (tmp_path / "absent.pt", tmp_path):
        with pytest.raises(InputError, match="no checkpoint at"):
            checkpoints.read(path)


def hostile_files(tmp_path, trace):
    """The same hostile object in every container that torch.load opens."""
    for old_format in (False, True):
        path = tmp_path / f"torch{old_format}.pt"
        torch.save({"state_dict": {"w": torch.zeros(2)}, "x": Hostile(trace)}, path,
                   _use_new_zipfile_serialization=not old_format)  # fmt: skip
        yield path
    path = tmp_path / "plain.pt"
    path.write_bytes(pickle.dumps(Hostile(trace), protocol=2))
    yield path
    path = tmp_path / "zip.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Hostile(trace), protocol=2))
        archive.writestr("archive/version", "3\n")
    yield path


def test_a_hostile_pickle_is_refused_and_nothing_runs(tmp_path):
    trace = tmp_path / "executed"
    for path in hostile_files(tmp_path, trace):
        with pytest.raises(InputError) as error:
            checkpoints.read(path)
        said = one_line(error)
        assert not trace.exists(), f"{path.name}: the pickle's code ran"
        assert "posix.mkdir" in said
        assert "--trust-pickle" in said
        assert sha256(path.read_bytes()).hexdigest() in said
    newer = [tmp_path / "newer.pt", tmp_path / "archive.pt"]  # torch's reader knows no protocol above 2
    newer[0].write_bytes(pickle.dumps(Hostile(trace), protocol=4))
    torch.save({"x": Hostile(trace)}, newer[1], pickle_protocol=4)
    for path in newer:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(InputError, match="--trust-pickle") as error:
                checkpoints.read(path)
        assert "executes code" in one_line(error)
        assert not trace.exists()
    # The same object does run code where pickles are trusted: the refusal above is what kept it from running.
    pickle.loads(pickle.dumps(Hostile(trace)))
    assert trace.is_dir()


def test_a_hostile_pickle_named_safetensors_is_refused(tmp_path):
    trace, path = tmp_path / "executed", tmp_path / "w.safetensors"
    path.write_bytes(pickle.dumps(Hostile(trace)))
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        checkpoints.read(path, trust_pickle=True)
    assert not trace.exists()


def test_trust_names_the_file_and_loads(tmp_path, caplog):
    trace, state = tmp_path / "executed", small(seed=1).state_dict()
    torch.save({"state_dict": state, "x": Hostile(trace)}, tmp_path / "w.pt")
    target = small(seed=2)
    with caplog.at_level(logging.WARNING, "weakspot"):
        checkpoints.load_into(target, tmp_path / "w.pt", trust_pickle=True)
    assert trace.is_dir()
    assert digest(target) == digest(small(seed=1))
    (record,) = caplog.records
    assert str(tmp_path / "w.pt") in record.getMessage()
    assert sha256((tmp_path / "w.pt").read_bytes()).hexdigest() in record.getMessage()


def test_trust_is_not_used_where_it_is_not_needed(tmp_path, caplog):
    torch.save(small().state_dict(), tmp_path / "w.pt")
    with caplog.at_level(logging.WARNING, "weakspot"):
        checkpoints.read(tmp_path / "w.pt", trust_pickle=True)
    assert not caplog.records


def test_a_whole_module_needs_trust(tmp_path):
    torch.save(small(seed=1), tmp_path / "w.pt")
    with pytest.raises(InputError, match="weakspot.models.zoo.cnn.Cnn"):
        checkpoints.read(tmp_path / "w.pt")
    target = small(seed=2)
    checkpoints.load_into(target, tmp_path / "w.pt", trust_pickle=True)
    assert digest(target) == digest(small(seed=1))


def test_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    checkpoints.save(small(seed=1), path)
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SetupError, match="No space left"):
        checkpoints.save(small(seed=2), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.safetensors"]


def test_a_folder_that_is_missing_is_a_setup_error(tmp_path):
    with pytest.raises(SetupError, match="cannot write"):
        checkpoints.save(small(), tmp_path / "absent" / "w.safetensors")
