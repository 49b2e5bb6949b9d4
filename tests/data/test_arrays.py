"""Layouts are decided by rule, and wrong arrays are refused in one clear line."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from weakspot.data import ArrayData, load
from weakspot.errors import InputError

LABELS = np.array([0, 1])


def zeros(*shape, dtype=np.uint8):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    "shape, dtype, layout, expected",
    [
        ((2, 5, 6), np.uint8, None, (1, 5, 6)),
        ((2, 5, 6), np.float32, None, (1, 5, 6)),
        ((2, 3, 5, 6), np.float32, None, (3, 5, 6)),
        ((2, 3, 5, 6), np.uint8, None, (3, 5, 6)),
        ((2, 5, 6, 3), np.uint8, None, (3, 5, 6)),
        ((2, 5, 6, 1), np.uint8, None, (1, 5, 6)),
        ((2, 4, 5, 6), np.uint8, None, (4, 5, 6)),
        ((2, 3, 5, 3), np.uint8, None, (3, 5, 3)),
        ((2, 1, 5, 1), np.uint8, None, (1, 5, 1)),
        ((2, 5, 6, 4), np.uint8, "NHWC", (4, 5, 6)),
        ((2, 3, 5, 3), np.uint8, "NHWC", (3, 3, 5)),
        ((2, 5, 6, 3), np.float16, "NHWC", (3, 5, 6)),
        ((2, 5, 6, 3), np.float32, "NCHW", (5, 6, 3)),
    ],
)
def test_the_layout_follows_the_rule(shape, dtype, layout, expected):
    assert ArrayData.of(np.zeros(shape, dtype), LABELS, layout=layout).shape == expected


def test_floats_that_look_channels_last_are_not_guessed():
    with pytest.raises(InputError, match="layout='NHWC'"):
        ArrayData.of(zeros(2, 32, 32, 3, dtype=np.float32), LABELS)


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (zeros(2, 3), LABELS, "expected images of shape"),
        (zeros(2, 1, 1, 1, 1), LABELS, "expected images of shape"),
        (zeros(0, 1, 4, 4), np.zeros(0, int), "at least one image"),
        (zeros(2, 1, 0, 4), LABELS, "at least one image"),
        (zeros(2, 1, 4, 4, dtype=np.int64), LABELS, "must be uint8 or floats.*int64"),
        (zeros(2, 1, 4, 4, dtype=bool), LABELS, "must be uint8 or floats.*bool"),
        (np.array([None, "x"]), LABELS, "must be uint8 or floats.*object"),
        ([[[1.0]], [[1.0, 2.0]]], LABELS, "images must have one shape"),
        (zeros(2, 1, 4, 4), [0], "2 images but 1 labels"),
        (zeros(2, 1, 4, 4), [0, -1], "count from 0 up, got -1 for sample 1"),
        (zeros(2, 1, 4, 4), [0, 2**40], "got 1099511627776 for sample 1"),
        (zeros(2, 1, 4, 4), np.array([0, 2**63], np.uint64), "got 9223372036854775808"),
        (zeros(2, 1, 4, 4), [0.0, 1.0], "whole numbers from 0 up, got float64"),
        (zeros(2, 1, 4, 4), [True, False], "whole numbers from 0 up, got bool"),
        (zeros(2, 1, 4, 4), ["a", "b"], "whole numbers"),
        (zeros(2, 1, 4, 4), [[0], [1, 2]], "one whole number for each image"),
        (zeros(2, 1, 4, 4), np.eye(2, dtype=int), "one-hot labels take the argmax"),
        (zeros(2, 1, 4, 4), 3, "one label for each image"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(images, labels, message):
    with pytest.raises(InputError, match=message) as caught:
        ArrayData.of(images, labels, name="mine")
    assert str(caught.value).startswith("mine: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad, message", [(np.nan, "NaN, sample 1500"), (1.01, r"sample 1500 spans \[0, 1.01\]")])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_bad_floats_are_named(bad, message, dtype):
    images = zeros(2000, 1, 2, 2, dtype=dtype)
    images[1500, 0, 1, 1] = bad
    with pytest.raises(InputError, match=message):
        ArrayData.of(images, np.zeros(2000, int))


@pytest.mark.parametrize("bad", [-1e-7, -np.inf, np.inf, 255.0])
def test_floats_outside_the_unit_range_are_refused(bad):
    with pytest.raises(InputError, match="divide by 255, or move Normalize"):
        ArrayData.of(np.full((2, 1, 2, 2), bad), LABELS)


def test_class_names_cover_the_labels_and_differ():
    images = zeros(2, 1, 4, 4)
    with pytest.raises(InputError, match="label 1 is out of range for 1 class names"):
        ArrayData.of(images, LABELS, classes=["only"])
    with pytest.raises(InputError, match="'a' more than once"):
        ArrayData.of(images, LABELS, classes=["a", "b", "a"])


def test_empty_classes_and_one_class_only_are_allowed():
    data = ArrayData.of(zeros(2, 1, 4, 4), LABELS, classes=["a", "b", "empty"])
    assert data.classes == ("a", "b", "empty")
    one = ArrayData.of(zeros(2, 1, 4, 4), [0, 0])
    assert one.classes == ("0",)
    assert ArrayData.of(zeros(1, 1, 4, 4), [2]).classes == ("0", "1", "2")


def test_nothing_is_copied():
    images = zeros(4, 5, 6, 3)
    assert np.shares_memory(ArrayData.of(images, [0, 1, 0, 1]).images, images)
    tensor = torch.zeros(4, 3, 5, 6, dtype=torch.uint8)
    assert np.shares_memory(ArrayData.of(tensor, [0, 1, 0, 1]).images, tensor.numpy())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_any_float_type(dtype):
    images = torch.full((2, 1, 2, 2), 0.5, dtype=dtype, requires_grad=True)
    assert torch.equal(load((images, torch.tensor(LABELS))).batch([0, 1]), torch.full((2, 1, 2, 2), 0.5))


@given(arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=5)), st.data())
def test_uint8_becomes_exactly_x_over_255(images, draw):
    layout = draw.draw(st.sampled_from(["NCHW", "NHWC"]))
    data = ArrayData.of(images, np.zeros(len(images), int), layout=layout)
    expected = [[[[float(np.float32(v) / np.float32(255)) for v in r] for r in c] for c in i] for i in data.images]
    assert data.batch(range(len(images))).tolist() == expected


@given(arrays(np.uint8, (3, 1, 2, 2)), arrays(np.int64, 3, elements=st.integers(0, 2)))
def test_the_digest_changes_with_any_pixel_label_or_name(images, labels):
    data = ArrayData.of(images, labels, classes=["a", "b", "c"])
    other = images.copy()
    other[1, 0, 1, 0] ^= 1
    moved = (labels + [0, 0, 1]) % 3
    changed = [
        ArrayData.of(other, labels, classes=["a", "b", "c"]),
        ArrayData.of(images, moved, classes=["a", "b", "c"]),
        ArrayData.of(images, labels, classes=["a", "b", "d"]),
        ArrayData.of(images, labels, classes=["a", "b", "c", "d"]),
        ArrayData.of(images.reshape(3, 1, 1, 4), labels, classes=["a", "b", "c"]),
    ]
    assert len({data.digest(), *(one.digest() for one in changed)}) == 6


def test_what_was_written_into_a_copy_on_write_map_stays(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((4, 1, 64, 64), np.uint8))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="c")
    mapped[:] = 255
    data = ArrayData.of(mapped, [0, 1, 0, 1])
    for _ in range(2):
        assert data.batch(range(4)).min() == 1
    assert mapped.min() == 255
