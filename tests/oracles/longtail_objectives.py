"""Slow restatements of the long-tailed objectives, in float64, on the network of `tests.oracles.objectives`."""

from collections.abc import Callable
from math import exp, log

import torch
from tests.oracles.objectives import Net, ce, climb, goals, kl, small_start, uniform_start
from torch import Tensor

from weakspot import rng


def one_sided(x: Tensor, eps: list[float], sample: Tensor, seed: int, step: int) -> Tensor:
    """x + eps U[0, 1), from the named draws."""
    shape = tuple(x.shape[1:])
    draws = [rng.uniform(shape, sample[i : i + 1], seed, "start", step)[0].double() for i in range(len(x))]
    return torch.stack([(x[i] + eps[i] * u).clamp(0, 1) for i, u in enumerate(draws)])


def both_sided(x: Tensor, eps: list[float], sample: Tensor, seed: int, step: int) -> Tensor:
    """Uniform in the l2 ball."""
    found = []
    for i in range(len(x)):
        z = rng.normal(tuple(x.shape[1:]), sample[i : i + 1], seed, "start", step)[0].double()
        r = rng.uniform((1,), sample[i : i + 1], seed, "start/length", step)[0].double() ** (1 / z.numel())
        found.append((x[i] + z / (z**2).sum() ** 0.5 * r * eps[i]).clamp(0, 1))
    return torch.stack(found)


def robal(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps, n = [float(k.radius[c]) for c in y], [float(v) for v in k.counts]
    t = goals(y, sample, seed, step, k)
    start = one_sided if k.norm == "linf" and o.one_sided else both_sided

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=False)
        return sum(ce(z[i], c) if t[i] == c else -ce(z[i], t[i]) for i, c in enumerate(y))

    def l_mm(z: Tensor, c: int) -> Tensor:
        m_c = o.m0 + o.tau_m / o.s * log(n[c] / min(n))
        return ce(torch.stack([o.s * (z[j] - m_c * (j == c)) + o.tau_b * log(n[j] / sum(n)) for j in range(len(z))]), c)

    x_adv = climb(x, start(x, eps, sample, seed, step), eps, k.norm, o.steps, o.step, total)
    z, z_adv = net.forward(x, train=True), net.forward(x_adv, train=True)
    losses = [k.robust[c] * (l_mm(z_adv[i], c) + o.beta * k.beta[c] * kl(z[i], z_adv[i])) for i, c in enumerate(y)]
    return losses, z_adv, x_adv


def at_bsl(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps, n = [float(k.radius[c]) for c in y], [float(v) for v in k.counts]
    start, total = small_start(x, eps, k.norm, sample, seed, step), entropy(net, y, sample, seed, step, k)
    x_adv = climb(x, start, eps, k.norm, o.steps, o.step, total)
    z = net.forward(x_adv, train=True)
    losses = []
    for i, c in enumerate(y):
        e = [n[j] * torch.exp(z[i, j] - z[i].max()) for j in range(len(z[i]))]
        losses.append(-k.robust[c] * torch.log(e[c] / sum(e)))
    return losses, z, x_adv


def reat(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    """The attack is plain PGD; with three classes none is rare (ranks above 2), so TAIL is 0: its own test has more."""
    eps, n = [float(k.radius[c]) for c in y], [float(v) for v in k.counts]
    start = (x + uniform_start(x, eps, k.norm, sample, seed, step)).clamp(0, 1)
    x_adv = climb(x, start, eps, k.norm, o.steps, o.step, entropy(net, y, sample, seed, step, k))
    z = net.forward(x_adv, train=True)
    shift = torch.tensor([log(v) for v in n])
    return [k.robust[c] * ce(z[i] + shift, c) for i, c in enumerate(y)], z, x_adv


def tail(o, phi: list[list[float]], y: list[int], n: list[int]) -> float:
    """REAT's term of a batch, pair by pair in plain Python floats."""
    by_size = sorted(range(len(n)), key=lambda c: -n[c])
    rare = {c for rank, c in enumerate(by_size) if rank > 2 * len(n) / 3}
    logs = []
    for f in phi:
        total = log(sum(exp(v) for v in f))
        logs.append([v - total for v in f])
    found = []
    for i, c in enumerate(y):
        if c not in rare:
            continue
        divergences = [sum(exp(a) * (a - b) for a, b in zip(logs[i], other, strict=True)) for other in logs]
        weights = [(-1 if d == c else 1) * ((sum(n) / n[c]) ** 0.5 + (sum(n) / n[d]) ** 0.5) for d in y]
        if o.per_pair:
            found.append(sum(w * v for w, v in zip(weights, divergences, strict=True)) / len(y))
        else:
            found.append(sum(divergences) / len(y) / len(phi[0]) * sum(weights) / len(y))
    return sum(found) / len(found) if found else 0.0


def taet(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    if k.progress < o.clean:
        z = net.forward(x, train=True)
        return [k.natural[c] * ce(z[i], c) for i, c in enumerate(y)], z, x
    eps = [float(k.radius[c]) for c in y]
    start, total = small_start(x, eps, k.norm, sample, seed, step), entropy(net, y, sample, seed, step, k)
    x_adv = climb(x, start, eps, k.norm, o.steps, o.step, total)
    z = net.forward(x_adv, train=True)
    return [k.robust[c] * ce(z[i], c) for i, c in enumerate(y)], z, x_adv


def entropy(net: Net, y: list[int], sample: Tensor, seed: int, step: int, k) -> Callable[[Tensor], Tensor]:
    """What an attack on the cross-entropy climbs."""
    t = goals(y, sample, seed, step, k)

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=False)
        return sum(ce(z[i], c) if t[i] == c else -ce(z[i], t[i]) for i, c in enumerate(y))

    return total


def harl(o, losses: list[Tensor], y: list[int], k) -> Tensor:
    """TAET's loss of a batch; classes are 0 .. K - 1, absent ones lose nothing."""
    if k.progress < o.clean:
        return sum(losses) / len(losses)
    l_c = []
    for c in range(len(k.radius)):
        own = [loss for loss, label in zip(losses, y, strict=True) if label == c]
        if own or not o.present:
            l_c.append(sum(own) / len(own) if own else torch.zeros((), dtype=torch.float64))
    mean = sum(l_c) / len(l_c)
    spread = sum((v - mean) ** 2 for v in l_c) / len(l_c)
    return o.a * mean + o.b * spread + o.g * sum((v / sum(l_c)) ** 2 for v in l_c)


TOTALS: dict[str, Callable] = {"taet": harl}
"""What is minimised where it is not the mean of the per-sample losses."""
ORACLES: dict[str, Callable] = dict.fromkeys(("robal-n", "robal-r", "robal-n-100", "robal-r-100"), robal) | {
    "at-bsl": at_bsl,
    "taet": taet,
    "reat": reat,
}
