"""Slow restatements of training objectives, sample by sample in float64, written from the papers' equations.

The network is spelled out (linear, batch norm, tanh, linear), so that each restatement says itself which forward pass
uses batch statistics. `Net.forward` in training mode counts how often it would have moved the running mean.
"""

from collections.abc import Callable
from math import tanh

import torch
from torch import Tensor, nn

from weakspot import rng


class Net:
    """The parameters of a `Sequential(Flatten, Linear, BatchNorm1d, Tanh, Linear)` and its forward pass."""

    def __init__(self, module: nn.Sequential):
        names = ["w1", "b1", "scale", "shift", "w2", "b2"]
        self.weights = [p.detach().clone().requires_grad_() for p in module.parameters()]
        self.by_name = dict(zip(names, self.weights, strict=True))
        self.mean, self.var = module[2].running_mean.clone(), module[2].running_var.clone()
        self.updates = 0

    def forward(self, x: Tensor, train: bool) -> Tensor:
        p = self.by_name
        h = x.reshape(len(x), -1) @ p["w1"].T + p["b1"]
        mean, var = (h.mean(0), h.var(0, unbiased=False)) if train else (self.mean, self.var)
        self.updates += train
        return torch.tanh((h - mean) / (var + 1e-5).sqrt() * p["scale"] + p["shift"]) @ p["w2"].T + p["b2"]


def softmax(z: Tensor) -> Tensor:
    e = torch.exp(z - z.max())
    return e / e.sum()


def ce(z: Tensor, y: int) -> Tensor:
    return -torch.log(softmax(z)[y])


def smooth_ce(z: Tensor, y: int, k) -> Tensor:
    """The cross-entropy with a label of 1 - a for y plus a / K for every class."""
    p, a = softmax(z), k.smoothing
    return sum(-((1 - a) * (j == y) + a / len(z)) * torch.log(p[j]) for j in range(len(z)))


def kl(z: Tensor, w: Tensor) -> Tensor:
    """KL(softmax(z) || softmax(w)) as a sum over classes."""
    p, q = softmax(z), softmax(w)
    return sum(p[j] * (torch.log(p[j]) - torch.log(q[j])) for j in range(len(z)))


