"""The pool, the split and the order: exact, stratified, and functions of (seed, epoch, sample) alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakspot import rng
from weakspot.data import load
from weakspot.errors import InputError
from weakspot.training.pool import CHUNK, Pool, batches, drawn, split


def test_bytes_stay_bytes() -> None:
    values = (rng.integers(256, (1, 4, 4), torch.arange(CHUNK + 3), 0, "bytes")).numpy().astype(np.uint8)
    data = load((values, np.arange(CHUNK + 3) % 3))
    pool = Pool.of(data, "cpu")
    assert pool.values.dtype == torch.uint8
    rows = torch.tensor([CHUNK + 2, 0, 17])
    assert torch.equal(pool.images(rows), data.batch(rows.tolist()))
    assert torch.equal(pool.labels, data.labels)


@pytest.mark.parametrize("odd", [0, CHUNK + 1])
def test_floats_that_are_no_bytes_are_kept_as_they_are(odd: int) -> None:
    values = (rng.integers(256, (1, 4, 4), torch.arange(CHUNK + 3), 0, "bytes")).float().numpy() / 255
    values[odd, 0, 1, 2] = 0.12345
    data = load((values.astype("float32"), np.arange(CHUNK + 3) % 3))
    pool = Pool.of(data, "cpu")
    assert pool.values.dtype == torch.float32
    assert torch.equal(pool.images(torch.arange(len(data))), data.batch(range(len(data))))


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=80).filter(
        lambda labels: all(labels.count(c) != 1 for c in range(4))
    ),
    share=st.floats(0.01, 0.5),
    seed=st.integers(0, 3),
)
def test_the_split_is_stratified_and_a_partition(labels: list[int], share: float, seed: int) -> None:
    kept, held = split(torch.tensor(labels), 4, share, seed)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(labels)))
    for c in range(4):
        members = labels.count(c)
        taken = sum(labels[i] == c for i in held.tolist())
        assert taken == (max(1, int(share * members)) if members else 0)


def test_the_split_depends_on_the_seed_and_may_be_empty() -> None:
    labels = torch.arange(200) % 4
    assert torch.equal(split(labels, 4, 0.1, 0)[1], split(labels, 4, 0.1, 0)[1])
    assert not torch.equal(split(labels, 4, 0.1, 0)[1], split(labels, 4, 0.1, 1)[1])
    assert len(split(labels, 4, 0.0, 0)[1]) == 0


def test_a_class_of_one_sample_cannot_be_split() -> None:
    with pytest.raises(InputError, match="class 2 .from 0. has one sample"):
        split(torch.tensor([0, 0, 1, 1, 2]), 3, 0.1, 0)


@given(samples=st.integers(1, 50), size=st.integers(1, 60), epoch=st.integers(0, 3))
def test_batches_are_full_and_hold_every_row_at_most_once(samples: int, size: int, epoch: int) -> None:
    rows = torch.arange(samples) * 3 + 1
    parts = batches(rows, size, 0, epoch)
    seen = torch.cat(parts).tolist()
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(rows.tolist())
    assert len(seen) == (samples // size * size if samples >= size else samples)
    assert all(len(part) == min(size, samples) for part in parts)


def test_each_epoch_has_its_own_order() -> None:
    rows = torch.arange(40)
    orders = [torch.cat(batches(rows, 8, 0, epoch)).tolist() for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    assert torch.cat(batches(rows, 8, 0, 1)).tolist() == orders[1]


def test_classes_are_drawn_by_their_chances_and_members_alike() -> None:
    labels = torch.tensor([2, 0, 2, 0, 2, 3, 0, 2])  # nothing of class 1
    rows = torch.tensor([10, 11, 12, 13, 14, 15, 16, 17])
    got = drawn(rows, labels, torch.tensor([0.5, 0.2, 0.3, 0.0]), 8000, 0, 7)
    counts = {row: int((got == row).sum()) for row in rows.tolist()}
    expected = {
        row: {0: 0.5 / 0.8 / 3, 2: 0.3 / 0.8 / 4, 3: 0.0}[c] for row, c in zip(counts, labels.tolist(), strict=True)
    }
    assert counts[15] == 0
    for row, chance in expected.items():
        assert counts[row] / 8000 == pytest.approx(chance, abs=4 * (chance / 8000) ** 0.5)
    assert torch.equal(got, drawn(rows, labels, torch.tensor([0.5, 0.2, 0.3, 0.0]), 8000, 0, 7))
    assert not torch.equal(got, drawn(rows, labels, torch.tensor([0.5, 0.2, 0.3, 0.0]), 8000, 0, 8))
