"""The published sets themselves, where they are present: counts, names, and the part that ships."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from weakspot.addresses import Radius
from weakspot.data import NAMED, load
from weakspot.data.idx import read_array

FULL = Path("/usr/share/datasets/fashion-mnist")
MINI = Path(__file__).parents[2] / "src/weakspot/data/fashion_mnist_mini.npz"


@pytest.fixture
def full():
    if not FULL.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    return FULL


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_catalogue_is_complete(name):
    entry = NAMED[name]
    assert entry.name == name
    assert len(set(entry.classes)) == len(entry.classes) == (100 if name == "cifar100" else 10)
    assert Radius.of(entry.radius).norm == "linf"
    sources = [source for files in entry.sources.values() for source in files]
    assert all(len(bytes.fromhex(source.sha256)) == 32 and source.urls for source in sources)
    assert (entry.packaged is not None) != bool(sources)


@pytest.mark.parametrize("split, samples", [("train", 4000), ("test", 2000)])
def test_the_packaged_set(split, samples):
    data = load("fashion-mnist-mini", split=split, offline=True)
    assert (data.name, data.split, len(data), data.shape) == ("fashion-mnist-mini", split, samples, (1, 28, 28))
    assert data.radius == "linf:0.1"
    assert data.classes[0] == "T-shirt/top"
    rounds = data.labels.reshape(-1, 10).sort(dim=1).values
    assert torch.equal(rounds, torch.arange(10).expand_as(rounds))
    assert 0.2 < data.batch(range(samples)).mean() < 0.4


def test_the_packaged_file_is_small_and_keeps_its_licence():
    assert MINI.stat().st_size < 3_000_000
    notice = MINI.with_name("FASHION_MNIST_LICENSE").read_text()
    assert "Copyright (c) 2017 Zalando SE" in notice
    assert "Permission is hereby granted" in notice


@pytest.mark.parametrize("split, stem", [("train", "train"), ("test", "t10k")])
def test_the_packaged_images_are_the_original_ones(full, split, stem):
    data = load("fashion-mnist-mini", split=split)
    index = np.load(MINI)[f"{split}_index"]
    assert len(set(index.tolist())) == len(index)
    images = read_array(full / f"{stem}-images-idx3-ubyte.gz")[index]
    labels = read_array(full / f"{stem}-labels-idx1-ubyte.gz")[index]
    assert np.array_equal(data.images[:, 0], images)
    assert np.array_equal(data.labels.numpy(), labels)


def test_the_script_makes_the_packaged_file_again(full, tmp_path):
    made = tmp_path / "made.npz"
    runpy.run_path(str(MINI.parents[3] / "tools/make_fashion_mini.py"))["main"](full, made)
    made, ours = np.load(made), np.load(MINI)
    assert sorted(made) == sorted(ours)
    assert all(np.array_equal(made[key], ours[key]) for key in ours)


@pytest.mark.parametrize("split, samples", [("train", 60000), ("test", 10000)])
def test_debian_s_fashion_mnist(full, split, samples):
    data = load("fashion-mnist", split=split, offline=True)
    assert (data.name, len(data), data.shape) == ("fashion-mnist", samples, (1, 28, 28))
    assert data.labels.bincount().tolist() == [samples // 10] * 10


@pytest.mark.shared
def test_mnist_gives_the_test_split_when_only_its_files_are_there(shared, monkeypatch):
    monkeypatch.setenv("WEAKSPOT_CACHE", str(shared / "data"))
    data = load("mnist", offline=True)
    assert (data.name, len(data), data.shape, data.radius) == ("mnist", 10000, (1, 28, 28), "linf:0.3")
    assert data.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    by_path = load(f"idx:{shared / 'data' / 'mnist'}")
    assert torch.equal(by_path.batch(range(100)), data.batch(range(100)))


@pytest.mark.shared
def test_the_shared_cifar10(shared):
    address = f"parquet:{shared / 'data' / 'cifar10'}"
    test, train = load(address), load(address, split="train")
    assert (len(test), len(train), test.shape) == (5000, 12000, (3, 32, 32))
    assert test.classes == train.classes == NAMED["cifar10"].classes
    assert (test.split, train.split) == ("test", "train")
    # CIFAR-10's published channel means are 0.4914, 0.4822, 0.4465; 12,000 images vary around them.
    mean = torch.stack([train.batch(range(i, i + 1000)).mean(dim=(0, 2, 3)) for i in range(0, 12000, 1000)]).mean(0)
    torch.testing.assert_close(mean, torch.tensor([0.4914, 0.4822, 0.4465]), atol=0.005, rtol=0)
