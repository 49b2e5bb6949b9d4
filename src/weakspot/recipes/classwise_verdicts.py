"""The rules of the class-wise study: ties that are seen, and the source's own classes."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from weakspot.analysis.paired import holm
from weakspot.analysis.relate import shared_worst
from weakspot.recipes.classwise_figures import WEAKEST, attacked, coupled, figures, resisting
from weakspot.recipes.classwise_mutual import mutual
from weakspot.recipes.classwise_runs import parts_of
from weakspot.recipes.classwise_ties import Tie, partial, tie
from weakspot.recipes.tables import Row
from weakspot.run import Run

ALPHA = 0.05
PRIMARY = (("attractive", "attacked"),)
WEAK = (("attacked", "corrupted"), ("attacked", "distance"), ("corrupted", "distance"))
ATTRACT = (("cfps", "cfps corrupted"), ("cfps", "cfps clean"), ("cfps", "hub"))
ADDED = {
    ("cfps", "cfps corrupted"): ("cfps added", "cfps corrupted"),
    ("cfps", "cfps clean"): ("cfps added", "cfps clean"),
    ("cfps", "hub"): ("cfps added", "hub added"),
}
"""The same without the errors of clean images on the attacks' side."""
UNSEEN = ("not run", "one kind only", "not resolved")
CALM = frozenset({"corrupted", "clean", "cfps corrupted", "cfps clean", "distance"})
"""Figures that no attack has made."""
CAT, WEAKEST_FOUR = "cat", frozenset({"bird", "cat", "deer", "dog"})
SAYS = {
    "attractive": "attractiveness", "attacked": "accuracy under attack", "corrupted": "accuracy corrupted",
    "distance": "latent distance", "cfps": "CFPS under attack", "cfps corrupted": "CFPS corrupted",
    "cfps clean": "CFPS clean", "hub": "hub score",
}  # fmt: skip
"""The figures as the page calls them."""


def of_data(found: Mapping[str, Run], data: str) -> dict[str, list[Run]]:
    """The runs of a data set by kind, seed by seed."""
    by_kind: dict[str, list[Run]] = {}
    for name, run in found.items():
        kind, set_of, _ = parts_of(name)
        if set_of == data:
            by_kind.setdefault(kind, []).append(run)
    return by_kind


def family(
    found: Mapping[str, Run], sets: Sequence[str], pairs: Sequence[tuple[str, str]], words: tuple[str, str]
) -> Iterator[Row]:
    """The ties of all data sets with Holm's p over them, and the verdict; `words`: if seen above 0, below 0."""
    made = {(data, *pair): tied(found, data, *pair) for data in sets for pair in pairs}
    p = holm(np.array([1.0 if np.isnan(each.p) else each.p for each in made.values()]))
    for ((data, first, last), each), adjusted in zip(made.items(), p, strict=True):
        says = verdict(each, float(adjusted), words)
        row: Row = {
            "data": data, "figures": f"{SAYS[first]}, {SAYS[last]}", "kinds": each.kinds, "runs": each.runs,
            "tie": limited(each), "p": number(each.p, 4), "Holm's p": number(adjusted if each.kinds else np.nan, 4),
        }  # fmt: skip
        if (first, last) in PRIMARY:
            row, says = beside_mutual(found, data, each, row, says)
        if (first, last) in ADDED:
            row, says = beside_added(tied(found, data, *ADDED[first, last]), row, says)
        yield {**row, "verdict": says}


def beside_mutual(found: Mapping[str, Run], data: str, tie: Tie, row: Row, says: str) -> tuple[Row, str]:
    """Rule 1 with the range that mutual confusion alone would give."""
    tables = {kind: [np.array(attacked(run)["confusion"]) for run in runs]
              for kind, runs in of_data(resisting(found), data).items()}  # fmt: skip
    alone = mutual(tables)
    low, high = float(alone.low), float(alone.high)
    row = {**row, "if confusion were mutual": "-" if np.isnan(low) else f"{low:.2f} to {high:.2f}"}
    if says in UNSEEN:
        return row, says
    if low <= tie.value <= high:
        return row, f"{says}, as mutual confusion alone would give"
    nearer = high < tie.value < 0 or 0 < tie.value < low
    return row, f"{says}, {'less than mutual confusion would give' if nearer else 'beyond mutual confusion'}"


def beside_added(tie: Tie, row: Row, says: str) -> tuple[Row, str]:
    """Rule 3 with the tie of the errors that attacks add."""
    row = {**row, "of errors that attacks add": limited(tie), "its p": number(tie.p, 4)}
    seen = tie.p < ALPHA and tie.low > 0
    return row, f"{says}, by errors of clean images" if says == "the same" and not seen else says


