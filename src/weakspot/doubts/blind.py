"""Random points of a ball, many for each image in one batch, and what the model makes of them."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

from weakspot import rng
from weakspot.addresses import Norm
from weakspot.contracts import Images, Labels
from weakspot.doubts.context import Context
from weakspot.maths.balls import steepest
from weakspot.maths.losses import margin

TOGETHER = 4
"""So many draws make one batch: 64 samples a batch of 256."""

Draws = Float[Tensor, "batch draws"]


def corners(images: Images, size: float, norm: Norm, sample: Labels, seed: int, purpose: str, step: int = 0) -> Images:
    """A random extreme point of the ball for each image: a corner of the cube for linf, a point of the sphere for l2.

    Returns the difference from the image; it may leave [0, 1].
    """
    shape = tuple(images.shape[1:])
    if norm == "linf":
        return size * rng.signs(shape, sample, seed, purpose, step).to(images)
    return size * steepest(rng.normal(shape, sample, seed, purpose, step).to(images), "l2")


def blind_margins(context: Context, size: float, draws: int, purpose: str, extreme: bool = False) -> Iterator[Draws]:
    """The margins at `draws` random points of each image's ball, 4 draws at a time, clamped to [0, 1].

    The points are uniform in the ball, or extreme: corners of the cube for linf, uniform on the sphere for l2.
    """
    assert context.radius is not None
    labels = context.labels.repeat_interleave(TOGETHER)
    for step in range(-(-draws // TOGETHER)):
        delta = size * _unit(context, context.radius.norm, purpose, step, extreme)
        points = (context.images[:, None] + delta).clamp(0, 1).flatten(0, 1)
        yield margin(context.logits(points), labels).view(len(context), TOGETHER)[:, : draws - step * TOGETHER]


def _unit(
    context: Context, norm: Norm, purpose: str, step: int, extreme: bool
) -> Float[Tensor, "batch draws channels height width"]:
    """Points of the ball of radius 1 around 0."""
    shape = (TOGETHER, *context.images.shape[1:])
    if norm == "linf":
        if extreme:
            return rng.signs(shape, context.sample, context.seed, purpose, step).to(context.images)
        return rng.uniform(shape, context.sample, context.seed, purpose, step).to(context.images) * 2 - 1
    direction = rng.normal(shape, context.sample, context.seed, purpose, step).to(context.images)
    direction = direction / direction.flatten(2).norm(dim=2).clamp(min=1e-12)[..., None, None, None]
    if extreme:
        return direction
    # A uniform draw to the power 1/d makes the radius of a point that is uniform in a d-dimensional ball.
    length = rng.uniform((TOGETHER,), context.sample, context.seed, purpose + "/length", step).to(context.images)
    return direction * (length ** (1 / context.images[0].numel()))[..., None, None, None]
