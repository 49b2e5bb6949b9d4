"""Does a class that attracts errors resist better or worse: the rank correlation that is collected over models."""

from collections.abc import Mapping

from weakspot.analysis.attraction import attraction
from weakspot.analysis.relate import Correlation, rank_correlation
from weakspot.outcomes import Outcomes


def cfps_with_accuracy(rows: Mapping[str, Outcomes], classes: int) -> dict[str, Correlation]:
    """Spearman's correlation over classes of CFPS with accuracy, under each condition.

    Args:
        rows: One row per sample under each of clean and robust (`weakspot.analysis.scores.attacked`).
        classes: K.

    """
    found = {}
    for condition, each in rows.items():
        drawn = attraction(each.label, each.prediction, classes)
        found[condition] = rank_correlation(drawn.cfps, 1 - drawn.false_negative_rate)
    return found
