"""T20: a class must not look strong only because the audit was weak on it: the other checks' hits, class by class."""

import numpy as np
from scipy.stats import binom

from weakspot.analysis.paired import holm
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, not_checked
from weakspot.doubts.hits import HITS

TOLERATED = 0.02
"""The share of a class's survivors that a second attack may break."""
ALPHA = 0.05


def class_floor(context: Context) -> Finding:
    """Test for each class whether more than 2 % of its survivors fell to T12, T13 or T15, with Holm's adjustment."""
    hits = context.memo.get(HITS, {})
    if not hits or not len(context):
        return not_checked("T20", "none of T12, T13 and T15 attacked these samples")
    broken = np.logical_or.reduce(list(hits.values()))
    label, classes = context.labels.cpu().numpy(), len(context.classes)
    samples = np.bincount(label, minlength=classes)
    fell = np.bincount(label[broken], minlength=classes)
    # P(at least so many fall) if the share were what is tolerated.
    p = holm(np.where(samples > 0, binom.sf(fell - 1, samples, TOLERATED), np.nan))
    worst = int(np.nanargmin(p))
    says = (
        f"Second attacks ({', '.join(hits)}) broke {int(fell.sum())} of {len(label)} samples that the audit left "
        f"standing, most remarkably {int(fell[worst])} of {int(samples[worst])} in one class ({context.classes[worst]})"
    )
    figure = float(p[worst])
    if figure < ALPHA:
        weak = ", ".join(context.classes[c] for c in np.flatnonzero(p < ALPHA)[:5])
        says += f"; the robust accuracy of {weak} is too high beyond chance (p = {figure:.2g} after Holm)"
        return Finding("T20", "fail", figure, ALPHA, says + ".")
    return Finding("T20", "ok", figure, ALPHA, says + ".")


CHECK = Check(
    id="T20",
    name="class floor",
    when="audit",
    cost=0,
    samples=64,
    run=class_floor,
    of="survivors",
    rows=True,
    radius=True,
)
