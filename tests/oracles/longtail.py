"""Slow restatements of the long-tailed losses, sample by sample in plain Python floats, from the papers' equations.

`z` is one sample's logits, `y` its class, `n` the training images of each class, `progress` the share of the run done.
"""

from collections.abc import Sequence
from math import exp, log


def log_softmax(z: Sequence[float], y: int) -> float:
    top = max(z)
    return z[y] - top - log(sum(exp(v - top) for v in z))


def cross_entropy(o, z: Sequence[float], y: int, n: Sequence[int], progress: float) -> float:
    return -log_softmax(z, y)


def effective(b: float, n: Sequence[int]) -> list[float]:
    """1 / effective number, scaled so that the K weights sum to K; 1 + b + ... + b^(n-1) = (1 - b^n) / (1 - b)."""
    raw = [1 / sum(b**i for i in range(count)) for count in n]
    return [len(n) * w / sum(raw) for w in raw]


def ldam(o, z: Sequence[float], y: int, n: Sequence[int], progress: float) -> float:
    delta = [count**-0.25 for count in n]
    shifted = [o.s * (v - (o.margin * delta[y] / max(delta) if k == y else 0.0)) for k, v in enumerate(z)]
    weight = effective(o.b, n)[y] if o.drw and progress >= o.drw_from else 1.0
    return -weight * log_softmax(shifted, y)


def cosine_margin(o, z: Sequence[float], y: int, n: Sequence[int], progress: float) -> float:
    return -log_softmax([o.s * (v - o.m * (k == y)) for k, v in enumerate(z)], y)


def cdt(o, z: Sequence[float], y: int, n: Sequence[int], progress: float) -> float:
    return -log_softmax([v / (max(n) / n[k]) ** o.tau for k, v in enumerate(z)], y)


def logit_adjustment(o, z: Sequence[float], y: int, n: Sequence[int], progress: float) -> float:
    return -log_softmax([v + o.tau * log(n[k] / sum(n)) for k, v in enumerate(z)], y)


def focal(o, z: Sequence[float], y: int, n: Sequence[int], progress: float) -> float:
    total = 0.0
    for k, v in enumerate(z):
        q = 1 / (1 + exp(-v if k == y else v))
        total += -((1 - q) ** o.gamma) * log(q)
    return total


def class_balanced(o, z: Sequence[float], y: int, n: Sequence[int], progress: float) -> float:
    return effective(o.b, n)[y] * focal(o, z, y, n, progress)


ORACLES = {
    "cross-entropy": cross_entropy,
    "cosine": cross_entropy,
    "ldam": ldam,
    "cosine-margin": cosine_margin,
    "cdt": cdt,
    "logit-adjustment": logit_adjustment,
    "focal": focal,
    "class-balanced": class_balanced,
}