def tied(found: Mapping[str, Run], data: str, first: str, last: str) -> Tie:
    """The tie of two figures over the runs that take part."""
    part = found if {first, last} <= CALM else resisting(found)
    by_kind = {kind: [figures(run) for run in runs] for kind, runs in of_data(part, data).items()}
    return tie({kind: [(each[first], each[last]) for each in runs] for kind, runs in by_kind.items()})


def verdict(found: Tie, p: float, words: tuple[str, str]) -> str:
    """The rule's words: both the deals of the classes and the interval over kinds must say so."""
    if found.kinds < 2:
        return UNSEEN[found.kinds]
    if p >= ALPHA or not (found.low > 0 or found.high < 0):
        return UNSEEN[2]
    return words[0] if found.low > 0 else words[1]


def couplings(part: Mapping[str, Run], sets: Sequence[str]) -> Iterator[Row]:
    """Each of the runs that resist: CFPS with accuracy, and its range with attractiveness dealt at random."""
    for data in sets:
        made = {name: coupled(run) for name, run in part.items() if parts_of(name)[1] == data}
        p = holm(np.array([each.p for each in made.values()]))
        for (name, each), adjusted in zip(made.items(), p, strict=True):
            yield {
                "run": name,
                "CFPS, accuracy": f"{number(each.over_images.value)} [{number(each.over_images.low)}, "
                f"{number(each.over_images.high)}]",
                "if dealt at random": f"{number(each.null_low)} to {number(each.null_high)}",
                "Holm's p": number(float(adjusted), 3),
                "attractiveness, accuracy": number(each.uncoupled.value),
            }  # fmt: skip


def weak_classes(part: Mapping[str, Run]) -> Iterator[Row]:
    """Of each of the runs that resist: attack and corruption given clean accuracy, and the shared weakest classes."""
    for name, run in part.items():
        each = figures(run)
        shared = {
            (one, two): shared_worst(each[one], each[two], WEAKEST)
            for one, two in combinations(("attacked", "corrupted", "distance"), 2)
        }
        yield {
            "run": name,
            "attack, corruption given clean": number(partial(each["attacked"], each["corrupted"], each["clean"])),
            "attack, distance given clean": number(partial(each["attacked"], each["distance"], each["clean"])),
            **{f"{WEAKEST} weakest: {one}, {two}": "-" if n is None else n for (one, two), n in shared.items()},
        }


def source_classes(part: Mapping[str, Run]) -> list[str]:
    """The source's two sayings of CIFAR-10, judged over the runs that resist."""
    runs = [run for name, run in part.items() if parts_of(name)[1] == "cifar10"]
    if not runs:
        return ["No run of CIFAR-10 takes part."]
    chance, cats = 1 / len(attacked(runs[0])["classes"]), []
    for run in runs:
        entry = next((each for each in attacked(run)["classes"] if each["name"] == CAT), None)
        if entry is not None and entry["cfps_low"] is not None and entry["cfps_high"] is not None:
            cats.append((entry["cfps_low"] > chance) - (entry["cfps_high"] < chance))
    four = sum(lowest_four(run) == WEAKEST_FOUR for run in runs)
    above, below, half = cats.count(1), cats.count(-1), len(runs) / 2
    says = "holds" if above > half else "is contradicted" if below > half else "is not resolved"
    return [
        f"Cat attracts under attack: CFPS is above an equal share in {above} and below in {below} of {len(runs)} runs; "
        f"it {says}.",
        "",
        f"Bird, cat, deer and dog are the four weakest in {four} of {len(runs)} runs; it "
        f"{'holds' if four > half else 'does not hold'}.",
    ]


def lowest_four(run: Run) -> frozenset[str]:
    """The four classes of lowest accuracy under attack; none where the fourth and the fifth are equal."""
    order = sorted(attacked(run)["classes"], key=lambda entry: entry["accuracy"] or 0.0)
    if order[3]["accuracy"] == order[4]["accuracy"]:
        return frozenset()
    return frozenset(entry["name"] for entry in order[:4])


def limited(found: Tie) -> str:
    """`0.12 [0.03, 0.21]`, or a dash."""
    if np.isnan(found.value):
        return "-"
    limits = "" if np.isnan(found.low) else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"{found.value:.2f}{limits}"


def number(value: float, digits: int = 2) -> str:
    """So many digits, or a dash."""
    return "-" if np.isnan(value) else f"{value:.{digits}f}"
