"""Long tails: the published counts, an exact integer oracle, and draws that depend on the seed alone.

Drawn orders, balanced controls and long-tailed test sets follow at the end.
"""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakspot.data import ArrayData, load
from weakspot.data.longtail import LongTail, long_tail
from weakspot.data.subset import limit
from weakspot.errors import InputError


def balanced(per_class, classes, split="train"):
    """Labels in a mixed order; the images are one pixel."""
    labels = (np.arange(per_class * classes) * 7) % (per_class * classes) % classes
    return ArrayData.of(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, split=split, name="set")


@pytest.mark.parametrize(
    "ratio, per_class, classes, counts, total",
    [
        ("50", 5000, 10, [5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100], 13996),
        ("10", 5000, 10, [5000], 20431),
        ("100", 5000, 10, [5000], 12406),
        ("10", 500, 100, [500, 488, 477], 19573),
    ],
)
def test_published_counts(ratio, per_class, classes, counts, total):
    data = balanced(per_class, classes)
    assert data.labels.bincount().tolist() == [per_class] * classes
    found = long_tail(data, LongTail.of(ratio)).labels.bincount().tolist()
    assert found[: len(counts)] == counts
    assert sum(found) == total
    assert found[-1] == per_class // int(ratio)


@given(head=st.integers(1, 6000), classes=st.integers(2, 120), ratio=st.fractions(1, 1000, max_denominator=4))
def test_counts_against_exact_integers(head, classes, ratio):
    """n = floor(x) exactly when n^(K-1) IR^c <= head^(K-1) < (n + 1)^(K-1) IR^c."""
    power = classes - 1
    for c, n in enumerate(LongTail(ratio=ratio).counts(head, classes)):
        assert n**power * ratio**c <= head**power < (n + 1) ** power * ratio**c


