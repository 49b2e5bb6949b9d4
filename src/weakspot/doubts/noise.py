"""T13: blind noise and a single step must not break what the audit's attacks could not (Carlini et al., 2019)."""

import torch

from weakspot import rng
from weakspot.addresses import Norm
from weakspot.contracts import Images
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding
from weakspot.doubts.hits import judge_hits
from weakspot.maths.balls import spread, start_noise, steepest
from weakspot.maths.losses import cross_entropy, margin
from weakspot.threats.search import Search

DRAWS = 200
WARN, FAIL = 0.005, 0.02


def corner(images: Images, size: float, norm: Norm, sample: torch.Tensor, seed: int, step: int) -> Images:
    """A random extreme point of the ball: a corner of the cube for linf, a point of the sphere for l2."""
    shape = tuple(images.shape[1:])
    if norm == "linf":
        return size * rng.signs(shape, sample, seed, "doubts/T13/corner", step).to(images)
    return size * steepest(rng.normal(shape, sample, seed, "doubts/T13/corner", step).to(images), "l2")


def noise(context: Context) -> Finding:
    """Uniform noise and random corners by turns, and one step along the gradient where there is one."""
    assert context.radius is not None
    size, norm = float(context.radius), context.radius.norm
    radii = context.images.new_full((len(context),), size)
    search = Search(context.model, context.images, context.labels, context.sample, context.seed)
    for draw in range(DRAWS):
        rows = search.alive()
        if not len(rows):
            break
        x, sample = search.images[rows], search.sample[rows]
        if draw % 2:
            delta = start_noise(x, radii[rows], norm, sample, search.seed, draw, purpose="doubts/T13")
        else:
            delta = corner(x, size, norm, sample, search.seed, draw)
        search.logits((x + delta).clamp(0, 1), rows)
    rows = search.alive()
    try:
        _, gradient = search.gradient(search.images[rows], rows, cross_entropy)
        search.logits(
            (search.images[rows] + spread(radii[rows], gradient) * steepest(gradient, norm)).clamp(0, 1), rows
        )
    except RuntimeError:  # no gradient: T5 says so
        pass
    broken = (margin(search.clean_logits, search.labels) >= 0) & (search.lowest < 0)
    return judge_hits(
        "T13",
        context,
        broken,
        f"{DRAWS} random points of the ball and a single gradient step",
        "blind trials should find nothing that iterated attacks miss, so gradients mislead them",
        warn=WARN,
        fail=FAIL,
    )


CHECK = Check(
    id="T13",
    name="noise and single step",
    when="audit",
    cost=DRAWS + 5,
    samples=64,
    run=noise,
    of="survivors",
    rows=True,
    radius=True,
)
