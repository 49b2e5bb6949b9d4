"""Slow restatements of class policies: plain Python numbers and loops, written from the papers' equations.

Each takes a `Story` (what two epochs of training and validation showed) and returns the knobs of the epoch after them.
"""

from dataclasses import dataclass, field
from math import exp, log, sqrt

from scipy.optimize import brentq


@dataclass
class Story:
    """Epochs 0 and 1 of a run of four: per epoch, batches of (labels, logits) and what validation counted."""

    classes: int
    eps: float
    beta: float
    """The objective's own; 0 without."""
    natural: bool
    """Whether the objective has a clean cross-entropy."""
    method: str
    counts: list[int]
    draws: int
    batches: list[list[tuple[list[int], list[list[float]]]]]
    cubes: list[list[list[list[float]]]]
    entropy: list[list[float]]
    divergence: list[list[float]]
    labels: list[int]
    """Of the batch that the knobs are for."""


@dataclass
class Turned:
    """Lists over classes; None is as without a policy."""

    radius: list[float] | None = None
    natural: list[float] | None = None
    robust: list[float] | None = None
    beta: list[float] | None = None
    target: list[list[float]] | None = None
    chances: list[float] | None = None
    within: list[float] | None = None
    """Weights of the samples of the last batch, from its logits."""
    keep: list[float] = field(default_factory=list)
    """What the average keeps after each epoch."""


def softmax(z: list[float]) -> list[float]:
    e = [exp(v - max(z)) for v in z]
    return [v / sum(e) for v in e]


def argmax(z: list[float]) -> int:
    return max(range(len(z)), key=lambda j: z[j])


def train_accuracy(s: Story, epoch: int, before: list[float]) -> list[float]:
    right, seen = [0] * s.classes, [0] * s.classes
    for labels, logits in s.batches[epoch]:
        for y, z in zip(labels, logits, strict=True):
            seen[y] += 1
            right[y] += argmax(z) == y
    return [right[c] / seen[c] if seen[c] else before[c] for c in range(s.classes)]


def fawa(s: Story, begin: float, decay: float, delta: float) -> list[float]:
    keep, begun = [], False
    for epoch in (0, 1):
        cube = s.cubes[epoch][1]
        rates = [cube[c][c] / sum(cube[c]) for c in range(s.classes) if sum(cube[c])]
        passes = min(rates) >= delta and epoch >= round(begin * 4)
        keep.append((decay if passes else 1.0) if begun else 0.0)
        begun = begun or passes
    return keep


def cut(w: list[float]) -> list[float]:
    """Nothing below 0, and mean 1 again: ours, where an exchange takes more than there is."""
    positive = [max(v, 0.0) for v in w]
    return [v * len(w) / sum(positive) for v in positive]


def none(s: Story) -> Turned:
    return Turned()


def cfa(s: Story) -> Turned:
    t = train_accuracy(s, 1, train_accuracy(s, 0, [0.5] * s.classes))
    lambda_1 = {"pgd-at": 0.5, "trades": 0.3, "mart": 0.5}[s.method]
    found = Turned(radius=[(lambda_1 + t_c) * s.eps for t_c in t], keep=fawa(s, 0.25, 0.85, 0.2))
    if s.beta:
        found.beta = [0.5 + t_c for t_c in t]
        scale = [(1 + s.beta) / (1 + b * s.beta) for b in found.beta]
        found.natural, found.robust = scale, scale
    return found


def dafa(s: Story) -> Turned:
    # Started at half of the run: at epoch 2 (from 0), from what epoch 1 showed.
    k = s.classes
    total, seen = [[0.0] * k for _ in range(k)], [0] * k
    for labels, logits in s.batches[1]:
        for y, z in zip(labels, logits, strict=True):
            seen[y] += 1
            total[y] = [a + b for a, b in zip(total[y], softmax(z), strict=True)]
    p = [[v / seen[i] for v in total[i]] if seen[i] else None for i in range(k)]
    w = []
    for i in range(k):
        moved = 0.0
        for j in range(k):
            if i == j or p[i] is None or p[j] is None:
                continue
            moved += p[i][j] * p[j][j] if p[i][i] < p[j][j] else -p[j][i] * p[i][i]
        w.append(1 + moved)
    w = cut(w)
    found = Turned(radius=[v * s.eps for v in w])
    if s.natural:
        found.natural = w
    else:
        found.robust = w
    return found


def frl(s: Story) -> Turned:
    k, tau, r1, r2 = s.classes, 0.07, 0.05, 0.2
    lam0, lam1, lam2 = [0.0] * k, [0.0] * k, [0.0] * k
    clean, attacked = s.cubes[1]  # the start at half of 4 epochs: only the epoch before is looked at
    n = [sum(row) for row in clean]
    r_nat = sum(n[c] - clean[c][c] for c in range(k)) / sum(n)
    r_bdy = sum(clean[c][c] - attacked[c][c] for c in range(k)) / sum(n)
    for c in range(k):
        if n[c]:
            g0 = (n[c] - clean[c][c]) / n[c] - r_nat - tau
            g1 = (clean[c][c] - attacked[c][c]) / n[c] - r_bdy - tau
            lam0[c], lam1[c], lam2[c] = max(0, r1 * g0), max(0, 2 * r1 * g1), r2 * g1
    weights = []
    for lam in (lam0, lam1):
        if sum(lam) > 0.5:
            lam = [0.5 * v / sum(lam) for v in lam]
        w = [1 / k + v - sum(lam) / k for v in lam]
        mean = sum(w[y] for y in s.labels) / len(s.labels)
        weights.append([v / mean for v in w])
    radius = [s.eps * min(max(exp(2 * v), 0.98), 3) for v in lam2]
    return Turned(natural=weights[0], robust=weights[1], radius=radius)


