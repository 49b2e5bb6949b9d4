"""Hard pairs of the class-wise study: the most open ones, and how alike models are in all of them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from weakspot.analysis.relate import spearman
from weakspot.recipes.classwise_figures import success
from weakspot.recipes.classwise_runs import parts_of
from weakspot.recipes.classwise_verdicts import of_data
from weakspot.recipes.tables import Row, share
from weakspot.run import Run

LISTED, OPEN = 3, 5
"""How many pairs are listed of a run, and how many count as its most open ones."""
MATRIX = 20
"""Of more classes only the most open pairs are rows of the CSV."""


def open_pairs(part: Mapping[str, Run]) -> Iterator[Row]:
    """The most open directed pairs of the runs that resist, with the share of the source that ends as the target."""
    for name, run in part.items():
        pairs = run.summary["pairs"]
        assert pairs is not None, "the audit was asked for directed pairs"
        for each in pairs["top"][:LISTED]:
            yield {
                "run": name, "from": each["source"], "to": each["target"], "samples": each["samples"],
                "success": f"{share(each['success'])} [{share(each['low'])}, {share(each['high'])}]",
                "back": share(each["back"]),
            }  # fmt: skip


def directed(found: Mapping[str, Run]) -> Iterator[Row]:
    """The matrix of directed attacks of every run, a row for each pair of classes (of many, of the most open ones).

    `success` is the share, in per cent, of the source's images that end as the target, those among them that are taken
    for it when clean; empty where a source has no images.
    """
    for name, run in found.items():
        pairs = run.summary["pairs"]
        assert pairs is not None, "the audit was asked for directed pairs"
        names = [entry["name"] for entry in run.classes]
        listed: list[tuple[str, str, float | None]]
        if len(names) > MATRIX:
            listed = [(each["source"], each["target"], each["success"]) for each in pairs["top"]]
        else:
            assert pairs["success"] is not None, "so few classes have a full matrix"
            rows = zip(names, pairs["success"], strict=True)
            listed = [
                (one, two, value) for one, row in rows for two, value in zip(names, row, strict=True) if two != one
            ]
        for source, target, value in listed:
            shown = "" if value is None else share(value)
            yield {"run": name, "source": source, "target": target, "success": shown}


def always_open(part: Mapping[str, Run], sets: Sequence[str]) -> list[str]:
    """For each data set a sentence: the pairs among the most open ones of every kind at the first seed."""
    lines = []
    for data in sets:
        most = []
        for run in first_seeds(part, data).values():
            pairs = run.summary["pairs"]
            assert pairs is not None, "the audit was asked for directed pairs"
            most.append({(each["source"], each["target"]) for each in pairs["top"][:OPEN]})
        shared = sorted(set.intersection(*most)) if most else []
        named = ", ".join(f"{source} to {target}" for source, target in shared) or "none"
        lines.append(f"{data}, among the {OPEN} most open pairs of the {len(most)} kinds that take part: {named}.")
    return lines


def alike(part: Mapping[str, Run], sets: Sequence[str]) -> Iterator[Row]:
    """Spearman's correlation of two runs' success over all directed pairs: between kinds, and between seeds."""
    for data in sets:
        between = list(combinations(first_seeds(part, data).values(), 2))
        there = of_data(part, data).values()
        for title, pairs in (
            ("kinds, one seed", between), ("seeds, one kind", [two for each in there for two in combinations(each, 2)]),
        ):  # fmt: skip
            yield {"data": data, "between": title, "pairs of runs": len(pairs), "correlation": span(pairs)}


def first_seeds(part: Mapping[str, Run], data: str) -> dict[str, Run]:
    """The first seed's runs of the data set, by kind."""
    named = {parts_of(name): run for name, run in part.items()}
    first = min((seed for _, _, seed in named), default=0)
    return {kind: run for (kind, its, seed), run in named.items() if (its, seed) == (data, first)}


def span(pairs: Sequence[tuple[Run, Run]]) -> str:
    """Mean, lowest and highest correlation; a dash where none is defined."""
    made = [float(spearman(success(one), success(two))) for one, two in pairs]
    made = [each for each in made if not np.isnan(each)]
    return f"{np.mean(made):.2f} ({min(made):.2f} to {max(made):.2f})" if made else "-"
