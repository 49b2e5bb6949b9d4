"""RandAugment's operations against Pillow's, and its draws."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from weakspot import rng
from weakspot.training.randaugment import OPERATORS, rand_augment

SIZE = 20


def pictures(channels: int) -> torch.Tensor:
    """Smooth and rough bytes, one nearly constant."""
    values = rng.integers(256, (channels, SIZE, SIZE), torch.arange(4), 0, "pictures").float()
    values[1] = (values[1] * 0.3 + torch.arange(SIZE) * 6).round()
    values[2] = values[2] // 50 + 90
    return values


def pillow(number: int, image: Image.Image, sign: float) -> Image.Image:
    """The same operation at level 8 of 30."""
    share, near = 8 / 30, Image.Resampling.NEAREST
    shear, shift, factor = sign * 0.3 * share, sign * int(150 / 331 * SIZE * share), 1 + sign * 0.9 * share
    matrices = {
        1: (1, shear, 0, 0, 1, 0),
        2: (1, 0, 0, shear, 1, 0),
        3: (1, 0, shift, 0, 1, 0),
        4: (1, 0, 0, 0, 1, shift),
    }
    if number in matrices:
        return image.transform(image.size, Image.Transform.AFFINE, matrices[number], near)
    if number == 5:
        return image.rotate(sign * 30 * share, near)
    enhancers = {6: ImageEnhance.Brightness, 7: ImageEnhance.Color, 8: ImageEnhance.Contrast, 9: ImageEnhance.Sharpness}
    if number in enhancers:
        return enhancers[number](image).enhance(factor)
    return {
        0: lambda: image,
        10: lambda: ImageOps.posterize(image, 7),
        11: lambda: ImageOps.solarize(image, 187),
        12: lambda: ImageOps.autocontrast(image),
        13: lambda: ImageOps.equalize(image),
    }[number]()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("number", range(len(OPERATORS)))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_operations_are_pillows(number: int, channels: int, sign: float) -> None:
    values = pictures(channels)
    found = OPERATORS[number](values, torch.full((4,), sign)).clamp(0, 255)
    for picture, mine in zip(values, found, strict=True):
        array = picture.permute(1, 2, 0).numpy().astype(np.uint8)
        image = Image.fromarray(array if channels == 3 else array[:, :, 0])
        theirs = np.asarray(pillow(number, image, sign), dtype=np.float32).reshape(SIZE, SIZE, channels)
        apart = np.abs(theirs - mine.permute(1, 2, 0).numpy())
        assert apart.max() <= (2.01 if 6 <= number <= 9 else 1.0 if number == 12 else 0), (
            "Pillow's blends round to bytes"
        )


@pytest.mark.parametrize("channels", [1, 3])
def test_draws_depend_on_seed_epoch_and_sample_alone(channels: int) -> None:
    images = pictures(channels).repeat(8, 1, 1, 1) / 255
    sample = torch.arange(32) * 3
    base = rand_augment(images, sample, 0, 0)
    assert base.min() >= 0
    assert base.max() <= 1
    turn = torch.arange(31, -1, -1)
    assert torch.equal(rand_augment(images[turn], sample[turn], 0, 0), base[turn])
    assert torch.equal(rand_augment(images[5:6], sample[5:6], 0, 0), base[5:6])
    for other in (rand_augment(images, sample, 1, 0), rand_augment(images, sample, 0, 1)):
        assert (other != base).flatten(1).any(1).float().mean() > 0.5
