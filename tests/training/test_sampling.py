"""Class-aware epochs: how often each class and image comes, in which order, and by which draws it is cropped."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weakspot.training.pool import cut
from weakspot.training.sampling import class_aware


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 3), st.integers(0, 3))
def test_every_class_comes_as_often_as_the_largest(counts: list[int], seed: int, epoch: int) -> None:
    labels = torch.tensor([c for c, n in enumerate(counts) for _ in range(n)])
    rows = 10 + 3 * torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    drawn, before = class_aware(rows, labels, seed, epoch)
    label = dict(zip(rows.tolist(), labels.tolist(), strict=True))
    classes = [label[row] for row in drawn.tolist()]
    assert Counter(classes) == dict.fromkeys(range(len(counts)), max(counts))
    for part in cut(torch.tensor(classes), len(counts)):
        assert sorted(part.tolist()) == list(range(len(counts))), "each round goes once through the classes"
    times = Counter(drawn.tolist())
    for c, n in enumerate(counts):
        own = [times[row] for row in rows.tolist() if label[row] == c]
        assert max(own) - min(own) <= (max(counts) % n > 0), "no image comes again before all of its class came"
    seen: Counter[int] = Counter()
    for row, earlier in zip(drawn.tolist(), before.tolist(), strict=True):
        assert earlier == seen[row]
        seen[row] += 1


def test_it_depends_on_seed_and_epoch_alone() -> None:
    labels = torch.tensor([0] * 30 + [1] * 7 + [3] * 2)  # no image of class 2
    rows = torch.arange(len(labels))
    base = class_aware(rows, labels, 0, 0)[0]
    assert torch.equal(base, class_aware(rows, labels, 0, 0)[0])
    assert len(base) == 90
    assert not torch.equal(base, class_aware(rows, labels, 1, 0)[0])
    assert not torch.equal(base, class_aware(rows, labels, 0, 1)[0])


@pytest.mark.parametrize("size, parts", [(4, [4, 4]), (10, [10]), (99, [10])])
def test_a_smaller_rest_is_left_out_unless_it_is_all(size: int, parts: list[int]) -> None:
    assert [len(part) for part in cut(torch.arange(10), size)] == parts
