"""Photographs for the corruptions: scikit-image's, which come with a package of the `dev` extra."""

from functools import cache

import numpy as np
import torch
from PIL import Image
from skimage import data


@cache
def small() -> np.ndarray:
    """Six uint8 images of 32x32, as CIFAR's: whole scenes, made small."""
    photographs = data.astronaut(), data.coffee(), data.chelsea()
    crops = [photograph[y : y + 256, x : x + 256] for photograph in photographs for y, x in ((0, 30), (40, 180))]
    return np.stack([np.array(Image.fromarray(crop).resize((32, 32), Image.Resampling.BOX)) for crop in crops])


@cache
def large() -> np.ndarray:
    """Two uint8 images of 224x224."""
    return np.stack([data.astronaut()[100:324, 150:374], data.chelsea()[40:264, 100:324]])


def tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 (B, H, W, C) as float32 images (B, C, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).contiguous().float() / 255


def array(images: torch.Tensor) -> np.ndarray:
    """The way back, for images of whole levels."""
    return (images * 255).round().permute(0, 2, 3, 1).numpy().astype(np.uint8)
