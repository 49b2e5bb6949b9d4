"""How often a second opinion breaks what the audit left standing, with the bound that so few samples allow."""

import numpy as np
from jaxtyping import Bool
from torch import Tensor

from weakspot.analysis.intervals import clopper_pearson
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding

HITS = "hits"
"""The memo's key for the samples that were broken, by check: T20 looks at them class by class."""


def bounds(hits: int, samples: int) -> tuple[float, float]:
    """One-sided 95 % limits of a share, below and above (Clopper-Pearson): (0, 1) without samples."""
    if not samples:
        return 0.0, 1.0
    limits = clopper_pearson(hits, samples, level=0.9)
    return float(limits.low), float(limits.high)


def judge_hits(
    check: str, context: Context, broken: Bool[Tensor, " batch"], how: str, then: str, *, warn: float, fail: float
) -> Finding:
    """A finding about survivors that a second attack broke.

    It warns if their share is above `warn`, and fails if the lower limit of the share is above `fail`, so that one
    lucky hit among few samples is no failure.

    Args:
        check: The check's id.
        context: The survivors.
        broken: Which of them fell.
        how: The attack, as the subject of a sentence.
        then: What the user should do about it, after a semicolon.
        warn: A share of the survivors.
        fail: Likewise.

    """
    context.memo.setdefault(HITS, {})[check] = broken.cpu().numpy().astype(np.bool_)
    hits, samples = int(broken.sum()), len(broken)
    low, high = bounds(hits, samples)
    says = f"{how} broke {hits} of {samples} samples that the audit left standing (95 % sure: at most {high:.1%})"
    if low > fail:
        return Finding(check, "fail", hits / samples, fail, f"{says}; {then}.")
    if hits / samples > warn:
        return Finding(check, "warn", hits / samples, warn, f"{says}; {then}.")
    return Finding(check, "ok", hits / samples, warn, f"{says}.")