@given(head=st.integers(1, 6000), classes=st.integers(1, 120), ratio=st.fractions(1, 1000, max_denominator=4))
def test_step_counts(head, classes, ratio):
    counts = LongTail(ratio=ratio, form="step").counts(head, classes)
    assert counts == [head] * (classes // 2) + [int(Fraction(head) / ratio)] * (classes - classes // 2)


@given(seed=st.integers(0, 2**32), form=st.sampled_from(["exp", "step"]), ratio=st.integers(1, 20))
def test_the_subset_is_distinct_ordered_and_repeatable(seed, form, ratio):
    data = balanced(20, 5)
    tail = LongTail(ratio=Fraction(ratio), form=form, seed=seed)
    part = long_tail(data, tail)
    assert list(part.indices) == sorted(set(part.indices))
    assert Counter(part.labels.tolist()) == dict(enumerate(tail.counts(20, 5)))
    assert long_tail(data, tail).indices == part.indices


def test_steeper_tails_keep_a_part_of_what_flatter_ones_keep():
    data = balanced(50, 5)
    flat, steep = (set(long_tail(data, LongTail.of(ratio)).indices) for ratio in ("5", "10"))
    assert steep < flat


def test_the_seed_changes_which_samples_and_not_how_many():
    data = balanced(50, 5)
    first, second = (long_tail(data, LongTail.of("10", seed)) for seed in (0, 1))
    assert first.indices != second.indices
    assert torch.equal(first.labels.bincount(), second.labels.bincount())
    assert (first.name, second.name) == ("set+lt=10", "set+lt=10+lt_seed=1")


def test_the_smallest_class_caps_the_head():
    data = ArrayData.of(np.zeros((100, 1, 1, 1), np.uint8), [0] * 38 + [1] * 32 + [2] * 30)
    assert long_tail(data, LongTail.of("3")).labels.bincount().tolist() == [30, 17, 10]


def test_a_class_that_would_be_empty_is_an_error():
    data = balanced(20, 5)
    with pytest.raises(InputError, match="the class 4 would have no samples, since the smallest class has 20"):
        long_tail(data, LongTail.of("21"))
    empty = ArrayData.of(np.zeros((2, 1, 1, 1), np.uint8), [0, 2])
    with pytest.raises(InputError, match="the class 1 would have no samples"):
        long_tail(empty, LongTail.of("1"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.5",
        "0",
        "-3",
        "x",
        "log:50",
        "step:",
        "step:1/0",
        "1e999",
        "nan",
        "1000001",
        "balanced:",
        "step:balanced:5",
    ],
)
def test_wrong_tails_are_refused(text):
    with pytest.raises(InputError, match="written .lt=50 or .lt=step:50"):
        load(f"fashion-mnist-mini+lt={text}", split="train")


@pytest.mark.parametrize(
    "suffix, counts",
    [("+lt=50", [400, 258, 167, 108, 70, 45, 29, 19, 12, 8]), ("+lt=step:50", [400] * 5 + [8] * 5)],
)
def test_an_address_makes_the_tail_of_the_training_split_only(suffix, counts):
    train = load(f"fashion-mnist-mini{suffix}", split="train")
    assert train.labels.bincount().tolist() == counts
    assert train.name == f"fashion-mnist-mini{suffix}"
    assert load(train.name, split="train").digest() == train.digest()
    test = load(f"fashion-mnist-mini{suffix}")
    assert (len(test), test.name) == (2000, "fashion-mnist-mini")


def test_seeds_by_argument_and_by_address_are_one():
    by_argument = load("fashion-mnist-mini+lt=10", split="train", seed=3)
    by_address = load("fashion-mnist-mini+lt=10+lt_seed=3", split="train", seed=5)
    assert by_argument.indices == by_address.indices
    assert by_argument.name == by_address.name == "fashion-mnist-mini+lt=10+lt_seed=3"
    assert load(by_argument.name, split="train").indices == by_argument.indices


def test_a_set_without_splits_is_cut_whatever_split_is_asked_for(write):
    address = write("npz plain", 1) + "+lt=2"
    for split in ("train", "test"):
        assert load(address, split=split).labels.bincount().tolist() == [4, 2, 2]


def test_a_limited_tail_still_holds_positions_in_the_whole_set():
    part = load("fashion-mnist-mini+lt=10", split="train")
    assert limit(part, 10).indices == part.indices[:10]


def test_an_order_moves_the_counts_and_nothing_else():
    data = balanced(40, 9)
    plain = long_tail(data, LongTail.of("10"))
    seen = set()
    for order in range(20):
        tail = LongTail.of("10", order=order)
        part = long_tail(data, tail)
        counts = part.labels.bincount().tolist()
        assert sorted(counts, reverse=True) == plain.labels.bincount().tolist()
        assert [counts[c] for c in tail.ranking(9)] == plain.labels.bincount().tolist()
        # Each class keeps the first of one and the same order, however many it keeps.
        for c in range(9):
            mine, others = ([i for i in one.indices if data.labels[i] == c] for one in (part, plain))
            assert set(mine) <= set(others) or set(others) <= set(mine)
        seen.add(tuple(counts))
    assert len(seen) == 20


def test_orders_favour_no_class():
    """Every class is the most frequent one about equally often: chi-squared with 6 degrees below its 99.9 % point."""
    first = Counter(LongTail.of("10", order=order).ranking(7)[0] for order in range(700))
    assert sum((first[c] - 100) ** 2 / 100 for c in range(7)) < 22.5


@pytest.mark.parametrize("form", ["", "step:"])
@given(
    per_class=st.integers(1, 400),
    classes=st.integers(2, 12),
    ratio=st.integers(1, 30),
    order=st.none() | st.integers(0, 9),
)
def test_the_control_has_the_same_total_in_equal_counts(form, per_class, classes, ratio, order):
    if per_class < ratio:
        return
    wanted = sum(LongTail.of(f"{form}{ratio}").counts(per_class, classes))
    counts = LongTail.of(f"balanced:{form}{ratio}", order=order).counts(per_class, classes)
    assert sum(counts) == wanted
    assert max(counts) - min(counts) <= 1
    assert max(counts) <= per_class


def test_the_control_by_address():
    tail, control = (load(f"fashion-mnist-mini+lt={form}50", split="train") for form in ("", "balanced:"))
    assert control.labels.bincount().tolist() == [112] * 6 + [111] * 4
    assert len(control) == len(tail) == 1116
    assert control.name == "fashion-mnist-mini+lt=balanced:50"
    with pytest.raises(
        InputError, match="the class Ankle boot would have no samples, since the smallest class has 400"
    ):
        load("fashion-mnist-mini+lt=balanced:401", split="train")


def test_groups_of_coprime_sizes():
    """Classes of 7, 11, 13 and 17 samples: the smallest one caps the head, whichever class is the head."""
    labels = np.repeat([0, 1, 2, 3], [7, 11, 13, 17])
    data = ArrayData.of(np.zeros((48, 1, 1, 1), np.uint8), labels, split="train", name="coprime")
    for order in (None, 0, 1, 2):
        tail = LongTail.of("3", order=order)
        counts = long_tail(data, tail).labels.bincount().tolist()
        assert [counts[c] for c in tail.ranking(4)] == [7, 4, 3, 2]  # 7, 4.85, 3.37, 2.33


def test_an_address_with_everything_loads_itself_again():
    train = load("fashion-mnist-mini+lt_test+lt_seed=2+lt=step:4+lt_order=5", split="train", seed=9)
    assert train.name == "fashion-mnist-mini+lt=step:4+lt_order=5+lt_seed=2+lt_test"
    assert load(train.name, split="train", seed=1).indices == train.indices


def test_a_long_tailed_test_split():
    test = load("fashion-mnist-mini+lt=10+lt_test")
    assert test.labels.bincount().tolist() == [200, 154, 119, 92, 71, 55, 43, 33, 25, 20]
    assert (test.split, test.name) == ("test", "fashion-mnist-mini+lt=10+lt_test")
    assert load(test.name).digest() == test.digest()
    # Whatever the seed of the training part, and of the audit: the same images.
    for other in (load("fashion-mnist-mini+lt=10+lt_seed=4+lt_test"), load("fashion-mnist-mini+lt=10+lt_test", seed=4)):
        assert (other.indices, other.name) == (test.indices, test.name)
    moved = load("fashion-mnist-mini+lt=10+lt_order=1+lt_test").labels.bincount()
    assert moved.sum() == len(test)
    assert moved.tolist() != test.labels.bincount().tolist()


@pytest.mark.parametrize(
    "suffix, says",
    [
        ("+lt_seed=3", r"lt_seed goes with .lt, as in fashion-mnist-mini.lt=50.lt_seed=3"),
        ("+lt_test", "lt_test goes with .lt"),
        ("+lt=5+lt=6", "lt stands there twice"),
        ("+lt=5+lt_order=x", "lt_order is a whole number, .* got 'x'"),
        ("+lt=5+lt_seed=-1", "lt_seed is a whole number"),
        ("+lt=5+lt_bogus=1", "lt_bogus=1 is none of .lt=50, .*, .lt_seed=1, .lt_order=1 and .lt_test"),
        ("+lt=5+lt_test=1", "lt_test=1 is none of"),
        ("+lt", r"[+]lt is none of"),
        ("+LT=10", "LT=10 is none of"),
    ],
)
def test_wrong_suffixes_are_refused_in_one_line(suffix, says):
    with pytest.raises(InputError, match=says) as caught:
        load(f"fashion-mnist-mini{suffix}", split="train")
    assert "\n" not in str(caught.value)


def test_classes_of_one_sample():
    labels = np.repeat([0, 1, 2], [9, 1, 9])
    data = ArrayData.of(np.zeros((19, 1, 1, 1), np.uint8), labels, split="train", name="lonely")
    assert long_tail(data, LongTail.of("1")).labels.bincount().tolist() == [1, 1, 1]
    with pytest.raises(InputError, match="the class 1 would have no samples, since the smallest class has 1;"):
        long_tail(data, LongTail.of("2"))
    # With another order it is another class that would be emptied first, and that one is named.
    order = next(o for o in range(20) if LongTail.of("2", order=o).ranking(3)[1] == 2)
    with pytest.raises(InputError, match="the class 2 would have no samples"):
        long_tail(data, LongTail.of("2", order=order))
