"""T18: the binarization test: can the attack find what is known to exist (Zimmermann et al., 2022, arXiv:2206.13991).

Around each image 999 points of the ball of 0.95 radii get the label 0 and one point on the boundary the label 1. A
linear readout of the model's features that separates them perfectly is fitted, and its threshold is moved to 0.999 of
the way to the boundary point. So an adversarial image exists by construction, and an attack that follows the model's
gradients must find one. A random attacker must not, else the test is too easy.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from weakspot.addresses import Norm
from weakspot.contracts import Images, Labels, Logits
from weakspot.doubts.blind import corners
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, not_checked
from weakspot.doubts.hits import bounds
from weakspot.doubts.penultimate import Features, last_layer, penultimate
from weakspot.doubts.replay import adversarial
from weakspot.maths.balls import start_noise
from weakspot.threats import parse_threat
from weakspot.threats.search import Oracle

INNER = 999
INNER_RADIUS = 0.95
TIGHT = 0.999
RANDOM = 200
NEEDED = 0.95
EASY = 0.05
"""If a random attacker succeeds on more than this share of the samples, the test says nothing."""


@dataclass(frozen=True)
class Readouts:
    """A two-class net on the same features for each sample: logits (0, features . weight + bias)."""

    weight: Float[Tensor, "batch features"]
    bias: Float[Tensor, " batch"]
    fitted: Labels
    """Positions, in the context, of the samples whose points were separable."""


class TwoClasses(Oracle):
    """The model as seen through the readouts: each row of the block has its own."""

    def __init__(self, features: Callable[[Images], Features], readouts: Readouts):
        super().__init__(features, len(readouts.bias))
        self.readouts = readouts

    def __call__(self, images: Images, rows: Labels | None = None) -> Logits:
        """Logits of the two classes; calls without rows are about all rows in order."""
        found = super().__call__(images, rows)
        chosen = torch.arange(len(images), device=images.device) if rows is None else rows
        score = (found * self.readouts.weight[chosen]).sum(1) + self.readouts.bias[chosen]
        return torch.stack([torch.zeros_like(score), score], dim=1)


def points(context: Context, position: int) -> Images:
    """999 inner points (the image itself first), then the boundary point, of one sample."""
    assert context.radius is not None
    size, norm = float(context.radius), context.radius.norm
    image, sample = context.images[position : position + 1], context.sample[position : position + 1]
    many = image.expand(INNER, *image.shape[1:])
    radii = image.new_full((INNER,), INNER_RADIUS * size)
    # One sample's many draws: its number is the purpose, the point's number takes the sample's place.
    purpose = f"doubts/T18/{int(sample)}"
    number = torch.arange(INNER, device=image.device)
    inner = many + start_noise(many, radii, norm, number, context.seed, purpose=purpose)
    inner[0] = image[0]
    edge = boundary(image, size, norm, sample, context.seed)
    return torch.cat([inner.clamp(0, 1), edge])


def boundary(image: Images, size: float, norm: Norm, sample: Labels, seed: int) -> Images:
    """A random extreme point of the ball within the box; in l2 it is pushed outwards again after clamping."""
    delta = corners(image, size, norm, sample, seed, "doubts/T18/edge")
    for _ in range(5 if norm == "l2" else 0):
        delta = (image + delta).clamp(0, 1) - image
        delta = delta * (size / delta.norm().clamp(min=1e-12))
    return (image + delta).clamp(0, 1)


def fit(context: Context, features: Callable[[Images], Features]) -> Readouts:
    """Fit a readout for each sample; samples whose points no hyperplane separates are left out."""
    weights, biases, fitted = [], [], []
    for position in range(len(context)):
        with torch.no_grad():
            parts = torch.chunk(points(context, position), 4)
            found = torch.cat([features(part) for part in parts]).double().cpu().numpy()
        readout = separate(found)
        if readout is not None:
            weights.append(readout[0])
            biases.append(readout[1])
            fitted.append(position)
    like = context.images
    return Readouts(
        torch.from_numpy(np.array(weights)).to(like),
        torch.tensor(biases).to(like),
        torch.tensor(fitted, dtype=torch.int64, device=like.device),
    )


def separate(found: Float[np.ndarray, "points features"]) -> tuple[Float[np.ndarray, " features"], float] | None:
    """Weight and bias of a readout that is below 0 on all points but the last; None where there is none.

    The scores' range over the points is 1, and the threshold lies 0.999 of the way from the highest inner score to the
    boundary point's.
    """
    centre, scale = found.mean(0), found.std(0)
    scale[scale == 0] = 1
    label = np.zeros(len(found), dtype=np.int64)
    label[-1] = 1
    fitted = LogisticRegression(C=1e5, class_weight="balanced", max_iter=1000).fit((found - centre) / scale, label)
    weight = fitted.coef_[0] / scale
    score = found @ weight
    highest, edge = score[:-1].max(), score[-1]
    if not edge > highest:
        return None
    threshold = highest + TIGHT * (edge - highest)
    spread = score.max() - score.min()
    return weight / spread, float(-threshold / spread)


def binarization(context: Context) -> Finding:
    """Run the audit's own threats, all of them, against the readouts; count the samples where one succeeds."""
    assert context.radius is not None
    layer = last_layer(context.model, context.images, len(context.classes))
    threats = [parse_threat(ran.address) for ran in adversarial(context)]
    if layer is None or not threats:
        return not_checked("T18", "it needs a last linear layer" if layer is None else "no threat was run")
    features = penultimate(context.model, layer)  # type: ignore[arg-type]  # last_layer found a module in it
    readouts = fit(context, features)
    chosen = context.take(readouts.fitted)
    if not len(chosen):
        return not_checked("T18", f"no readout separates the planted point of any of {len(context)} samples")
    zeros = torch.zeros_like(chosen.labels)
    found = torch.zeros(len(chosen), dtype=torch.bool, device=zeros.device)
    for threat in threats:
        attacked = threat(TwoClasses(features, readouts), chosen.images, zeros, chosen.sample, chosen.seed)
        found |= _reached(TwoClasses(features, readouts), attacked)
    share = found.double().mean().item()
    easy = _random(chosen, TwoClasses(features, readouts))
    says = (
        f"A point that fools the model was planted for each of {len(chosen)} samples; the audit's threats found one "
        f"for {share:.1%}, and {RANDOM} random points for {easy:.1%}"
    )
    if easy > EASY:
        return Finding("T18", "skipped", None, NEEDED, says + ", so the test is too easy here to say anything.")
    if share >= NEEDED:
        return Finding("T18", "ok", share, NEEDED, says + ".")
    low = bounds(int(found.sum()), len(chosen))[1]
    says += "; attacks miss what is certainly there, so the robust accuracy is too high"
    return Finding("T18", "fail" if low < NEEDED else "warn", share, NEEDED, says + ".")


def _reached(model: TwoClasses, images: Images) -> Tensor:
    with torch.no_grad():
        return model(images)[:, 1] > 0


def _random(context: Context, model: TwoClasses) -> float:
    """The share of samples that some of 200 uniform points of the ball break."""
    assert context.radius is not None
    radii = context.images.new_full((len(context),), float(context.radius))
    broken = torch.zeros(len(context), dtype=torch.bool, device=context.images.device)
    for draw in range(RANDOM):
        noise = start_noise(
            context.images, radii, context.radius.norm, context.sample, context.seed, draw, purpose="doubts/T18/random"
        )
        broken |= _reached(model, (context.images + noise).clamp(0, 1))
    return broken.double().mean().item()


def _cost(context: Context) -> int:
    return INNER + 1 + RANDOM + sum(ran.cost for ran in adversarial(context))


CHECK = Check(
    id="T18",
    name="binarization test",
    when="full",
    cost=_cost,
    samples=32,
    run=binarization,
    of="correct",
    rows=True,
    radius=True,
    gradient=True,
)
