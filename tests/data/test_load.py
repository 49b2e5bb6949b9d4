"""Addresses: factories, plugins, mistakes; and memory, which holds one batch of floats at a time."""

import sys
import tracemalloc
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch

import weakspot.registry
from weakspot.data import Subset, encoded, limit, load, with_classes
from weakspot.data.arrays import ArrayData
from weakspot.data.encoded import EncodedData
from weakspot.errors import InputError

FACTORIES = """
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from torch.utils.data import TensorDataset
import torch

def pair():
    return np.zeros((2, 4, 4), np.uint8), [0, 1]

def dataset(split):
    samples = 3 if split == "train" else 2
    return TensorDataset(torch.zeros(samples, 1, 4, 4), torch.zeros(samples).long())

def listed():
    return [((np.zeros((4, 4)), 0))] * 3

@dataclass
class Made:
    size: int = 2

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return np.zeros((4, 4)), 0

ready = Made()

def fails():
    raise OSError("no such disk")

number = 7
"""


@pytest.fixture
def factories(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "weakspot_factories.py").write_text(FACTORIES)
    (tmp_path / "weakspot_pack").mkdir()
    (tmp_path / "weakspot_pack" / "__init__.py").write_text("")
    (tmp_path / "weakspot_pack" / "sets.py").write_text(FACTORIES)
    yield tmp_path
    for name in [
        name for name in sys.modules if name.startswith(("weakspot_factories", "weakspot_pack", "weakspot_data_"))
    ]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "place", ["weakspot_factories.py", "./weakspot_factories.py", "weakspot_factories", "weakspot_pack.sets"]
)
def test_factories_by_file_and_module(factories, place):
    data = load(f"{place}:pair")
    assert (data.name, len(data), data.shape, data.split) == (f"{place}:pair", 2, (1, 4, 4), "all")
    assert (len(load(f"{place}:dataset", split="train")), len(load(f"{place}:dataset"))) == (3, 2)
    assert (len(load(f"{place}:Made")), len(load(f"{place}:ready"))) == (2, 2)


