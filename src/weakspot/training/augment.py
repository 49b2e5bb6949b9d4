"""Random crops and flips of a whole batch; what happens to a sample depends on (seed, epoch, sample) alone."""

import torch
import torch.nn.functional as F

from weakspot.contracts import Images, Labels
from weakspot.rng import integers


def crop(images: Images, pad: int, sample: Labels, seed: int, epoch: int) -> Images:
    """Each image shifted by up to `pad` pixels either way in both directions, zeros moving in."""
    if pad == 0:
        return images
    batch, channels, height, width = images.shape
    offset = integers(2 * pad + 1, (2,), sample, seed, "crop", epoch)
    rows = (offset[:, :1] + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (offset[:, 1:] + torch.arange(width, device=images.device))[:, None, None, :]
    first = torch.arange(batch, device=images.device)[:, None, None, None]
    second = torch.arange(channels, device=images.device)[None, :, None, None]
    return F.pad(images, (pad, pad, pad, pad))[first, second, rows, columns]


def flip(images: Images, sample: Labels, seed: int, epoch: int) -> Images:
    """Each image mirrored left to right with probability a half."""
    mirrored = integers(2, (1, 1, 1), sample, seed, "flip", epoch).bool()
    return torch.where(mirrored, images.flip(3), images)