def gradients(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of a sum of per-sample losses in the images."""
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(x), x)[0]


def ball(delta: Tensor, eps: float, norm: str) -> Tensor:
    """One sample's perturbation, brought back to the ball."""
    if norm == "linf":
        return torch.minimum(torch.maximum(delta, torch.tensor(-eps)), torch.tensor(eps))
    size = float((delta**2).sum() ** 0.5)
    return delta * (eps / size) if size > eps else delta


def direction(g: Tensor, norm: str) -> Tensor:
    return torch.sign(g) if norm == "linf" else g / (g**2).sum() ** 0.5


def uniform_start(x: Tensor, eps: list[float], norm: str, sample: Tensor, seed: int, step: int) -> Tensor:
    """Uniform in each sample's ball, from the named draws."""
    noise = []
    for i in range(len(x)):
        if norm == "linf":
            u = rng.uniform(tuple(x.shape[1:]), sample[i : i + 1], seed, "start", step)[0].double()
            noise.append((2 * u - 1) * eps[i])
        else:
            z = rng.normal(tuple(x.shape[1:]), sample[i : i + 1], seed, "start", step)[0].double()
            r = rng.uniform((1,), sample[i : i + 1], seed, "start/length", step)[0].double() ** (1 / z.numel())
            noise.append(z / (z**2).sum() ** 0.5 * r * eps[i])
    return torch.stack(noise)


def climb(x: Tensor, start: Tensor, eps: list[float], norm: str, steps: int, share: float, total: Callable) -> Tensor:
    """Projected ascent of `total`, sample by sample."""
    x_adv = start
    for _ in range(steps):
        g = gradients(total, x_adv)
        moved = []
        for i in range(len(x)):
            delta = x_adv[i] + share * eps[i] * direction(g[i], norm) - x[i]
            moved.append((x[i] + ball(delta, eps[i], norm)).clamp(0, 1))
        x_adv = torch.stack(moved)
    return x_adv


def goals(y: list[int], sample: Tensor, seed: int, step: int, k) -> list[int]:
    """The class that each sample's attack drives to, by walking along its row of probabilities; its own for none."""
    if k.target is None:
        return y
    found = []
    for i, c in enumerate(y):
        row = [float(v) for v in k.target[c]]
        left = float(rng.uniform((1,), sample[i : i + 1], seed, "target", step)) * sum(row)
        for j, chance in enumerate(row):
            if left < chance:
                found.append(j)
                break
            left -= chance
    return found


def standard(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    z = net.forward(x, train=True)
    return [k.natural[c] * smooth_ce(z[i], c, k) for i, c in enumerate(y)], z, x


def pgd_at(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps = [float(k.radius[c]) for c in y]
    t = goals(y, sample, seed, step, k)
    start = (x + uniform_start(x, eps, k.norm, sample, seed, step)).clamp(0, 1)

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=False)
        return sum(ce(z[i], c) if t[i] == c else -ce(z[i], t[i]) for i, c in enumerate(y))

    x_adv = climb(x, start, eps, k.norm, o.steps, o.step, total)
    z = net.forward(x_adv, train=True)
    return [k.robust[c] * smooth_ce(z[i], c, k) for i, c in enumerate(y)], z, x_adv


def n_fgsm(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps = [float(k.radius[c]) for c in y]
    x_noisy = (x + uniform_start(x, [o.noise * e for e in eps], k.norm, sample, seed, step)).clamp(0, 1)

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=True)
        return sum(ce(z[i], c) for i, c in enumerate(y))

    g = gradients(total, x_noisy)
    x_adv = torch.stack([(x_noisy[i] + o.step * eps[i] * direction(g[i], k.norm)).clamp(0, 1) for i in range(len(x))])
    z = net.forward(x_adv, train=True)
    return [k.robust[c] * smooth_ce(z[i], c, k) for i, c in enumerate(y)], z, x_adv


def trades(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps = [float(k.radius[c]) for c in y]
    t = goals(y, sample, seed, step, k)
    z_clean = net.forward(x, train=False).detach()
    start = small_start(x, eps, k.norm, sample, seed, step)

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=False)
        return sum(kl(z_clean[i], z[i]) if t[i] == c else -ce(z[i], t[i]) for i, c in enumerate(y))

    x_adv = climb(x, start, eps, k.norm, o.steps, o.step, total)
    z, z_adv = net.forward(x, train=True), net.forward(x_adv, train=True)
    losses = [
        k.natural[c] * smooth_ce(z[i], c, k) + k.robust[c] * o.beta * k.beta[c] * kl(z[i], z_adv[i])
        for i, c in enumerate(y)
    ]
    return losses, z_adv, x_adv


def small_start(x: Tensor, eps: list[float], norm: str, sample: Tensor, seed: int, step: int) -> Tensor:
    """x + 0.001 N(0, 1), inside the ball."""
    z = [rng.normal(tuple(x.shape[1:]), sample[i : i + 1], seed, "start", step)[0].double() for i in range(len(x))]
    return torch.stack([(x[i] + ball(0.001 * z[i], eps[i], norm)).clamp(0, 1) for i in range(len(x))])


def fgsm_rs(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps = [float(k.radius[c]) for c in y]
    start = (x + uniform_start(x, eps, k.norm, sample, seed, step)).clamp(0, 1)

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=True)
        return sum(ce(z[i], c) for i, c in enumerate(y))

    x_adv = climb(x, start, eps, k.norm, 1, o.step, total)
    z = net.forward(x_adv, train=True)
    return [k.robust[c] * smooth_ce(z[i], c, k) for i, c in enumerate(y)], z, x_adv


def free(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps = [float(k.radius[c]) for c in y]

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=True)
        return sum(ce(z[i], c) for i, c in enumerate(y))

    x_adv = climb(x, x, eps, k.norm, 1, 1.0, total)
    z = net.forward(x_adv, train=True)
    return [k.robust[c] * smooth_ce(z[i], c, k) for i, c in enumerate(y)], z, x_adv


def mart(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps = [float(k.radius[c]) for c in y]
    t = goals(y, sample, seed, step, k)

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=False)
        return sum(ce(z[i], c) if t[i] == c else -ce(z[i], t[i]) for i, c in enumerate(y))

    x_adv = climb(x, small_start(x, eps, k.norm, sample, seed, step), eps, k.norm, o.steps, o.step, total)
    z, z_adv = net.forward(x, train=True), net.forward(x_adv, train=True)
    losses = []
    for i, c in enumerate(y):
        p, q = softmax(z[i]), softmax(z_adv[i])
        rival = max(q[j] for j in range(len(q)) if j != c)
        bce = -torch.log(q[c]) - torch.log(1 - rival)
        losses.append(k.robust[c] * (bce + o.beta * k.beta[c] * kl(z[i], z_adv[i]) * (1 - p[c])))
    return losses, z_adv, x_adv


def early_stopped(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k, tau: int) -> Tensor:
    """PGD, one sample after the other, that stops `tau` steps after the first misclassification."""
    eps = [float(k.radius[c]) for c in y]
    start = (x + uniform_start(x, eps, k.norm, sample, seed, step)).clamp(0, 1)
    found = []
    for i, c in enumerate(y):
        at, budget = start[i : i + 1], tau
        for _ in range(o.steps):
            if int(net.forward(at, train=False).argmax()) != c:
                if budget == 0:
                    break
                budget -= 1
            at = climb(
                x[i : i + 1],
                at,
                eps[i : i + 1],
                k.norm,
                1,
                o.step,
                lambda a, c=c: ce(net.forward(a, train=False)[0], c),
            )
        found.append(at[0])
    return torch.stack(found)


def fat(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    epoch = k.progress * 120
    tau = min(o.tau, 0 if epoch < 50 else 1 if epoch < 90 else 2)
    x_adv = early_stopped(o, net, x, y, sample, seed, step, k, tau)
    z = net.forward(x_adv, train=True)
    return [k.robust[c] * smooth_ce(z[i], c, k) for i, c in enumerate(y)], z, x_adv


def gairat(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps = [float(k.radius[c]) for c in y]
    at = (x + uniform_start(x, eps, k.norm, sample, seed, step)).clamp(0, 1)
    kappa = [0] * len(y)

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=False)
        return sum(ce(z[i], c) for i, c in enumerate(y))

    for _ in range(o.steps):
        right = net.forward(at, train=False).argmax(1).tolist()
        kappa = [n + (right[i] == y[i]) for i, n in enumerate(kappa)]
        at = climb(x, at, eps, k.norm, 1, o.step, total)
    w = [(1 + tanh(o.lam + 5 * (1 - 2 * n / o.steps))) / 2 for n in kappa]
    w = [1.0] * len(y) if k.progress < o.burn_in else [len(w) * a / sum(w) for a in w]
    z = net.forward(at, train=True)
    return [k.robust[c] * w[i] * smooth_ce(z[i], c, k) for i, c in enumerate(y)], z, at


def grad_reg(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    x = x.detach().clone().requires_grad_()
    z = net.forward(x, train=True)
    entropy = [smooth_ce(z[i], c, k) for i, c in enumerate(y)]
    g = torch.autograd.grad(sum(entropy), x, create_graph=True)[0]
    return [k.natural[c] * (entropy[i] + o.strength * k.beta[c] * (g[i] ** 2).sum()) for i, c in enumerate(y)], z, x


def spat(o, net: Net, x: Tensor, y: list[int], sample: Tensor, seed: int, step: int, k) -> tuple:
    eps = [float(k.radius[c]) for c in y]
    t = goals(y, sample, seed, step, k)

    def r(z: Tensor, w: Tensor) -> Tensor:
        p, q = softmax(o.s * z), softmax(o.s * w)
        terms = [p[j] * (torch.log(p[j]) - torch.log(q[j])) for j in range(len(p))]
        return sum(v * (v + o.n) for v in terms)

    def l_acc(z: Tensor, c: int) -> Tensor:
        u = []
        for j in range(len(z)):
            a = 1 + o.m - z[j] if j == c else z[j] + o.m
            u.append(o.s * (a.detach() if o.detach else a) * z[j])
        return ce(torch.stack(u), c)

    z_clean = net.forward(x, train=False).detach()

    def total(at: Tensor) -> Tensor:
        z = net.forward(at, train=False)
        return sum(r(z_clean[i], z[i]) if t[i] == c else -ce(z[i], t[i]) for i, c in enumerate(y))

    x_adv = climb(x, small_start(x, eps, k.norm, sample, seed, step), eps, k.norm, o.steps, o.step, total)
    z, z_adv = net.forward(x, train=True), net.forward(x_adv, train=True)
    losses = [
        k.natural[c] * l_acc(z[i], c) + k.robust[c] * o.beta * k.beta[c] * r(z[i], z_adv[i]) for i, c in enumerate(y)
    ]
    return losses, z_adv, x_adv


ORACLES: dict[str, Callable] = {
    "standard": standard,
    "fgsm-rs": fgsm_rs,
    "n-fgsm": n_fgsm,
    "free": free,
    "pgd-at": pgd_at,
    "trades": trades,
    "mart": mart,
    "fat": fat,
    "gairat": gairat,
    "grad-reg": grad_reg,
    "spat": spat,
}
"""By name: (objective, net, images, labels, sample, seed, step, knobs) -> per-sample losses, logits, images."""
