"""Cross-entropy and decision surfaces around images (Yu et al., 2019, arXiv:1905.04270).

Over two directions a and b, V(i, j) = CE(f(x + i a + j b), y) and S(i, j) = Z_y - max_{k != y} Z_k at the same points:
above 0 the image is taken for its class, 0 is the decision boundary. Points are not cut to [0, 1]: a surface that is
bent at the borders of the pixels would show those, not the model.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from weakspot.contracts import Classifier, Images, Labels, Logits
from weakspot.errors import InputError, SetupError
from weakspot.landscape.directions import parallel
from weakspot.maths.losses import cross_entropy, margin
from weakspot.threats.measure import check_logits

NUMBERS = 400_000
"""Pixel values in one pass on a CPU, 130 images of 3 x 32 x 32: with four times as many, what a layer of a ResNet-18
hands to the next no longer fits into the cache, which takes 1.5 times as long."""
ELSEWHERE = 12_000_000
"""On other devices, which are slow with small batches."""
IMAGES = 4096
"""The most images in one pass."""
STEPS = 41
"""Points along each direction by default: odd, so that the image itself is one of them."""
REACH = 2.0
"""How far the grid goes by default: twice the radius to both sides, if directions are scaled to it."""

First = Float[Tensor, " first"]
Second = Float[Tensor, " second"]
Grids = Float[Tensor, "batch first second"]


@dataclass(frozen=True, eq=False)
class Surface:
    """Both surfaces of each image; NaN where the model's logits are not finite."""

    first: First
    """Steps along a, in units of it."""
    second: Second
    """Steps along b."""
    cross_entropy: Grids
    """In nats."""
    decision: Grids
    """In logits."""


def grid(steps: int = STEPS, reach: float = REACH) -> Float[Tensor, " steps"]:
    """So many steps from -reach to reach; the middle one of an odd number is exactly 0."""
    return torch.arange(1 - steps, steps, 2) * (reach / max(1, steps - 1))


def surfaces(
    model: Classifier,
    images: Images,
    labels: Labels,
    sample: Labels,
    directions: tuple[Images, Images],
    offsets: tuple[First, Second],
) -> Surface:
    """Evaluate the grid of all images in full batches; one that does not fit into memory is halved.

    Hold the model still (`weakspot.models.frozen`). A direction that is zero gives a surface that is constant along it.

    Args:
        model: A classifier.
        images: In [0, 1].
        labels: Their classes.
        sample: Their numbers in the split, which errors name.
        directions: a and b of each image.
        offsets: i and j, in units of a and b.

    Raises:
        InputError: an image's two directions lie on one line, or its logits are not finite.
        SetupError: not even one image fits into memory.

    """
    first, second = directions
    flat = parallel(first, second).nonzero().squeeze(1)
    if len(flat):
        named = ", ".join(str(i) for i in sample[flat][:3].tolist())
        raise InputError(
            f"a surface needs two directions, but those of {len(flat)} images lie on one line (samples {named}); "
            "choose another second direction"
        )
    with torch.no_grad():
        check_logits(model(images), len(images), sample)
    rows, columns = (each.to(images) for each in offsets)
    size = len(rows) * len(columns)
    entropy, decision = torch.empty(2, len(images) * size)
    numbers = NUMBERS if images.device.type == "cpu" else ELSEWHERE
    at, most = 0, max(1, min(IMAGES, numbers // images[0].numel())) if len(images) else 1
    layout = _layout(model, images)
    while at < len(entropy):
        point = torch.arange(at, min(at + most, len(entropy)), device=images.device)
        which, i, j = point // size, point % size // len(columns), point % len(columns)
        x = images[which] + rows[i, None, None, None] * first[which] + columns[j, None, None, None] * second[which]
        logits = _logits(model, x.contiguous(memory_format=layout))
        if logits is None:
            most = len(point) // 2  # and so it stays: the next pass would fail alike
            if most == 0:
                raise SetupError(
                    f"one image of shape {tuple(images.shape[1:])} does not fit into memory with this model; "
                    "free some memory or use a smaller model"
                )
            continue
        label = labels[which]
        entropy[at : at + len(point)] = cross_entropy(logits, label).float().cpu()
        decision[at : at + len(point)] = margin(logits, label).float().cpu()
        at += len(point)
    shape = len(images), len(rows), len(columns)
    return Surface(offsets[0], offsets[1], entropy.view(shape), decision.view(shape))


def profiles(
    model: Classifier, images: Images, labels: Labels, sample: Labels, direction: Images, offsets: First
) -> Surface:
    """The surfaces along one direction, as in `surfaces`; the second axis has the single step 0."""
    return surfaces(model, images, labels, sample, (direction, torch.zeros_like(direction)), (offsets, torch.zeros(1)))


def _layout(model: Classifier, images: Images) -> torch.memory_format:
    """Channels last where that is a CPU's quicker order and the model takes it, with the same logits.

    Convolutions of few channels are up to twice as fast so; a model that calls `view` on their results breaks.
    """
    if images.device.type != "cpu" or not len(images):
        return torch.contiguous_format
    with torch.no_grad():
        try:
            found = model(images[:2].contiguous(memory_format=torch.channels_last))
        except RuntimeError:
            return torch.contiguous_format
        same = torch.allclose(found, model(images[:2]), rtol=1e-3, atol=1e-4)
    return torch.channels_last if same else torch.contiguous_format


def _logits(model: Classifier, x: Images) -> Logits | None:
    """The logits with NaN in rows that are not finite; None where memory does not suffice."""
    try:
        with torch.no_grad():
            logits = model(x)
    except torch.OutOfMemoryError:
        return None
    except RuntimeError as error:
        if "allocate memory" in str(error):  # what torch says on a CPU
            return None
        raise
    return torch.where(torch.isfinite(logits).all(1, keepdim=True), logits, torch.nan)
