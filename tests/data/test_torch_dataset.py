"""Data sets and loaders of the user's: labels where they stand, images of any kind, errors that name the sample."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Subset as TorchSubset

from weakspot.data import ArrayData, from_dataset, load
from weakspot.errors import InputError

GREY = torch.linspace(0, 1, 16).reshape(1, 4, 4)


class Counting:
    """Counts what is read; `targets` may agree with the samples or not."""

    def __init__(self, samples=50, targets=None):
        self.samples, self.reads = samples, []
        if targets is not None:
            self.targets = targets

    def __len__(self):
        return self.samples

    def __getitem__(self, index):
        self.reads.append(index)
        return GREY, index % 3


def test_listed_labels_are_used_without_a_pass():
    dataset = Counting(targets=[index % 3 for index in range(50)])
    data = from_dataset(dataset)
    assert set(dataset.reads) == {0, 25, 49}
    assert data.labels.tolist() == [index % 3 for index in range(50)]


@pytest.mark.parametrize(
    "targets", [None, [0] * 50, [0] * 7, ["cat"] * 50, [[0], [1, 2]] * 25, torch.zeros(50, dtype=torch.int64)]
)
def test_listed_labels_that_disagree_are_replaced_by_a_pass(targets):
    assert from_dataset(Counting(targets=targets)).labels.tolist() == [index % 3 for index in range(50)]


def test_only_the_rows_of_a_batch_are_read():
    dataset = Counting()
    data = from_dataset(dataset)
    dataset.reads.clear()
    assert data.batch([7, 3]).shape == (2, 1, 4, 4)
    assert dataset.reads == [7, 3]
    assert data.batch([]).shape == (0, 1, 4, 4)


def test_subsets_of_torch_keep_labels_and_names():
    dataset = Counting(targets=np.arange(50) % 3)
    dataset.classes = ["a", "b", "c"]
    data = from_dataset(TorchSubset(TorchSubset(dataset, list(range(10, 20))), [9, 0]))
    assert data.classes == ("a", "b", "c")
    assert data.labels.tolist() == [19 % 3, 10 % 3]


def test_a_tensor_data_set_is_read_as_arrays():
    dataset = TensorDataset(GREY.repeat(3, 1, 1, 1), torch.tensor([0, 1, 1]))
    assert isinstance(load(dataset), ArrayData)
    assert isinstance(load(DataLoader(dataset, batch_size=2)), ArrayData)
    with_weights = TensorDataset(GREY.repeat(3, 1, 1, 1), torch.tensor([0, 1, 1]), torch.ones(3))
    with pytest.raises(InputError, match=r"expected \(image, label\) pairs, sample 0 is a tuple of 3"):
        load(with_weights)


@pytest.mark.parametrize("mode, channels", [("L", 1), ("RGB", 3), ("RGBA", 3), ("P", 3), ("CMYK", 3)])
def test_pil_images_of_any_mode(listed, mode, channels):
    data = load(listed([(Image.new(mode, (6, 5)), 0)]))
    assert data.shape == (channels, 5, 6)


@pytest.mark.parametrize("label", [1, np.int64(1), np.array([1]), np.array(1), torch.tensor(1), torch.tensor([1])])
def test_labels_of_any_integer_kind(listed, label):
    assert load(listed([(GREY, label)])).labels.tolist() == [1]


@pytest.mark.parametrize(
    "pairs, message",
    [
        ([], "at least one sample"),
        ([GREY], r"expected \(image, label\) pairs, sample 0 is a Tensor"),
        ([{"image": GREY, "label": 0}], "sample 0 is a dict"),
        ([(GREY, 0), (GREY, -1)], "sample 1: labels count from 0 up"),
        ([(GREY, 0), (GREY, 0.5)], "sample 1: labels must be whole numbers"),
        ([(GREY, torch.tensor([0, 1]))], "sample 0: 1 images but 2 labels"),
        ([("text", 0)], "sample 0: images must be uint8 or floats"),
        ([(GREY.long(), 0)], "sample 0: images must be uint8 or floats"),
        ([(torch.zeros(4), 0)], r"shape \(C, H, W\) or \(H, W\), sample 0 has \(4,\)"),
        ([(GREY * 2, 0)], r"\[0, 1\], sample 0 spans \[0, 2\]"),
    ],
)
def test_bad_samples_are_refused_when_the_set_is_opened(listed, pairs, message):
    with pytest.raises(InputError, match=message):
        load(listed(pairs))


@pytest.mark.parametrize(
    "second, message",
    [
        (GREY - 1, r"must lie in \[0, 1\], sample 1"),
        (GREY * torch.nan, "NaN, sample 1"),
        (torch.zeros(1, 5, 4), "all images must have one shape.*sample 1"),
    ],
)
def test_bad_samples_are_named_when_they_are_read(listed, second, message):
    data = load(listed([(GREY, 0), (second, 1)]))
    with pytest.raises(InputError, match=message):
        data.batch([0, 1])


def test_a_label_that_changes_is_noticed(listed):
    dataset = listed([(GREY, 0), (GREY, 1)])
    data = load(dataset)
    dataset.pairs.reverse()
    with pytest.raises(InputError, match="sample 0 had label 0 and now has 1"):
        data.batch([0])


def test_streams_are_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([(GREY, 0)])

    for source in (Stream(), DataLoader(Stream())):
        with pytest.raises(InputError, match="collect it into arrays"):
            load(source)
