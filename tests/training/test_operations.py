"""The operations that augmentation policies draw from against Pillow's, pixel by pixel."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from weakspot import rng
from weakspot.training.operations import NAMES, OPERATIONS, operate

HEIGHT, WIDTH = 20, 24
SHARES = (0.0, 8 / 30, 2 / 9, 3 / 9, 5 / 9, 7 / 9, 8 / 9, 1.0)
"""RandAugment's, and AutoAugment's."""


def pictures(channels: int) -> torch.Tensor:
    """Smooth and rough bytes, one nearly constant, one constant in a channel."""
    values = rng.integers(256, (channels, HEIGHT, WIDTH), torch.arange(5), 0, "pictures").float()
    values[1] = (values[1] * 0.3 + torch.arange(WIDTH) * 6).round()
    values[2] = values[2] // 50 + 90
    values[3, 0] = 170
    values[4, :, :, ::2] = 255
    return values


def pillow(name: str, image: Image.Image, share: float) -> Image.Image:
    """The same operation by Pillow, at a share of the ranges that RandAugment and torchvision's AutoAugment have."""
    near = Image.Resampling.NEAREST
    matrices = {
        "shear_x": (1, 0.3 * share, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, 0.3 * share, 1, 0),
        "translate_x": (1, 0, int(150 / 331 * WIDTH * share), 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, int(150 / 331 * HEIGHT * share)),
    }
    if name in matrices:
        return image.transform(image.size, Image.Transform.AFFINE, matrices[name], near)
    enhancers = {
        "brightness": ImageEnhance.Brightness,
        "color": ImageEnhance.Color,
        "contrast": ImageEnhance.Contrast,
        "sharpness": ImageEnhance.Sharpness,
    }
    if name in enhancers:
        return enhancers[name](image).enhance(1 + 0.9 * share)
    return {
        "identity": lambda: image,
        "rotate": lambda: image.rotate(30 * share, near),
        "posterize": lambda: ImageOps.posterize(image, 8 - round(4 * abs(share))),
        "solarize": lambda: ImageOps.solarize(image, round(255 * (1 - abs(share)), 6)),
        "auto_contrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
        "invert": lambda: ImageOps.invert(image),
    }[name]()


def by_pillow(name: str, values: torch.Tensor, shares: list[float]) -> torch.Tensor:
    """Each image of 1 or 3 channels through Pillow and back."""
    done = []
    for picture, share in zip(values, shares, strict=True):
        array = picture.permute(1, 2, 0).numpy().astype(np.uint8)
        image = Image.fromarray(array if len(picture) == 3 else array[:, :, 0])
        found = np.asarray(pillow(name, image, share), dtype=np.float32).reshape(array.shape)
        done.append(torch.from_numpy(found).permute(2, 0, 1))
    return torch.stack(done)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_operations_are_pillows_with_a_share_per_image(name: str, channels: int) -> None:
    # A shear by 2/9 of 0.3 (no policy has it) puts centres on edges of pixels, where Pillow's rounded steps decide.
    sizes = [share for share in SHARES if "shear" not in name or share != 2 / 9]
    shares = [sign * share for share in sizes for sign in (-1, 1) for _ in range(5)]
    values = pictures(channels).repeat(2 * len(sizes), 1, 1, 1)
    found = operate(values, torch.full((len(values),), NAMES.index(name)), torch.tensor(shares, dtype=torch.float64))
    assert torch.equal(found, by_pillow(name, values, shares))
    changed = (found != values).flatten(1).any(1)
    assert changed.any() == (name != "identity" and not (name == "color" and channels == 1))


def test_each_image_has_its_own_operation() -> None:
    values = pictures(3)
    which, share = torch.tensor([5, 14, 0, 5, 10]), torch.tensor([0.5, 0, 0, -0.5, 1], dtype=torch.float64)
    alone = [OPERATIONS[NAMES[n]](values[i : i + 1], share[i : i + 1])[0] for i, n in enumerate(which.tolist())]
    assert torch.equal(operate(values, which, share), torch.stack(alone))
    assert torch.equal(values, pictures(3))
