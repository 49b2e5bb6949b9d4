"""Crops and flips against plain loops over pixels."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from weakspot import rng
from weakspot.training.augment import crop, flip

IMAGES = rng.uniform((2, 5, 6), torch.arange(7), 0, "images")
SAMPLE = torch.tensor([3, 1, 4, 15, 92, 65, 35])


@given(pad=st.integers(0, 3), seed=st.integers(0, 5), epoch=st.integers(0, 5))
def test_crop_against_a_plain_loop(pad: int, seed: int, epoch: int) -> None:
    got = crop(IMAGES, pad, SAMPLE, seed, epoch)
    offsets = rng.integers(2 * pad + 1, (2,), SAMPLE, seed, "crop", epoch).tolist() if pad else [[0, 0]] * 7
    for i, (down, right) in enumerate(offsets):
        for y in range(5):
            for x in range(6):
                row, column = y + down - pad, x + right - pad
                inside = 0 <= row < 5 and 0 <= column < 6
                expected = IMAGES[i, :, row, column] if inside else torch.zeros(2)
                assert torch.equal(got[i, :, y, x], expected)


def test_every_shift_happens() -> None:
    images = torch.zeros(400, 1, 5, 5)
    images[:, :, 2, 2] = 1
    places = crop(images, 1, torch.arange(400), 0, 0)[:, 0].flatten(1).argmax(1).unique().tolist()
    assert places == [6, 7, 8, 11, 12, 13, 16, 17, 18]


def test_flip_mirrors_about_half_and_nothing_else() -> None:
    images = rng.uniform((1, 3, 4), torch.arange(1000), 0, "images")
    got = flip(images, torch.arange(1000), 0, 0)
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(got, images, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(got, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 430 < sum(mirrored) < 570


def test_a_sample_does_not_depend_on_its_batch_but_on_the_epoch() -> None:
    whole = crop(flip(IMAGES, SAMPLE, 0, 1), 2, SAMPLE, 0, 1)
    alone = torch.cat([crop(flip(IMAGES[i : i + 1], s, 0, 1), 2, s, 0, 1) for i, s in enumerate(SAMPLE.split(1))])
    assert torch.equal(whole, alone)
    assert not torch.equal(whole, crop(flip(IMAGES, SAMPLE, 0, 2), 2, SAMPLE, 0, 2))
