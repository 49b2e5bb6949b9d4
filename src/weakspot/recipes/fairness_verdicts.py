"""The rules of the study of class fairness: who raises the worst class, at what cost, and is SPAT's claim seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import weakspot
from weakspot.analysis.paired import agresti_min, holm, mcnemar
from weakspot.analysis.scores import attacked
from weakspot.recipes.fairness_runs import BASE, HARD_PAIR, LEADING, METHODS, SEEDS, name_of
from weakspot.recipes.tables import Row, percent
from weakspot.run import Run

OURS, SPAT = "confusion", "spat"
GAIN, COST = 0.05, -0.03
"""What our own policy must gain on the worst class, and what a policy may lose on average."""


@dataclass(frozen=True)
class Against:
    """A method less TRADES over the seeds that both have; images and seeds are crossed factors."""

    seeds: int
    overall: Mapping[str, Any]
    """`difference`, `low`, `high` of robust accuracy."""
    worst: Mapping[str, Any]
    """The same of the worst class, with `first_class` and `last_class`."""
    p: float | None
    """Of robust accuracy at the first seed, after Holm's correction; None where that is not there."""

    @property
    def says(self) -> str:
        """Rules 1 and 2: whether it raises the worst class, and whether it trades the average for that."""
        if (self.worst["high"] or 0) < 0:
            return "lowered"
        if (self.worst["low"] or 0) <= 0:
            return "not seen"
        return "raised, but traded" if (self.overall["difference"] or 0) < COST else "raised"


def against(found: Mapping[str, Run]) -> dict[str, Against]:
    """Every method that shares a seed with TRADES."""
    rivals = [name for name in METHODS if name != BASE]
    p = dict(zip(rivals, holm(np.array([p_overall(found, name) for name in rivals])), strict=True))
    made = {}
    for name in rivals:
        seeds = [seed for seed in SEEDS if name_of(name, seed) in found and name_of(BASE, seed) in found]
        if not seeds:
            continue
        first, last = ([found[name_of(which, seed)] for seed in seeds] for which in (BASE, name))
        both = weakspot.compare(first, last).summary["comparisons"][0]["conditions"]["robust"]
        adjusted = float(p[name]) if SEEDS[0] in seeds else None
        made[name] = Against(len(seeds), both["overall"], both["worst_class"], adjusted)
    return made


def differences(compared: Mapping[str, Against]) -> Iterator[Row]:
    """A row for each method; with fewer seeds than planned for a leading one, or with one, it is described."""
    for name, each in compared.items():
        judged = name in LEADING and each.seeds == len(SEEDS)
        yield {
            "method": name,
            "seeds": each.seeds,
            "robust": percent(each.overall, "difference"),
            f"Holm's p of {len(METHODS) - 1}, seed {SEEDS[0]}": "-" if each.p is None else f"{each.p:.2g}",
            "worst class": percent(each.worst, "difference"),
            "from, to": f"{each.worst['first_class']}, {each.worst['last_class']}",
            "verdict": each.says if judged else "(described)",
        }


def p_overall(found: Mapping[str, Run], name: str) -> float:
    """Exact McNemar over all images of the first seed; 1 where one is missing."""
    pair = [found.get(name_of(which, SEEDS[0])) for which in (BASE, name)]
    if pair[0] is None or pair[1] is None:
        return 1.0
    first, last = robust_rows(pair[0]), robust_rows(pair[1])
    return float(mcnemar(np.array((first & ~last).sum()), np.array((~first & last).sum())))


def robust_rows(run: Run) -> np.ndarray:
    """Whether each sample survived every threat, in the order of its number."""
    rows = run.rows
    samples, place = np.unique(rows.sample, return_inverse=True)
    held = np.ones(len(samples), dtype=bool)
    np.logical_and.at(held, place, rows.correct)
    return held


def pair_seen(run: Run) -> np.ndarray:
    """Of each image of the hard pair's first class whether it is seen as the second one under attack."""
    worst = attacked(run.manifest["threats"], run.rows)["robust"]
    source, target = (run.manifest["data"]["classes"].index(each) for each in HARD_PAIR)
    order = np.argsort(worst.sample)
    return worst.prediction[order][worst.label[order] == source] == target


def pair_change(first: Run, last: Run) -> Mapping[str, float]:
    """The change of that share, paired by image, with its limits."""
    before, after = pair_seen(first), pair_seen(last)
    lost, gained = np.array((before & ~after).sum()), np.array((after & ~before).sum())
    limits = agresti_min(lost, gained, np.array(len(before)))
    return {"difference": float(gained - lost) / len(before), "low": float(limits.low), "high": float(limits.high)}


def spat_claim(found: Mapping[str, Run]) -> str:
    """Rule 3: whether the hard pair's share is lower under SPAT in all seeds."""
    pairs = [(found.get(name_of(BASE, seed)), found.get(name_of(SPAT, seed))) for seed in SEEDS]
    changes = [pair_change(first, last) for first, last in pairs if first and last]
    if len(changes) < len(SEEDS):
        says = "not decided, seeds are missing"
    else:
        says = "holds" if all(change["difference"] < 0 for change in changes) else "does not hold"
    listed = ", ".join(percent(change, "difference") for change in changes) if changes else "none"
    return (
        f"SPAT's claim, fewer of {HARD_PAIR[0]} seen as {HARD_PAIR[1]}: {says} (by seed, in points: {listed}). Three "
        "lower shares come by chance in one of eight studies, if SPAT changes nothing."
    )


def ours_claim(compared: Mapping[str, Against]) -> str:
    """Rule 4: whether our own policy earns its place."""
    each = compared.get(OURS)
    if each is None or each.seeds < len(SEEDS):
        return "Our own policy (confusion): not decided, seeds are missing."
    raised = (each.worst["low"] or 0) > 0 and each.worst["difference"] >= GAIN
    earned = raised and (each.overall["low"] or 0) > COST
    return (
        f"Our own policy (confusion) {'earns' if earned else 'does not earn'} its place: worst class "
        f"{percent(each.worst, 'difference')}, at least {100 * GAIN:g} and an interval above 0 asked for; on average "
        f"{percent(each.overall, 'difference')}, a lower limit above {100 * COST:g} asked for."
    )
