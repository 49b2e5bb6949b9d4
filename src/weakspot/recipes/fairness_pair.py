"""The hard pair in the study of class fairness: SPAT's claim, who is seen as whom, and feature space against TRADES."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from weakspot.analysis.compare import Comparison, compare
from weakspot.analysis.measures import listed
from weakspot.analysis.scores import Scores, attacked
from weakspot.recipes.fairness_runs import BASE, METHODS, SEEDS, hard_of
from weakspot.recipes.fairness_verdicts import both, robust
from weakspot.recipes.tables import Row, limited, share
from weakspot.run import Run

SPAT = "spat"
SCALE_FREE = ("scatter", "distance in spreads", "cosine", "purity")
"""What feature spaces of several models can be compared by."""


def exchanged(run: Run) -> Scores:
    """Of each image of the hard pair whether it is seen as the pair's other class under attack: 1, else 0."""
    worst = attacked(run.manifest["threats"], run.rows)["robust"]
    one, two = (names_of(run).index(each) for each in pair_of(run))
    order = np.argsort(worst.sample)
    order = order[np.isin(worst.label[order], (one, two))]
    other = np.where(worst.label[order] == one, two, one)
    return Scores(worst.sample[order], worst.label[order], (worst.prediction[order] == other).astype(float))


def spat_claim(found: Mapping[str, Run], one: str, two: str) -> str:
    """Rule 3: whether fewer images of the hard pair are seen as its other class under SPAT; and each direction."""
    first, last = both(found, SPAT)
    what = f"SPAT's claim, fewer images of {one} and {two} seen as each other:"
    if len(first) < len(SEEDS):
        return f"{what} not decided, {len(first)} of {len(SEEDS)} seeds are there and robust."
    change = exchange(first, last)
    says = "holds" if change.overall.high < 0 else "is contradicted" if change.overall.low > 0 else "is not resolved"
    ways = "; ".join(f"{way} {each}" for way, each in directions(change, names_of(first[0])).items())
    return f"{what} {says}, {limited(change.overall)} points (95 %, images and seeds). Described: {ways}."


def exchange(first: Sequence[Run], last: Sequence[Run]) -> Comparison:
    """How often the hard pair's classes are seen as each other, last less first, at 95 %."""
    one, two = ([exchanged(run) for run in side] for side in (first, last))
    return compare(one, two, len(names_of(first[0])), 0)


def exchanges(found: Mapping[str, Run]) -> Iterator[Row]:
    """Each method's change of the hard pair against TRADES, over the seeds that both have, and of each direction."""
    for name in METHODS:
        first, last = both(found, name)
        if first and name != BASE:
            change = exchange(first, last)
            yield {
                "method": name,
                "seeds": len(first),
                "interval over": "images, seeds" if len(first) > 1 else "images only",
                "seen as each other": limited(change.overall),
                **directions(change, names_of(first[0])),
            }


def directions(change: Comparison, names: Sequence[str]) -> Mapping[str, str]:
    """The change of each direction of the exchange with its interval, such as that of "dog seen as cat"."""
    measures = listed(change.difference, change.interval, change.bounds)
    pair = hard_of(names).pair
    return {f"{one} seen as {two}": limited(measures[names.index(one)]) for one, two in (pair, pair[::-1])}


def names_of(run: Run) -> Sequence[str]:
    """The names of the classes."""
    names: Sequence[str] = run.manifest["data"]["classes"]
    return names


def pair_of(run: Run) -> tuple[str, str]:
    """The hard pair of the run's classes."""
    return hard_of(names_of(run)).pair


def shares(found: Mapping[str, Run]) -> Iterator[Row]:
    """How often the two classes are seen as each other by each run, and what feature space says of them."""
    for name, run in found.items():
        one, two = pair_of(run)
        seen = exchanged(run)
        errors = robust(run, (one, two)).score == 0
        first = seen.label == names_of(run).index(one)
        yield {
            "run": name,
            f"{one} as {two}": share(float(seen.score[first].mean())),
            f"{two} as {one}": share(float(seen.score[~first].mean())),
            "of their errors": share(float(seen.score[errors].mean())) if errors.any() else "-",
            **{column: number(value) for column, value in space(run).items()},
        }


def space(run: Run) -> Mapping[str, float | None]:
    """Feature space of clean images: scatter of all classes, spread and purity of the first one, how far the two are.

    `scatter` is between classes over within them; `distance in spreads` that of the two means over the mean spread of
    the two classes.
    """
    if run.latent is None:
        return dict.fromkeys(("scatter", "spread", "distance", *SCALE_FREE[1:]))
    one, two = (names_of(run).index(each) for each in pair_of(run))
    entries, tables = run.latent["classes"], run.latent["distances"]["clean"]
    spread, other = (entries[each]["clean"]["spread"]["value"] for each in (one, two))
    distance = tables["euclidean"][one][two]
    return {
        "scatter": run.latent["clean"]["ratio"],
        "spread": spread,
        "distance": distance,
        "distance in spreads": 2 * distance / (spread + other) if distance and spread and other else None,
        "cosine": tables["cosine"][one][two],
        "purity": entries[one]["clean"]["purity"]["value"],
    }


def number(value: float | None) -> str:
    """Three digits, or a dash."""
    return "-" if value is None else f"{value:.3g}"


def spaces(found: Mapping[str, Run]) -> Iterator[Row]:
    """Each method's feature space less that of TRADES: the mean over the seeds that both have, and each seed's."""
    for name in METHODS:
        pairs = [[space(run) for run in pair] for pair in zip(*both(found, name), strict=True)]
        if pairs and name != BASE:
            yield {"method": name, **{column: changed(pairs, column) for column in SCALE_FREE}}


def changed(pairs: Sequence[Sequence[Mapping[str, float | None]]], column: str) -> str:
    """`0.41 (TRADES 0.35; by seed +0.05, +0.07)`; a dash where a run has none."""
    table = np.array([[side[column] for side in pair] for pair in pairs], dtype=float)  # None becomes NaN
    if np.isnan(table).any():
        return "-"
    before, after = table.mean(axis=0).tolist()
    seeds = ", ".join(f"{each:+.2g}" for each in table[:, 1] - table[:, 0])
    return f"{number(after)} (TRADES {number(before)}; by seed {seeds})"