def wat(s: Story) -> Turned:
    k, total = s.classes, [0.0] * (s.classes + 1)
    for epoch in (0, 1):
        n = [sum(row) for row in s.cubes[epoch][0]]
        cost = [e + 6 * d for e, d in zip(s.entropy[epoch], s.divergence[epoch], strict=True)]
        mean = sum(cost) / sum(n)
        arms = [cost[c] / n[c] if n[c] else mean for c in range(k)] + [mean]
        total = [a + b for a, b in zip(total, arms, strict=True)]
    q = [k * v for v in softmax([0.1 * v for v in total])]
    w = [q[c] + q[k] for c in range(k)]
    return Turned(natural=w, robust=w)


def cfps(matrix: list[list[float]]) -> list[float]:
    k = len(matrix)
    errors = sum(matrix[i][j] for i in range(k) for j in range(k) if i != j)
    return [sum(matrix[i][j] for i in range(k) if i != j) / errors if errors else 1 / k for j in range(k)]


def fair_tat(s: Story) -> Turned:
    k = s.classes
    confusion = [[0.0] * k for _ in range(k)]
    for labels, logits in s.batches[1]:
        for y, z in zip(labels, logits, strict=True):
            confusion[y][argmax(z)] += 1
    before = [0.5 if t is None else t for t in train_accuracy(s, 0, [None] * k)]  # 0.5 + 0.5 = the asked-for radius
    a = train_accuracy(s, 1, before)
    prior = softmax([2 * v for v in cfps(confusion)])
    target = [[prior[j] / (1 - prior[i]) if j != i else 0.0 for j in range(k)] for i in range(k)]
    return Turned(radius=[(0.5 + v) * s.eps for v in a], target=target, keep=fawa(s, 0.0, 0.85, 0.2))


def faal(s: Story) -> Turned:
    """By the dual's optimality conditions, solved with a root finder instead of a bisection."""
    k = s.classes
    labels, logits = s.batches[1][-1]
    v = []
    for c in range(k):
        margins = []
        for y, z in zip(labels, logits, strict=True):
            p = softmax(z)
            if y == c:
                margins.append(max(p[j] for j in range(k) if j != y) - p[y])
        u = sum(margins) / len(margins) if margins else -1.0
        v.append(len(margins) * u)

    def weights(mu: float) -> list[float]:
        raw = [1 / (mu - a) for a in v]
        return [a / sum(raw) for a in raw]

    def off(t: float) -> float:
        return sum(log(1 / (k * q)) / k for q in weights(max(v) + exp(t))) - 0.5

    q = weights(max(v) + exp(brentq(off, -30, 30, xtol=1e-14)))
    return Turned(within=[k * q[y] for y in labels])


def cfol(s: Story) -> Turned:
    k = s.classes
    w = [0.0] * k

    def chances() -> list[float]:
        return [0.5 / k + 0.5 * v for v in softmax(w)]

    for epoch in (0, 1):
        for labels, logits in s.batches[epoch]:
            p = chances()
            for y, z in zip(labels, logits, strict=True):
                w[y] += (1 / s.draws) * (argmax(z) != y) / p[y]
    return Turned(chances=chances())


def robust_lt(s: Story) -> Turned:
    alpha, beta, n = 0.3, 0.8, sum(s.counts)
    root = [sqrt(log(max(s.counts) / c)) if c else 0.0 for c in s.counts]
    mean = sum(c / n * r for c, r in zip(s.counts, root, strict=True))
    scale = [1 - alpha + alpha * (r / mean if c and mean else 1.0) for c, r in zip(s.counts, root, strict=True)]
    ramp = min((3 - 1) / (beta * 4), 1)  # the third of four epochs
    return Turned(radius=[v * s.eps * ramp for v in scale])


def confusion(s: Story) -> Turned:
    k = s.classes
    cube = [[[0.5 * a + b for a, b in zip(*rows, strict=True)] for rows in zip(*two, strict=True)]
            for two in zip(*s.cubes, strict=True)]  # fmt: skip
    found = Turned()
    shares = []
    for matrix in cube:
        n = [sum(row) for row in matrix]
        shares.append([[matrix[i][j] / n[i] if n[i] and i != j else 0.0 for j in range(k)] for i in range(k)])
    w = []
    for f in shares:
        net = [sum(f[i][j] - f[j][i] for j in range(k)) for i in range(k)]
        w.append([1 + 0.8 * v / max(1, max(abs(u) for u in net)) for v in net])
    found.natural, found.robust = w
    f, score = shares[1], cfps(cube[1])
    target = []
    for i in range(k):
        leak = sum(f[i])
        pull = sum(score[j] for j in range(k) if j != i)
        row = []
        for j in range(k):
            if i == j:
                row.append(0.5)
            else:
                first = f[i][j] / leak if leak else 1 / (k - 1)
                second = score[j] / pull if pull else 1 / (k - 1)
                row.append(0.5 * (first + second) / 2)
        target.append(row)
    found.target = target
    return found


ORACLES = {
    "none": none, "cfa": cfa, "dafa": dafa, "frl": frl, "wat": wat, "fair-tat": fair_tat, "faal": faal, "cfol": cfol,
    "robust-lt": robust_lt, "confusion": confusion,
}  # fmt: skip
