"""What goes with a class's robustness: its distance to others, hardness, number of samples, the errors it attracts.

These are correlations over a handful of classes, not causes. CFPS and robust accuracy are coupled where no class
attracts at all: read its figure beside `weakspot.analysis.coupling`, which has the null.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from weakspot.analysis.arrays import ClassCounts, PerClass, ratio
from weakspot.analysis.attraction import attraction
from weakspot.analysis.rates import by_class
from weakspot.analysis.relate import Correlation, Regression, rank_correlation, regress
from weakspot.outcomes import Outcomes


@dataclass(frozen=True)
class Reasons:
    """How much each variable goes with robust accuracy, alone (rank correlation) and beside the others (regression)."""

    robust: PerClass
    variables: Mapping[str, PerClass]
    correlations: Mapping[str, Correlation]
    """Spearman's, with the variables' names; the intervals take the classes as a sample of classes."""
    regression: Regression
    """Of the variables that vary; NaN where there are too few classes for them."""
    constant: tuple[str, ...]
    """Variables that are the same for all classes (or unknown), so they explain nothing here."""


def class_variables(
    clean: Outcomes, attacked: Outcomes, distance: PerClass, classes: int, trained: ClassCounts | None = None
) -> dict[str, PerClass]:
    """The four variables, NaN where unknown.

    Args:
        clean: Rows of the threat "clean".
        attacked: Rows of an attack, one per sample.
        distance: Of each class to the nearest other one in feature space.
        classes: K.
        trained: Training images per class; without it the images that were tested count.

    Returns:
        `distance`; `margin`, the mean clean margin: what is hard has a low one; `samples`; `cfps` under the attack.

    """
    tested = np.bincount(clean.label, minlength=classes)
    margin = ratio(np.bincount(clean.label, clean.margin, minlength=classes), tested)
    samples = (tested if trained is None else trained).astype(float)
    cfps = attraction(attacked.label, attacked.prediction, classes).cfps
    return {"distance": distance, "margin": margin, "samples": samples, "cfps": cfps}


def reasons(attacked: Outcomes, variables: Mapping[str, PerClass], classes: int, level: float = 0.95) -> Reasons:
    """Relate the accuracy of each class under an attack to `variables`."""
    robust = by_class(attacked.label, attacked.prediction, classes).accuracy
    varying = {name: values for name, values in variables.items() if _varies(values[~np.isnan(robust)])}
    return Reasons(
        robust=robust,
        variables=dict(variables),
        correlations={name: rank_correlation(values, robust, level) for name, values in variables.items()},
        regression=regress(robust, varying, level),
        constant=tuple(name for name in variables if name not in varying),
    )


def _varies(values: PerClass) -> bool:
    known = values[~np.isnan(values)]
    return len(known) > 0 and bool(np.ptp(known) > 1e-12 * np.abs(known).max())
