"""Small models with a known truth: the honest ones; those in broken.py are broken in exactly one way.

They read real 8x8 digits (scikit-learn's copy of the UCI test set, 1,797 images, 10 classes) and are fitted here in a
few seconds, from weights that depend on names alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from functools import cache

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

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
QUICK = ("pgd", "apgd-ce(steps=50)", "apgd-dlr(steps=50)")
"""A small audit, as in the preset quick."""
SPLIT = 1297
"""The first so many digits train, the other 500 test."""


@cache
def digits(split: str = "test") -> ArrayData:
    """The digits as data, images in [0, 1]."""
    read = load_digits()
    part = slice(None, SPLIT) if split == "train" else slice(SPLIT, None)
    images = (read.images[part] / 16).astype("float32")[:, None]
    return ArrayData.of(images, read.target[part], name="digits", split=split, radius=str(RADIUS))


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
            pgd(search, sample, radii, "linf", cross_entropy, attack_steps, 1.5 / attack_steps, "planted")
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


def context_of(model: nn.Module, samples: int = 128) -> Context:
    """A context over test digits, without rows."""
    return gather(model, digits(), RADIUS, seed=0, samples=samples)


def measured(context: Context, threat: Threat) -> tuple[Outcomes, Tensor]:
    """The rows and images of one threat on the context's samples."""
    address = threat_address(threat) if is_dataclass(threat) else threat.name
    return measure(context.model, threat, address, context.images, context.labels, context.sample, context.seed)


def with_rows(context: Context, threats: tuple[str, ...] = QUICK) -> Context:
    """The context with the rows of a small audit of its own samples, at its own radius."""
    planned = plan_threats(threats, [context.radius or RADIUS])
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
