"""Small models with a known truth: honest ones, and ones that are broken in exactly one way.

They read real 8x8 digits (scikit-learn's copy of the UCI test set, 1,797 images, 10 classes) and are fitted here in a
few seconds, from weights that depend on names alone. `HONEST` and `BROKEN` are the catalogues; a broken model names
the checks that must notice it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from functools import cache

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

from weakspot import rng
from weakspot.addresses import Radius
from weakspot.contracts import Threat
from weakspot.data.arrays import ArrayData
from weakspot.doubts import Context, gather
from weakspot.maths.losses import cross_entropy, margin
from weakspot.models.zoo.initial import draw
from weakspot.outcomes import Outcomes
from weakspot.threats import plan_threats, threat_address
from weakspot.threats.measure import measure
from weakspot.threats.pgd import pgd
from weakspot.threats.search import Search

RADIUS = Radius.of("linf:0.1")
SPLIT = 1297
"""The first so many digits train, the other 500 test."""


@cache
def digits(split: str = "test") -> ArrayData:
    """The digits as data, images in [0, 1]."""
    read = load_digits()
    part = slice(None, SPLIT) if split == "train" else slice(SPLIT, None)
    images = (read.images[part] / 16).astype("float32")[:, None]
    return ArrayData.of(images, read.target[part], name="digits", split=split, radius=str(RADIUS))


# -- honest -----------------------------------------------------------------------------------------------------------


def linear() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 32), nn.ReLU(),
        nn.Linear(32, 10),
    )  # fmt: skip


def fit(make: Callable[[], nn.Module], steps: int, attack_steps: int = 0) -> nn.Module:
    """Adam on the first 900 training digits at once; with `attack_steps`, on PGD's points in the ball of RADIUS."""
    with torch.random.fork_rng(devices=[]):  # torch draws weights when layers are made; they are replaced below
        model = make()
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            draw(module, name, 0)
    data = digits("train")
    images, labels, sample = data.batch(range(900)), data.labels[:900], torch.arange(900)
    radii = images.new_full((len(images),), float(RADIUS))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(steps):
        x = images
        if attack_steps:
            search = Search(model, images, labels, sample, seed=step)
            pgd(search, sample, radii, "linf", cross_entropy, attack_steps, 1.5 / attack_steps)
            x = search.best
        optimiser.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimiser.step()
    model.zero_grad(set_to_none=True)
    return model.eval().requires_grad_(False)


HONEST: Mapping[str, Callable[[], nn.Module]] = {
    "linear": cache(lambda: fit(linear, 100)),
    "mlp": cache(lambda: fit(mlp, 60)),
    "small-cnn": cache(lambda: fit(cnn, 60)),
    "adversarially-trained-cnn": cache(lambda: fit(cnn, 70, attack_steps=3)),
}
"""Models whose evaluation nobody should doubt; each is made once per process."""


# -- broken -----------------------------------------------------------------------------------------------------------


class Wrapped(nn.Module):
    """A broken thing around an honest network."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net
        self.eval()


class Rounded(Wrapped):
    """Input rounded to 9 levels: the gradient is zero almost everywhere, while larger steps still fool it."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net((images * 8).round() / 8)


class StraightThrough(Wrapped):
    """The same, with a made-up gradient: that of no rounding at all."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images + ((images * 8).round() / 8 - images).detach())


class Detached(Wrapped):
    """No gradient reaches the input."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images.detach())


class HalfDetached(Wrapped):
    """The gradient sees a weak decoy, the decision is made by a detached net."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images.detach()) + 1e-3 * self.net(1 - images)


class Saturated(Wrapped):
    """Logits times 1,000: the same decisions, but the cross-entropy has no gradient left."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images) * 1000


class Probabilities(Wrapped):
    """A softmax at the end."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images).softmax(1)


class Noisy(Wrapped):
    """Input noise from a generator that moves on with each call, as dropout left on would."""

    def __init__(self, net: nn.Module, size: float = 0.2):
        super().__init__(net)
        self.size = size
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        noise = rng.normal(tuple(images.shape[1:]), torch.arange(len(images)), 0, "planted noise", self.calls)
        return self.net(images + self.size * noise.to(images))


class BatchMean(Wrapped):
    """Images are centred with the mean of their batch, as batch norm in training mode does, without saying so."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images - images.mean(0, keepdim=True) + 0.3)


