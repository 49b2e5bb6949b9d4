"""summary.json's `relations`: CFPS against accuracy and its null, and whether the weak classes are the same ones."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from weakspot.analysis.arrays import PerClass
from weakspot.analysis.coupling import coupling, split_half
from weakspot.analysis.relate import rank_correlation, shared_worst
from weakspot.outcomes import Outcomes
from weakspot.report.cells import K_WORST
from weakspot.report.numbers import correlation, draws_for, number
from weakspot.report.schema_cell import Cell
from weakspot.report.schema_pairs import Agreement, Coupling, Relations


def relations(rows: Mapping[str, Outcomes], cells: Mapping[str, Cell], classes: int, seed: int) -> Relations:
    """How the figures of the classes go together.

    Args:
        rows: By condition (clean, robust), one row per sample.
        cells: By condition (clean, robust, corrupted).
        classes: K.
        seed: Names the random draws.

    """
    return {
        "coupling": {name: _coupling(each, classes, seed) for name, each in rows.items() if len(each)},
        "agreement": [
            agreement(first, last, accuracies(cells[first]), accuracies(cells[last]))
            for first, last in combinations(cells, 2)
        ],
    }


def accuracies(cell: Cell) -> PerClass:
    """The classes' accuracies; NaN where undefined."""
    return np.array([np.nan if entry["accuracy"] is None else entry["accuracy"] for entry in cell["classes"]])


def agreement(first: str, last: str, one: PerClass, two: PerClass) -> Agreement:
    """Whether two conditions have the same weak classes, from the classes' accuracies."""
    known = int((~(np.isnan(one) | np.isnan(two))).sum())
    k = min(K_WORST, known)
    return {
        "first": first,
        "last": last,
        "correlation": correlation(rank_correlation(one, two)),
        "k": k,
        "shared": shared_worst(one, two, k),
        "by_chance": k**2 / known if known else 0.0,
    }


def _coupling(rows: Outcomes, classes: int, seed: int) -> Coupling:
    found = coupling(rows.label, rows.prediction, classes, seed, draws_for(classes))
    # The mean over splits settles after few; a large run need not wait for more.
    splits = max(20, min(100, 1_000_000 // len(rows)))
    halves = split_half(rows.label, rows.prediction, classes, seed, splits)
    return {
        "over_classes": correlation(found.over_classes),
        "over_images": correlation(found.over_images),
        "null_mean": number(found.null_mean),
        "null_low": number(found.null_low),
        "null_high": number(found.null_high),
        "p": number(found.p),
        "uncoupled": correlation(found.uncoupled),
        "split_half": {
            "cfps": number(halves.cfps),
            "accuracy": number(halves.accuracy),
            "crossed": number(halves.crossed),
            "splits": halves.splits,
        },
    }
