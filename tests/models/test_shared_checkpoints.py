"""Three public checkpoints that nobody here made: they load, and are as accurate as their page says."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from weakspot.errors import InputError
from weakspot.models import load

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
SHAPE = {"channels": 1, "classes": 10, "size": 28}


def idx(path):
    """An IDX file of bytes, by its own page: two zeros, type 8, the number of sizes, the sizes, the bytes."""
    content = gzip.decompress(path.read_bytes())
    assert content[:3] == b"\0\0\x08"
    sizes = np.frombuffer(content, ">u4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(sizes).copy()


def accuracy(model, folder):
    """The share of the test set's images that `model` knows, in percent."""
    images = torch.from_numpy(idx(folder / "t10k-images-idx3-ubyte.gz"))[:, None]
    labels = torch.from_numpy(idx(folder / "t10k-labels-idx1-ubyte.gz"))
    assert len(images) == len(labels) == 10_000
    with torch.no_grad():
        predictions = [model(batch.float() / 255).argmax(1) for batch in images.split(200)]
    return 100 * (torch.cat(predictions) == labels).double().mean().item()


@pytest.mark.shared
@pytest.mark.parametrize("kind, percent", [("clean", 98.89), ("adversarial", 98.64)])
def test_mnist(shared, kind, percent):
    loaded = load("lenet5", weights=shared / f"models/advertorch_mnist_lenet5_{kind}.pt", **SHAPE)
    assert accuracy(loaded.module, shared / "data/mnist") == pytest.approx(percent, abs=0.005)


@pytest.mark.shared
def test_fashion_mnist(shared):
    if not DEBIAN.is_dir():
        pytest.skip("needs Debian's dataset-fashion-mnist")
    loaded = load("small-cnn", weights=shared / "models/wongkolter_fashion_mnist_small.pth", **SHAPE)
    assert accuracy(loaded.module, DEBIAN) == pytest.approx(78.27, abs=0.005)


@pytest.mark.shared
def test_a_checkpoint_for_another_model_is_refused(shared):
    with pytest.raises(InputError, match="does not fit this SmallCnn: missing"):
        load("small-cnn", weights=shared / "models/advertorch_mnist_lenet5_clean.pt", **SHAPE)
