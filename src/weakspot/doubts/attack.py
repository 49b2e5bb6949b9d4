"""The attack that the checks use: APGD with a scale-free loss, on a context's own samples."""

from collections.abc import Sequence

from weakspot.addresses import Norm
from weakspot.contracts import Images, PerSample
from weakspot.doubts.context import Context
from weakspot.maths.losses import dlr
from weakspot.threats.apgd import apgd, extreme_start
from weakspot.threats.search import Loss, Search


def ascend(context: Context, sizes: PerSample | float, steps: int, losses: Sequence[Loss] = (dlr,)) -> Search:
    """APGD with each loss in turn on the samples that still stand, in balls of these sizes (which may exceed the box).

    Its random starts are its own: no threat of an audit begins there.
    """
    assert context.radius is not None  # `examine` leaves such checks out without a radius
    search = Search(context.model, context.images, context.labels, context.sample, context.seed)
    norm = context.radius.norm
    each = search.images.new_full((len(context),), sizes) if isinstance(sizes, float) else sizes
    for turn, loss in enumerate(losses):
        rows = search.alive()
        if not len(rows):
            break
        radii = each[rows]
        start = extreme_start(search.images[rows], radii, norm, search.sample[rows], search.seed, f"doubts/{turn}")
        apgd(search, rows, radii, norm, loss, steps, start)
    return search


def whole_box(images: Images, norm: Norm) -> float:
    """The radius from which a ball around any image holds all images: 1 in linf, sqrt(pixels) in l2."""
    return 1.0 if norm == "linf" else float(images[0].numel()) ** 0.5