class Permuted(Wrapped):
    """Class c of the data is class c + 1 of the model."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images).roll(1, dims=1)


class OutOfRange(Wrapped):
    """Normalises with the constants of images in 0..255."""

    def forward(self, images: Tensor) -> Tensor:
        return self.net((images - 127.5) / 127.5)


class Nan(Wrapped):
    """NaN for bright images."""

    def forward(self, images: Tensor) -> Tensor:
        logits = self.net(images)
        return torch.where((images.mean(dim=(1, 2, 3)) > 0.33)[:, None], float("nan"), logits)


class TwoFaced(Wrapped):
    """Answers honestly unless a gradient is being taken: then it is sure of itself."""

    def forward(self, images: Tensor) -> Tensor:
        logits = self.net(images)
        return logits + 5 * F.one_hot(logits.argmax(1), 10) if images.requires_grad else logits


class Dynamic(Wrapped):
    """Moves each image towards the class it is nearest to before it answers: an optimisation loop at test time."""

    def forward(self, images: Tensor) -> Tensor:
        with torch.enable_grad():
            x = images.detach().requires_grad_()
            logits = self.net(x)
            (gradient,) = torch.autograd.grad(cross_entropy(logits, logits.argmax(1)).sum(), x)
        return self.net(images - 0.1 * gradient.sign())


class WinnersTakeAll(nn.Module):
    """Keeps the k largest units of each sample and zeroes the others (k-WTA): discontinuous everywhere."""

    def __init__(self, k: int):
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        least = x.topk(self.k, dim=1).values[:, -1:]
        return torch.where(x >= least, x, torch.zeros_like(x))


def k_wta() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 512), WinnersTakeAll(26), nn.Linear(512, 10))


class Leaving:
    """A threat that returns images at twice its radius."""

    name = "leaving"
    kind = "adversarial"

    def __init__(self) -> None:
        self.radius = RADIUS

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor, sample: Tensor, seed: int) -> Tensor:
        return images + torch.where(images > 0.5, -0.2, 0.2)


def train_mode() -> nn.Module:
    """Batch norm that still learns from its batch, since nobody called eval()."""
    layers = (nn.Flatten, lambda: nn.Linear(64, 64), lambda: nn.BatchNorm1d(64), nn.ReLU, lambda: nn.Linear(64, 10))
    return fit(lambda: nn.Sequential(*(layer() for layer in layers)), 60).train()


@dataclass(frozen=True)
class Broken:
    """A planted model and the checks that must notice it (status not ok)."""

    make: Callable[[], nn.Module]
    noticed_by: tuple[str, ...]


BROKEN: Mapping[str, Broken] = {
    "rounded-input": Broken(lambda: Rounded(HONEST["mlp"]()), ("T6",)),
    "straight-through": Broken(lambda: StraightThrough(HONEST["mlp"]()), ("T5",)),
    "detached": Broken(lambda: Detached(HONEST["mlp"]()), ("T5",)),
    "half-detached": Broken(lambda: HalfDetached(HONEST["mlp"]()), ("T5",)),
    "saturated": Broken(lambda: Saturated(HONEST["mlp"]()), ("T6",)),
    "probabilities": Broken(lambda: Probabilities(HONEST["mlp"]()), ("T0",)),
    "noisy": Broken(lambda: Noisy(HONEST["mlp"]()), ("T1",)),
    "batch-mean": Broken(lambda: BatchMean(HONEST["mlp"]()), ("T2",)),
    "batch-norm-in-training": Broken(cache(train_mode), ("T0", "T2")),
    "permuted-labels": Broken(lambda: Permuted(HONEST["mlp"]()), ("labels",)),
    "normalises-out-of-range": Broken(lambda: OutOfRange(HONEST["small-cnn"]()), ("labels",)),
    "nan": Broken(lambda: Nan(HONEST["mlp"]()), ("T0",)),
    "two-faced": Broken(lambda: TwoFaced(HONEST["mlp"]()), ("T3",)),
}
"""Each is broken in one way; a check may of course notice more than its own plant."""


# -- contexts ---------------------------------------------------------------------------------------------------------


def context_of(model: nn.Module, samples: int = 128) -> Context:
    """A context over test digits, without rows."""
    return gather(model, digits(), RADIUS, seed=0, samples=samples)


def measured(context: Context, threat: Threat) -> tuple[Outcomes, Tensor]:
    """The rows and images of one threat on the context's samples."""
    address = threat_address(threat) if is_dataclass(threat) else threat.name
    return measure(context.model, threat, address, context.images, context.labels, context.sample, context.seed)


def with_rows(
    context: Context, threats: tuple[str, ...] = ("pgd", "apgd-ce(steps=50)", "apgd-dlr(steps=50)")
) -> Context:
    """The context with the rows of a small audit of its own samples."""
    planned = plan_threats(threats, [RADIUS])
    parts: list[Outcomes] = []
    described = []
    for threat in planned:
        address = threat_address(threat)
        radius = getattr(threat, "radius", None)
        described.append({"address": address, "kind": threat.kind, "radius": None if radius is None else str(radius)})
        parts.append(measured(context, threat)[0])
    return replace(context, rows=Outcomes.join(parts), manifest={"threats": described})


def robust_share(context: Context, threat: str) -> float:
    """The share of samples that are correct under one threat of the rows."""
    assert context.rows is not None
    return float(context.rows.of(threat).correct.mean())


def clean_accuracy(model: nn.Module) -> float:
    """On the 500 test digits."""
    data = digits()
    with torch.no_grad():
        return (margin(model(data.batch(range(len(data)))), data.labels) > 0).double().mean().item()
