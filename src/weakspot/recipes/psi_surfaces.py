"""What the study of psi describes of surfaces: how far margin and loss move inside the ball, and planes to draw.

Source: Yu et al., arXiv:1905.04270: robust models are smooth where natural ones are sharp, and the cross-entropy
surface can mislead where the decision surface does not. Logits are those of form B, so that scale tells nothing.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from weakspot.addresses import Radius
from weakspot.contracts import Data
from weakspot.data import Subset
from weakspot.explaining.files import Table
from weakspot.explaining.measure import Scaled, measure_surfaces
from weakspot.landscape.directions import loss_gradient, rademacher
from weakspot.landscape.divergence import Divergence
from weakspot.landscape.forms import GAP, GapScaled
from weakspot.landscape.pairs import Pair, Planes
from weakspot.landscape.seen import choose
from weakspot.landscape.surfaces import profiles
from weakspot.recipes.psi_runs import Model
from weakspot.recipes.tables import Row, share

IMAGES, DRAWN = 50, 10
"""Of the profiles, as many of each class of ten; of the planes, one of each."""
POINTS = 11
"""Of a profile, from the image to the border of the ball."""
STEPS, REACH = 31, 2.0
"""Of a plane, to twice the radius."""
DIRECTIONS = {"gradient": "loss gradient", "random": "random signs", "psi": "to the point of largest divergence"}


def surface(model: nn.Module, form: GapScaled, whole: Data, radius: Radius, device: torch.device) -> Table:
    """Margin and cross-entropy on the way to the border of the ball in three directions, and planes of a few images.

    Each way ends inside the image range, as a search does; planes are not cut.

    Returns:
        NAME/margin and NAME/loss (images, points) of each direction, the planes of gradient and random signs under
        "plane/", and "label".

    """
    rows = choose(whole.labels, IMAGES, 0)
    part = Subset(whole, tuple(rows.tolist()))
    at = list(range(len(part)))
    images, labels = part.batch(at).to(device), part.labels[at].to(device)
    sample = torch.tensor(at, device=device)
    scaled = Scaled(model, GAP / form.gap if form.gap > 0 else 1.0)
    farthest = Divergence(radius=radius)(model, images, sample, 0, form).images
    full = {
        "gradient": loss_gradient(scaled, images, labels, radius),
        "random": rademacher(images, sample, 0, radius),
        "psi": farthest - images,
    }
    # The search stays inside [0, 1]; the other ways are compared with it and so must stay there as well.
    ways = {name: (images + way).clamp(0, 1) - images for name, way in full.items()}
    made: Table = {"label": part.labels.numpy()}
    for name, way in ways.items():
        found = profiles(scaled, images, labels, sample, way, torch.linspace(0, 1, POINTS))
        made[f"{name}/margin"] = found.decision[..., 0].numpy()
        made[f"{name}/loss"] = found.cross_entropy[..., 0].numpy()
    drawn = choose(whole.labels, DRAWN, 0).tolist()
    planes = Planes.of(Pair.of("gradient,random"), whole, radius, 0)
    plane = measure_surfaces(scaled, whole, drawn, planes, STEPS, REACH, device)
    kept = ("label", "sample", "decision", "first", "second", "outline")
    return made | {f"plane/{name}": plane[name] for name in kept}


def profile_rows(found: Mapping[Model, Table]) -> Iterator[Row]:
    """A row for each model and way: how far margin and loss move to its end, and which images are lost on it."""
    for model, each in found.items():
        margin = {name: each[f"{name}/margin"] for name in DIRECTIONS}
        right = margin["psi"][:, 0] > 0
        crossed = {name: right & (values.min(1) < 0) for name, values in margin.items()}
        for name, title in DIRECTIONS.items():
            loss = each[f"{name}/loss"]
            yield {
                "model": model.name, "way": title,
                "margin at the image": f"{margin[name][:, 0].mean():.2f}",
                "it falls by": f"{fall(margin[name]):.2f}",
                "straight, margin": number(straight(margin[name])),
                "loss rises by": f"{fall(-loss):.2f}",
                "straight, loss": number(straight(-loss)),
                "right images lost": share(float(crossed[name].sum() / max(1, right.sum()))),
                "lost along psi, not here": share(missed(crossed["psi"], crossed[name])),
            }  # fmt: skip


def fall(profile: np.ndarray) -> float:
    """How far a surface falls from the image to the border, meaned over the images."""
    return float((profile[:, 0] - profile[:, -1]).mean())


def straight(profile: np.ndarray) -> float | None:
    """What the first step of the way would make of the whole way, as a share of what it is; 1 is a plane."""
    whole = fall(profile)
    first = float((profile[:, 0] - profile[:, 1]).mean()) * (profile.shape[1] - 1)
    return first / whole if whole > 0 else None


def missed(lost: np.ndarray, seen: np.ndarray) -> float | None:
    """Of the images that are lost in one direction the share that is not lost in the other; None where none is."""
    return float((lost & ~seen).sum() / lost.sum()) if lost.any() else None


def number(value: float | None) -> str:
    """Two digits, or a dash."""
    return "-" if value is None else f"{value:.2f}"


def example(found: Sequence[Table]) -> int:
    """Which image of the planes is drawn: the first that all models take for its class, else the first of all."""
    middle = found[0]["plane/first"].size // 2
    right = np.all([each["plane/decision"][:, middle, middle] > 0 for each in found], axis=0)
    return int(np.argmax(right))
