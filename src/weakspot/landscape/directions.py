"""Directions in input space along which a surface is drawn, one per image, and where a point lies between two of them.

Scaled to the radius of a ball, a step of 1 along a direction reaches the ball's border.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from weakspot.addresses import Radius
from weakspot.contracts import Classifier, Data, Images, Labels
from weakspot.errors import InputError
from weakspot.maths.balls import distance, spread, steepest
from weakspot.maths.losses import cross_entropy, input_gradient, targeted_margin
from weakspot.rng import signs
from weakspot.threats.search import Loss

BATCH = 256
TINY = 1e-12
ROUNDING = 1e-6
"""What float32 leaves of 1 - |cos| between two equal directions."""


def loss_gradient(model: Classifier, images: Images, labels: Labels, radius: Radius) -> Images:
    """The steepest rise of the cross-entropy in the ball: the sign of its gradient in linf (FGSM), the gradient in l2.

    Zero where the model is so sure that the gradient vanishes.
    """
    return scaled(steepest(_gradient(model, images, labels, cross_entropy), radius.norm), radius)


def class_gradient(model: Classifier, images: Images, target: int, radius: Radius) -> Images:
    """The steepest rise of z_t - max_{j != t} z_j: towards being taken for class `target`."""
    towards = torch.full((len(images),), target, device=images.device)
    gradient = _gradient(model, images, towards, lambda logits, t: targeted_margin(logits, t, t))
    return scaled(steepest(gradient, radius.norm), radius)


def rademacher(images: Images, sample: Labels, seed: int, radius: Radius) -> Images:
    """-1 or +1 at each pixel, at random: a direction that knows nothing of the model."""
    return scaled(signs(tuple(images.shape[1:]), sample, seed, "surface direction").to(images), radius)


def towards(images: Images, points: Images, radius: Radius) -> Images:
    """To given points, such as found adversarial images or another class's mean; zero where a point is the image."""
    return scaled(points - images, radius)


def class_mean(data: Data, c: int) -> Float[Tensor, "channels height width"]:
    """The mean image of class `c`, read batch by batch.

    Raises:
        InputError: the class has no samples.

    """
    rows = class_rows(data, c)
    total = torch.zeros(data.shape, dtype=torch.float64)
    for start in range(0, len(rows), BATCH):
        total += data.batch(rows[start : start + BATCH]).double().sum(0)
    return (total / len(rows)).float()


def class_rows(data: Data, c: int) -> list[int]:
    """The positions of class `c`.

    Raises:
        InputError: it has no samples.

    """
    rows = (data.labels == c).nonzero().squeeze(1).tolist()
    if not rows:
        raise InputError(f"class {data.classes[c]!r} has no samples in {data.name}, so it has no mean; name another")
    return rows


def scaled(direction: Images, radius: Radius) -> Images:
    """Each direction with the norm of the radius; zero stays zero, as does one of length below 1e-12."""
    length = distance(direction, radius.norm)
    factor = torch.where(length > TINY, float(radius) / length.clamp(min=TINY), 0)
    return direction * spread(factor, direction)


def parallel(first: Images, second: Images) -> Bool[Tensor, " batch"]:
    """Whether an image's two directions lie on one line, so that they span no plane; never so for a zero direction."""
    a, b = first.flatten(1).double(), second.flatten(1).double()
    lengths = a.norm(dim=1) * b.norm(dim=1)
    return (lengths > 0) & ((a * b).sum(1).abs() >= (1 - ROUNDING) * lengths)


def coordinates(images: Images, points: Images, first: Images, second: Images) -> Float[Tensor, "batch 2"]:
    """Where `points` lie on the plane through each image: steps along both directions, by least squares.

    An attack's path is drawn on a surface so; what leaves the plane is dropped.
    """
    axes = torch.stack([first.flatten(1), second.flatten(1)], dim=2).double()
    # The pseudo-inverse takes a zero direction as well: its step is 0.
    return (torch.linalg.pinv(axes) @ (points - images).flatten(1).double()[:, :, None])[:, :, 0].float()


def _gradient(model: Classifier, images: Images, labels: Labels, loss: Loss) -> Images:
    x = images.detach().requires_grad_()
    with torch.enable_grad():
        gradient = input_gradient(loss(model(x), labels), x)
    # Scaled by the largest entry: a confident model's squares vanish in float32.
    largest = gradient.flatten(1).abs().amax(1)
    return gradient / spread(torch.where(largest > 0, largest, 1), gradient)
