"""lp balls around images. Radii are per sample: class-wise methods give each class its own."""

import torch
from jaxtyping import Shaped
from torch import Tensor

from weakspot.addresses import Norm
from weakspot.contracts import Images, Labels, PerSample
from weakspot.rng import normal, uniform

TINY = 1e-12


def spread(values: Shaped[Tensor, " batch"], images: Images) -> Shaped[Tensor, "batch 1 1 1"]:
    """`values` shaped to broadcast over the pixels of `images`."""
    return values.view(-1, *[1] * (images.ndim - 1))


def distance(delta: Images, norm: Norm) -> PerSample:
    """The norm of each sample's perturbation over all its pixels."""
    order = {"linf": float("inf"), "l2": 2.0, "l1": 1.0}[norm]
    return torch.linalg.vector_norm(delta.flatten(1), ord=order, dim=1)


def project(delta: Images, radius: PerSample, norm: Norm) -> Images:
    """The nearest point of each sample's own ball (linf, l2); a point inside stays where it is."""
    limit = spread(radius, delta)
    if norm == "linf":
        return delta.clamp(-limit, limit)
    if norm == "l2":
        return delta * (limit / spread(distance(delta, norm), delta).clamp(min=TINY)).clamp(max=1)
    raise ValueError(f"no projection for {norm}; linf and l2 have one")


def steepest(gradient: Images, norm: Norm) -> Images:
    """The step of norm 1 that raises a linear loss most; 0 where the gradient is 0."""
    if norm == "linf":
        return gradient.sign()
    if norm == "l2":
        # Added, not clamped, as in the reference code of APGD: on DLR's plateau the gradient itself is of size TINY.
        return gradient / (spread(distance(gradient, norm), gradient) + TINY)
    raise ValueError(f"no steepest step for {norm}; linf and l2 have one")


def start_noise(
    images: Images, radius: PerSample, norm: Norm, sample: Labels, seed: int, step: int = 0, *, purpose: str = "start"
) -> Images:
    """A random point of the ball: uniform in the cube for linf, uniform in the ball for l2."""
    shape = tuple(images.shape[1:])
    if norm == "linf":
        return (uniform(shape, sample, seed, purpose, step).to(images) * 2 - 1) * spread(radius, images)
    direction = normal(shape, sample, seed, purpose, step).to(images)
    # A uniform draw to the power 1/d makes the radius of a point that is uniform in a d-dimensional ball.
    length = uniform((1,), sample, seed, purpose + "/length", step).to(images)[:, 0] ** (1 / images[0].numel())
    return steepest(direction, "l2") * spread(radius * length, images)
