"""Draws for corruptions: weakspot.rng's 64 bits cut into two halves of 32, since an image needs thousands."""

from math import ceil, pi, prod

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from weakspot.contracts import Labels, PerSample
from weakspot.rng import bits, uniform


def halves(count: int, sample: Labels, seed: int, purpose: str) -> Int32[Tensor, "batch count"]:
    """`count` times 32 random bits for each sample, as int32."""
    return bits((ceil(count / 2),), sample, seed, purpose).view(torch.int32)[:, :count]


def uniforms(shape: tuple[int, ...], sample: Labels, seed: int, purpose: str) -> Float[Tensor, "batch ..."]:
    """Uniform in [0, 1), multiples of 2^-24, float32."""
    cut = (halves(prod(shape), sample, seed, purpose) >> 8) & 0xFFFFFF
    return (cut.float() * 2.0**-24).view(len(sample), *shape)


def normals(shape: tuple[int, ...], sample: Labels, seed: int, purpose: str) -> Float[Tensor, "batch ..."]:
    """Standard normal by Box and Muller, both of each pair used, float32; no draw is beyond 6.7 standard deviations.

    Computed in float64, so that devices agree after rounding.
    """
    count = prod(shape)
    pair = halves(2 * ceil(count / 2), sample, seed, purpose).double()
    length = ((pair[:, ::2] + (2.0**31 + 1)) * 2.0**-32).log_().mul_(-2).sqrt_()
    angle = pair[:, 1::2] * (2 * pi * 2.0**-32)
    both = torch.cat((length * angle.cos(), length * angle.sin()), 1).float()
    return both[:, :count].reshape(len(sample), *shape)


def angles(low: float, high: float, sample: Labels, seed: int, purpose: str) -> PerSample:
    """One angle in degrees for each sample, uniform in [low, high), float64."""
    return uniform((1,), sample, seed, f"{purpose}/angle")[:, 0].double() * (high - low) + low
