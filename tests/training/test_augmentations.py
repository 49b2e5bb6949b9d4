"""RandAugment and AutoAugment: their tables, their draws, and whole images through Pillow's operations."""

from collections import Counter

import pytest
import torch
from kornia.augmentation.auto.autoaugment.autoaugment import cifar10_policy
from tests.training.test_operations import by_pillow, pictures

from weakspot import rng
from weakspot.training.autoaugment import POLICY, auto_augment
from weakspot.training.operations import NAMES
from weakspot.training.randaugment import CHOICE, rand_augment


@pytest.mark.parametrize("augment", [rand_augment, auto_augment])
@pytest.mark.parametrize("channels", [1, 3])
def test_draws_depend_on_seed_epoch_and_sample_alone(augment, channels: int) -> None:
    images = pictures(channels).repeat(8, 1, 1, 1) / 255
    sample = torch.arange(40) * 3
    base = augment(images, sample, 0, 0)
    assert base.min() >= 0
    assert base.max() <= 1
    turn = torch.arange(39, -1, -1)
    assert torch.equal(augment(images[turn], sample[turn], 0, 0), base[turn])
    assert torch.equal(augment(images[5:6], sample[5:6], 0, 0), base[5:6])
    for other in (augment(images, sample, 1, 0), augment(images, sample, 0, 1)):
        assert (other != base).flatten(1).any(1).float().mean() > 0.5


def test_randaugment_draws_from_fourteen_operations() -> None:
    names = "identity shear_x shear_y translate_x translate_y rotate brightness color contrast sharpness posterize"
    assert set(NAMES[:CHOICE]) == {*names.split(), "solarize", "auto_contrast", "equalize"}


def test_the_policy_is_kornias() -> None:
    theirs = [tuple((name, chance, index or 0) for name, chance, index in pair) for pair in cifar10_policy]
    assert list(POLICY) == theirs
    assert len(POLICY) == 25


def test_autoaugment_is_its_table_through_pillow() -> None:
    """Every image by the table, the named draws and Pillow, one at a time."""
    count = 400
    images = pictures(3).repeat(count // 5, 1, 1, 1)
    sample = torch.arange(count)
    pair = rng.integers(25, (1,), sample, 7, "autoaugment", 3)[:, 0].tolist()
    chance = rng.uniform((2,), sample, 7, "autoaugment/chance", 3).tolist()
    sign = rng.signs((2,), sample, 7, "autoaugment/sign", 3).tolist()
    found = (auto_augment(images / 255, sample, 7, 3) * 255).round()
    used = Counter()
    for i in range(count):
        expected = images[i : i + 1]
        for place, (name, probability, index) in enumerate(POLICY[pair[i]]):
            if chance[i][place] < probability:
                expected = by_pillow(name, expected, [sign[i][place] * index / 9])
                used[pair[i], place] += 1
        assert torch.equal(found[i : i + 1], expected), POLICY[pair[i]]
    assert set(pair) == set(range(25))
    assert used[14, 1] == 0, "of probability 0"


def test_one_channel_needs_no_colour() -> None:
    grey = pictures(1).repeat(40, 1, 1, 1) / 255
    sample = torch.arange(200)
    one, three = auto_augment(grey, sample, 0, 0), auto_augment(grey.expand(-1, 3, -1, -1), sample, 0, 0)
    assert torch.equal(one.expand(-1, 3, -1, -1), three)
