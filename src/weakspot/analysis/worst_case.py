"""The per-sample worst case over all adversarial threats of one radius: what "robust" means in every report."""

from collections.abc import Sequence

import numpy as np

from weakspot.analysis.arrays import Flags
from weakspot.outcomes import Outcomes

ROBUST = "robust"
"""The threat's name in the rows made here."""


def worst_case(rows: Outcomes, threats: Sequence[str]) -> Outcomes:
    """One row for each attacked sample: the worst of its rows under `threats`, by number of the sample.

    A sample is correct iff it is under every one of its rows. Its row (prediction, margin, distances) is the clean one
    where that is wrong, else the one of the lowest margin among the wrong ones if there are any; ties go to the threat
    named first. Threats may cover different samples; a sample with no row but clean is left out: nothing attacked it.

    Args:
        rows: Rows of any threats; several rows of one sample and threat (targets) are allowed.
        threats: "clean" and the adversarial threats of one radius, in the manifest's order; other rows are ignored.

    Returns:
        Rows with threat "robust", `found_by` "clean", the threat that broke the sample or "", target -1, and
        `forwards` and `backwards` summed over the sample's rows.

    """
    place = {threat: at for at, threat in enumerate(threats)}
    order = np.fromiter((place.get(threat, -1) for threat in rows.threat), np.int64, len(rows))
    clean = order == place.get("clean", len(threats))
    chosen, group, sample = _first_by_sample(rows, order, clean)
    taken = order >= 0
    attacked = np.zeros(len(sample), dtype=bool)
    attacked[group[taken & ~clean]] = True
    worst = rows.where(chosen)
    found_by = np.where(worst.correct, "", np.where(clean[chosen], "clean", worst.threat)).astype(object)
    joined = Outcomes.build(
        sample=sample,
        threat=ROBUST,
        found_by=found_by,
        forwards=np.bincount(group[taken], rows.forwards[taken], minlength=len(sample)),
        backwards=np.bincount(group[taken], rows.backwards[taken], minlength=len(sample)),
        label=worst.label,
        prediction=worst.prediction,
        correct=worst.correct,
        margin=worst.margin,
        confidence=worst.confidence,
        runner_up=worst.runner_up,
        distance_linf=worst.distance_linf,
        distance_l2=worst.distance_l2,
    )
    return joined.where(attacked)


def _first_by_sample(rows: Outcomes, order: np.ndarray, clean: Flags) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of the worst row of each sample, each row's group (-1: not taken), and the samples, ascending."""
    taken = np.flatnonzero(order >= 0)
    # Wrong before correct: at a margin of exactly 0 the argmax may fall either way, and a broken sample is broken.
    rank = np.where(rows.correct, 2, np.where(clean, 0, 1))[taken]
    # lexsort is stable and puts NaN margins last.
    sorting = taken[np.lexsort((order[taken], rows.margin[taken], rank, rows.sample[taken]))]
    ordered = rows.sample[sorting]
    first = np.ones(len(ordered), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    group = np.full(len(rows), -1, dtype=np.int64)
    group[sorting] = np.cumsum(first) - 1
    return sorting[first], group, ordered[first]
