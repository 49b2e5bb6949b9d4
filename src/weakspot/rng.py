"""Counter-based random draws: a function of (seed, purpose, sample, step) alone.

Batch size, order of samples, resuming and sharding therefore change no draw, and a GPU draws what a CPU draws. The
generator is the finaliser of SplitMix64 (Steele, Lea, Flood, 2014, doi:10.1145/2660193.2660195) over hashed counters,
in int64 arithmetic that wraps modulo 2^64.
"""

from hashlib import sha256
from math import pi, prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from weakspot.contracts import Labels

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed integer
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


def _shift(x: Tensor, by: int) -> Tensor:
    """A logical right shift; torch's own keeps the sign."""
    return (x >> by).bitwise_and_((1 << (64 - by)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)).mul_(_MIX_1)  # a new tensor, from here on changed in place
    x = x.bitwise_xor_(_shift(x, 27)).mul_(_MIX_2)
    return x.bitwise_xor_(_shift(x, 31))


def key(seed: int, purpose: str) -> int:
    """A signed 64-bit key for one purpose, such as "pgd-start": draws of different purposes are unrelated."""
    return int.from_bytes(sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little", signed=True)


def bits(shape: tuple[int, ...], sample: Labels, seed: int, purpose: str, step: int = 0) -> Int[Tensor, "batch ..."]:
    """64 random bits for each of `shape` and each sample, as int64, on the device of `sample`."""
    one = torch.tensor(key(seed, purpose), device=sample.device)
    # Python's integers do not wrap and torch refuses those beyond int64: wrap the product by hand.
    offset = (step * _GOLDEN + 2**63) % 2**64 - 2**63
    start = _mix(_mix(one ^ _mix(sample.long() * _GOLDEN)) + offset)
    counter = torch.arange(1, prod(shape) + 1, device=sample.device) * _GOLDEN
    return _mix(_mix(start[:, None] + counter)).view(len(sample), *shape)


def uniform(
    shape: tuple[int, ...], sample: Labels, seed: int, purpose: str, step: int = 0
) -> Float[Tensor, "batch ..."]:
    """Uniform in [0, 1), multiples of 2^-24, float32, shape (batch, *shape)."""
    return _shift(bits(shape, sample, seed, purpose, step), 40).float() * 2.0**-24


def signs(shape: tuple[int, ...], sample: Labels, seed: int, purpose: str, step: int = 0) -> Float[Tensor, "batch ..."]:
    """-1 or +1 with equal probability, float32."""
    return _shift(bits(shape, sample, seed, purpose, step), 63).float() * 2 - 1


def integers(
    high: int, shape: tuple[int, ...], sample: Labels, seed: int, purpose: str, step: int = 0
) -> Int[Tensor, "batch ..."]:
    """Uniform in {0, ..., high - 1}; the bias is below high / 2^40."""
    return _shift(bits(shape, sample, seed, purpose, step), 24) % high


def normal(
    shape: tuple[int, ...], sample: Labels, seed: int, purpose: str, step: int = 0
) -> Float[Tensor, "batch ..."]:
    """Standard normal by Box and Muller, float32; computed in float64 so that devices agree after rounding."""
    first = _shift(bits(shape, sample, seed, purpose + "/radius", step), 11).double().add(1) * 2.0**-53
    second = _shift(bits(shape, sample, seed, purpose + "/angle", step), 11).double() * 2.0**-53
    return ((-2 * first.log()).sqrt() * (2 * pi * second).cos()).float()