@pytest.mark.parametrize(
    "address, message",
    [
        ("weakspot_factories.py:fails", "fails: OSError: no such disk"),
        ("weakspot_factories.py:absent", "there is no 'absent'"),
        ("weakspot_factories.py:number", "^weakspot_factories.py:number: expected data as an address.*got int"),
        ("weakspot_factories.py:listed", "^weakspot_factories.py:listed: expected data as an address.*got list"),
        ("nowhere.py:pair", "no file nowhere.py"),
        ("weakspot_pack.none:pair", "ModuleNotFoundError"),
        ("broken.py:pair", "SyntaxError"),
    ],
)
def test_factories_that_fail_say_so_in_one_line(factories, address, message):
    (factories / "broken.py").write_text("def (:\n")
    with pytest.raises(InputError, match=message) as caught:
        load(address)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source, message",
    [
        ("fashion-mnits", "unknown data set 'fashion-mnits'; did you mean 'fashion-mnist'"),
        ("", "unknown data set ''"),
        ("nzp:x.npz", "unknown data reader 'nzp'; did you mean 'npz'"),
        ("npz:absent.npz", "npz: no file absent.npz"),
        ("idx:absent", "idx: no file or folder absent"),
        ("folder:absent", "folder: no folder absent"),
        ("parquet:absent", "parquet: no file or folder absent"),
        ("cifar10-bin:absent", "cifar10-bin: no file or folder absent"),
        ("cifar100-bin:absent", "cifar100-bin: no file or folder absent"),
        ("photos", "'photos' is a path; say how to read it, as in folder:photos"),
        ("folder:photos", "expected class folders with images"),
        ("parquet:photos", "found no Parquet"),
        (None, "expected data as an address.*got NoneType"),
        (3, "got int"),
        ((1, 2, 3), "got tuple"),
        (iter([]), "got list_iterator"),
        ({"x": 1}, "got dict"),
        (np.zeros((2, 4, 4)), r"expected \(image, label\) pairs"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match=message) as caught:
        load(source, offline=True)
    assert "\n" not in str(caught.value)


def test_an_unknown_split_is_refused():
    with pytest.raises(InputError, match="unknown split 'tets'; did you mean 'test'"):
        load("fashion-mnist-mini", split="tets")


def plugged_set(split, *, offline):
    return load((np.zeros((2, 4, 4), np.uint8), [0, 1]))


def plugged_reader(path, split):
    return load((np.zeros((len(path.name), 4, 4), np.uint8), [0] * len(path.name)))


def test_an_installed_package_adds_sets_and_readers(monkeypatch):
    offered = {
        "weakspot.data": [EntryPoint("theirs", "theirs:plugged_set", "weakspot.data")],
        "weakspot.readers": [EntryPoint("five", "theirs:plugged_reader", "weakspot.readers")],
    }
    monkeypatch.setitem(sys.modules, "theirs", sys.modules[__name__])
    monkeypatch.setattr(weakspot.registry, "entry_points", lambda group: offered.get(group, []))
    assert len(load("theirs")) == 2
    assert len(load("five:12345")) == 5
    with pytest.raises(InputError, match="known: cifar10, .*theirs"):
        load("others")


@pytest.mark.parametrize("samples", [0, -1])
def test_a_limit_below_one_is_refused(samples):
    with pytest.raises(InputError, match="at least 1 sample"):
        limit(load("fashion-mnist-mini"), samples)


@pytest.mark.parametrize("indices", [(), (0, 2000), (-1,)])
def test_a_subset_must_lie_inside(indices):
    with pytest.raises(InputError, match="fashion-mnist-mini: "):
        Subset(load("fashion-mnist-mini"), indices)


def test_folders_keep_the_first_samples_of_all_classes(write):
    assert load(write("folder", 3)).labels.tolist() == [0, 1, 2] * 4


def test_grey_images_among_coloured_ones_become_coloured(tmp_path, make_png):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(make_png(np.full((4, 4, 1), 9, np.uint8)))
    (tmp_path / "a" / "2.png").write_bytes(make_png(np.full((4, 4, 3), 9, np.uint8)))
    assert torch.equal(load(f"folder:{tmp_path}").batch([0]), torch.full((1, 3, 4, 4), 9 / 255))


@pytest.mark.parametrize("format", ["folder", "parquet hub"])
def test_sets_too_large_to_hold_are_decoded_batch_by_batch(write, monkeypatch, format):
    address = write(format, 3)
    held = load(address)
    monkeypatch.setattr(encoded, "KEPT", 1000)
    streamed = load(address)
    assert isinstance(streamed, EncodedData)
    assert not isinstance(held, EncodedData)
    assert streamed.digest() == held.digest()
    assert torch.equal(streamed.batch([3, 0, 3]), held.batch([3, 0, 3]))


def peak(action):
    """The most bytes that numpy and Python held during `action`."""
    tracemalloc.start()
    action()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_plain_idx_and_npz_are_memory_mapped(tmp_path, make_idx):
    """100 MB that take no disk and are never read as a whole."""
    samples, size = 10_000, 100
    images = tmp_path / "images-idx3-ubyte"
    images.write_bytes(make_idx(np.zeros((0, size, size)))[:4] + np.array([samples, size, size], ">u4").tobytes())
    with images.open("r+b") as file:
        file.truncate(16 + samples * size * size)
    (tmp_path / "labels-idx1-ubyte").write_bytes(make_idx(np.arange(samples) % 10))
    assert peak(lambda: load(f"idx:{images}").batch(range(64))) < 8e6
    data = load(f"idx:{images}")
    np.savez(tmp_path / "x.npz", x=data.images[:, 0], y=data.labels.numpy())
    assert peak(lambda: load(f"npz:{tmp_path / 'x.npz'}").batch(range(64))) < 8e6


def test_batches_and_digests_hold_one_batch_of_floats():
    images = np.zeros((20_000, 1, 50, 50), np.uint8)
    data = load((images, np.zeros(len(images), int)))
    assert peak(lambda: data.batch(range(64))) < 64 * 2500 * 3
    assert peak(data.digest) < 1024 * 2500 * 3


def test_classes_that_were_only_counted_grow_to_the_models_and_named_ones_do_not():
    images, labels = np.zeros((4, 5, 5), np.uint8), [0, 2, 1, 2]
    counted, named = load((images, labels)), ArrayData.of(images, labels, classes=["a", "b", "c"])
    assert with_classes(counted, 5).classes == ("0", "1", "2", "3", "4")
    assert with_classes(counted, 5).digest() != counted.digest()
    assert with_classes(counted, 2) is counted
    assert with_classes(named, 5) is named
    assert with_classes(limit(counted, 2), 5).classes == ("0", "1", "2")
