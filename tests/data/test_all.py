"""What every reader and every kind of Python object must give: one suite over all of them."""

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weakspot.data import ArrayData, Subset, describe, limit, load
from weakspot.errors import InputError

rows_in_any_order = st.lists(st.integers(0, 11), max_size=15)
once_per_case = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_the_images_are_those_that_were_stored(case):
    batch = case.data.batch(range(len(case.labels)))
    assert batch.dtype == torch.float32
    assert batch.device.type == "cpu"
    assert batch.is_contiguous()
    assert batch.amin() >= 0
    assert batch.amax() <= 1
    assert torch.equal(batch, case.images)
    assert case.data.shape == tuple(case.images.shape[1:])


def test_the_labels_are_those_that_were_stored(case):
    assert len(case.data) == len(case.labels)
    assert case.data.labels.dtype == torch.int64
    assert torch.equal(case.data.labels, case.labels)


@once_per_case
@given(rows=rows_in_any_order)
def test_any_rows_in_any_order(case, rows):
    assert torch.equal(case.data.batch(rows), case.images[torch.tensor(rows, dtype=torch.int64)])


def test_a_batch_is_a_copy(case):
    case.data.batch([0]).zero_()
    assert torch.equal(case.data.batch([0]), case.images[:1])


def test_class_names_are_found_or_numbers(case, classes):
    assert case.data.classes in (classes, ("0", "1", "2"))
    assert (case.data.classes == classes) == (not case.data.name.startswith("idx:"))


def test_the_digest_depends_on_content_alone(case, classes):
    same = ArrayData.of(case.images, case.labels, classes=case.data.classes)
    assert case.data.digest() == same.digest()
    assert case.data.digest() == case.data.digest()
    assert len(case.data.digest()) == 64


def test_a_set_has_one_split_or_the_one_asked_for(case):
    assert case.data.split in ("test", "all")


def test_an_address_loads_the_same_again(case):
    if ":" not in case.data.name:
        assert case.data.name in ("arrays", "dataset")
        return
    again = load(case.data.name)
    assert (again.name, again.digest()) == (case.data.name, case.data.digest())
    if case.data.split == "all":
        train = load(case.data.name, split="train")
        assert (train.split, train.digest()) == ("all", case.data.digest())


@pytest.mark.parametrize("format", ["idx", "npz floats", "split folders", "parquet folder"])
def test_a_set_with_splits_gives_the_training_split(write, format):
    train = load(write(format, 1), split="train")
    assert train.split == "train"
    assert len(train) == (3 if format in ("split folders", "parquet folder") else 12)


@pytest.mark.parametrize("format", ["idx.gz", "npz MedMNIST"])
def test_a_missing_split_is_an_error_that_says_what_is_there(write, format):
    with pytest.raises(InputError, match=r"train.*found .*(t10k|test)"):
        load(write(format, 1), split="train")


def test_a_data_is_handed_through(case):
    assert load(case.data) is case.data


def test_the_description_is_plain_and_true(case):
    told = json.loads(json.dumps(describe(case.data)))
    assert told["samples"] == 12
    assert told["shape"] == list(case.images.shape[1:])
    assert [one["samples"] for one in told["classes"]] == [4, 4, 4]
    assert [one["name"] for one in told["classes"]] == list(case.data.classes)
    assert told["digest"] == case.data.digest()


@once_per_case
@given(indices=st.lists(st.integers(0, 11), min_size=1, max_size=9))
def test_a_subset_is_a_data_too(case, indices):
    part = Subset(case.data, tuple(indices))
    assert torch.equal(part.batch(range(len(part))), case.images[indices])
    assert torch.equal(part.labels, case.labels[indices])
    assert part.digest() == ArrayData.of(case.images[indices], case.labels[indices], classes=part.classes).digest()
    assert (part.name, part.split, part.shape, part.radius) == (
        case.data.name,
        case.data.split,
        case.data.shape,
        case.data.radius,
    )


def test_a_limit_is_the_first_samples(case):
    assert limit(case.data, None) is case.data
    assert limit(case.data, 12) is case.data
    first = limit(limit(case.data, 7), 5)
    assert torch.equal(first.batch(range(5)), case.images[:5])
    assert first.indices == (0, 1, 2, 3, 4)
    assert first.data is case.data
