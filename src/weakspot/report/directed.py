"""summary.json's `pairs`: how often attacks that aim from one class at another get there."""

from collections.abc import Sequence

import numpy as np

from weakspot.analysis.attraction import attraction
from weakspot.analysis.intervals import wilson
from weakspot.analysis.pairs import (
    Pairs as Found,
)
from weakspot.analysis.pairs import (
    RankedPairs,
    Shares,
    explained_errors,
    exposure_scores,
    hub_scores,
    least_radii,
    pair_success,
    parts,
    ranked_pairs,
)
from weakspot.analysis.relate import rank_correlation
from weakspot.outcomes import Outcomes
from weakspot.report.cells import TOP
from weakspot.report.numbers import correlation, number, numbers
from weakspot.report.schema import FULL_CONFUSION
from weakspot.report.schema_pairs import Pair, Pairs


def directed_pairs(
    targeted: Outcomes, untargeted: Outcomes, clean: Outcomes, threats: Sequence[str], radius: str, names: list[str]
) -> Pairs | None:
    """The directed pairs at one radius; None where no row aims at a class.

    Args:
        targeted: All rows of `threats`, which aim at classes.
        untargeted: One row per sample, its worst under the attacks of the radius that aim at nothing; may be empty.
        clean: The rows of the threat "clean".
        threats: Addresses.
        radius: "" where the threats have none.
        names: Of the classes.

    """
    found = pair_success(clean, targeted, len(names))
    ranked = ranked_pairs(found.success)
    if not len(ranked.source):
        return None
    hub, exposure = hub_scores(found.success), exposure_scores(found.success)
    full = len(names) <= FULL_CONFUSION
    bisecting = [threat for threat in threats if "bisections=" in threat]
    least = least_radii(
        clean, targeted.where(np.isin(targeted.threat, bisecting)), radius.partition(":")[0], len(names)
    )
    distinct = len(np.unique(targeted.sample[targeted.target >= 0]))
    free = attraction(untargeted.label, untargeted.prediction, len(names)) if len(untargeted) else None
    return {
        "radius": radius or None,
        "threats": list(threats),
        "sources": list(names),
        "targets": list(names),
        "success": [numbers(row) for row in found.success] if full else None,
        "samples": found.samples.tolist() if full else None,
        "ended": found.ended.tolist() if full else None,
        "already": found.clean.tolist() if full else None,
        "attacked": len(ranked.source),
        "aimed": int(found.aimed.sum()),
        "possible": distinct * (len(names) - 1),
        "least_radii": [numbers(row) for row in least] if full and bisecting else None,
        "top": _top(found, ranked, least, names),
        "classes": [
            {"name": name, "hub": number(hub[c]), "exposure": number(exposure[c])} for c, name in enumerate(names)
        ],
        "explained": _explained(ranked, untargeted, len(names)),
        "hub_cfps": None if free is None else correlation(rank_correlation(hub, free.cfps)),
        "exposure_accuracy": (
            None if free is None else correlation(rank_correlation(exposure, 1 - free.false_negative_rate))
        ),
    }


def _top(found: Found, ranked: RankedPairs, least: Shares, names: list[str]) -> list[Pair]:
    limits = wilson(found.ended, found.samples)
    split = parts(found.success)
    return [
        {
            "source": names[i],
            "target": names[j],
            "samples": int(found.samples[i, j]),
            "aimed": int(found.aimed[i, j]),
            "ended": int(found.ended[i, j]),
            "already": int(found.clean[i, j]),
            "success": float(found.success[i, j]),
            "low": number(limits.low[i, j]),
            "high": number(limits.high[i, j]),
            "back": number(found.success[j, i]),
            "symmetric": number(split.symmetric[i, j]),
            "asymmetric": number(split.asymmetric[i, j]),
            "least_radius": number(least[i, j]),
        }
        for i, j in zip(ranked.source[:TOP].tolist(), ranked.target[:TOP].tolist(), strict=True)
    ]


def _explained(ranked: RankedPairs, untargeted: Outcomes, classes: int) -> list[float] | None:
    """Cumulative shares of the untargeted errors; None where there are none."""
    top = slice(None, TOP)
    shares = explained_errors(ranked.source[top], ranked.target[top], untargeted.label, untargeted.prediction, classes)
    return None if np.isnan(shares).any() else shares.tolist()
