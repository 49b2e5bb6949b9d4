"""The inner maximisation that adversarial objectives share: a quiet model and projected steepest steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from weakspot.addresses import Norm
from weakspot.contracts import Classifier, Images, Labels, Logits, PerSample
from weakspot.maths.balls import project, spread, steepest
from weakspot.maths.losses import finite_or_zero
from weakspot.models import frozen
from weakspot.rng import normal
from weakspot.training.trainee import Trainee


@contextmanager
def attack_mode(model: nn.Module, *, batch_statistics: bool = False) -> Iterator[nn.Module]:
    """The model as an attack sees it: no parameter gathers gradients, every module keeps its mode afterwards.

    With `batch_statistics` batch norm stays in training mode (and updates its running statistics), as some papers
    attack; otherwise the whole model is in eval mode, which Pang et al. (2021, arXiv:2010.00467) rate as useful, and
    batch norms, which are linear then, are part of the convolutions (`Trainee.quiet`).
    Under data-parallel training the attack goes through the bare module: only the loss synchronises gradients.
    """
    bare = model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model
    modes = [(module, module.training) for module in bare.modules()]
    with frozen(bare):
        for module, mode in modes if batch_statistics else ():
            module.training = mode
        yield bare if batch_statistics or not isinstance(bare, Trainee) else bare.quiet()


def gradient_at(model: Classifier, at: Images, loss: Callable[[Logits], PerSample]) -> tuple[Images, Logits]:
    """The gradient of each sample's loss in its image, 0 where it is not finite, and the logits there."""
    with torch.enable_grad():
        at = at.detach().requires_grad_()
        logits = model(at)
        (gradient,) = torch.autograd.grad(loss(logits).sum(), at)
    return finite_or_zero(gradient), logits.detach()


def near_start(images: Images, radius: PerSample, norm: Norm, sample: Labels, seed: int, step: int) -> Images:
    """Images + 0.001 N(0, 1), where TRADES and its descendants start: at x itself their losses have no gradient.

    They project after each step only; projecting the start as well keeps that of a tiny ball inside.
    """
    noise = 0.001 * normal(tuple(images.shape[1:]), sample, seed, "start", step).to(images)
    return (images + project(noise, radius, norm)).clamp(0, 1)


def ascend(
    model: Classifier,
    images: Images,
    start: Images,
    radius: PerSample,
    norm: Norm,
    *,
    steps: int,
    share: float,
    loss: Callable[[Logits], PerSample],
) -> Images:
    """`steps` steps of size `share * radius` that raise `loss`, each projected to the ball around `images` and [0, 1].

    The last point is returned, as adversarial training has it (not the best one, as an evaluation would).
    """
    attacked = start
    for _ in range(steps):
        gradient, _ = gradient_at(model, attacked, loss)
        attacked = moved(images, attacked, share * radius, gradient, radius, norm)
    return attacked


def moved(images: Images, at: Images, step: PerSample, gradient: Images, radius: PerSample, norm: Norm) -> Images:
    """`at` after a steepest step of size `step`, projected to the ball around `images` and to [0, 1]."""
    ascent = spread(step, images) * steepest(gradient, norm)
    # Clamping to [0, 1] only moves pixels towards those of `images`, so the result stays in the ball as well.
    return (images + project(at + ascent - images, radius, norm)).clamp(0, 1)
