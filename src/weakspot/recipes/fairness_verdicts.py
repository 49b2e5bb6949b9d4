"""The rules of the study of class fairness: who raises the worst class, at what cost, and is SPAT's claim seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from weakspot.analysis.compare import Comparison, compare
from weakspot.analysis.measures import Measure
from weakspot.analysis.paired import holm, mcnemar
from weakspot.analysis.scores import Scores, scores
from weakspot.recipes.fairness_runs import BASE, CONTROL, CONTROLLED, LEADING, METHODS, SEEDS, hard_of, name_of
from weakspot.recipes.tables import Row, limited
from weakspot.run import Run

OURS = "confusion"
GAIN, COST = 0.05, -0.03
"""What our own policy must gain on the worst class, and what a policy may lose on average."""
FLOOR = 0.05
"""Below this mean of TRADES's worst class, a raise must be one of the hard classes' mean as well."""
LEAST = 0.1
"""What a model of ten classes has that answers one; one that may be below it under attack takes no part."""
LEVEL = 1 - 0.05 / (len(LEADING) - 1)
"""Bonferroni over the leading methods: crossed intervals give no p for Holm."""


@dataclass(frozen=True)
class Against:
    """A method less TRADES over the seeds that both have; images and seeds are crossed factors."""

    seeds: int
    overall: Measure
    """Of robust accuracy, over images."""
    worst: Measure
    """Of the lowest classes, seed by seed."""
    hard: Measure
    """Of the mean of the classes that are hard by name."""
    named: tuple[str, ...]
    """These classes."""
    classes: tuple[str, str]
    """The lowest of the mean over seeds, of TRADES and of the method."""
    base: float
    """TRADES's worst class, the mean over its seeds."""
    p: float | None
    """Of robust accuracy at the first seed, after Holm's correction; None where that is not there."""

    @property
    def says(self) -> str:
        """Rules 1 and 2: whether it raises the worst class, and whether it trades the average for that."""
        if self.worst.high < 0:
            return "lowered"
        if not self.worst.low > 0:
            return "not resolved"
        if self.base < FLOOR and not self.hard.low > 0:
            return "off the floor"
        if self.overall.low > COST:
            return "raised"
        return "raised, but traded" if self.overall.high < COST else "raised, cost unclear"


def speaking(found: Mapping[str, Run]) -> dict[str, Run]:
    """The runs that take part: robust accuracy is more than a constant answer's."""
    return {name: run for name, run in found.items() if (run.robust["low"] or 0) >= LEAST}


def against(found: Mapping[str, Run]) -> dict[str, Against]:
    """Every method that shares a seed with TRADES."""
    rivals = [name for name in METHODS if name != BASE]
    p = dict(zip(rivals, holm(np.array([p_overall(found, name) for name in rivals])), strict=True))
    made = {}
    for name in rivals:
        first, last = both(found, name)
        if not first:
            continue
        names = first[0].manifest["data"]["classes"]
        named = hard_of(names).classes
        whole, hard = (compared(first, last, classes) for classes in (tuple(names), named))
        made[name] = Against(
            seeds=len(first),
            overall=whole.overall,
            worst=whole.worst,
            hard=hard.balanced,
            named=named,
            classes=(names[whole.worst_classes[0]], names[whole.worst_classes[1]]),
            base=float(np.mean([run.worst["accuracy"] for run in first if run.worst])),
            p=float(p[name]) if all(name_of(each, SEEDS[0]) in found for each in (BASE, name)) else None,
        )
    return made


def compared(first: Sequence[Run], last: Sequence[Run], classes: Sequence[str]) -> Comparison:
    """Robust accuracy on these classes, last less first, at the corrected level; images and seeds crossed."""
    one, two = ([robust(run, classes) for run in side] for side in (first, last))
    return compare(one, two, len(first[0].manifest["data"]["classes"]), 0, level=LEVEL)


def both(found: Mapping[str, Run], name: str) -> tuple[list[Run], list[Run]]:
    """The runs of TRADES and of a method, of the seeds that both have."""
    seeds = [seed for seed in SEEDS if name_of(name, seed) in found and name_of(BASE, seed) in found]
    return [found[name_of(BASE, seed)] for seed in seeds], [found[name_of(name, seed)] for seed in seeds]


def robust(run: Run, classes: Sequence[str]) -> Scores:
    """The images of these classes, right or wrong under attack."""
    found = scores(run.manifest["threats"], run.rows)["robust"]
    kept = np.isin(np.array(run.manifest["data"]["classes"])[found.label], classes)
    return Scores(found.sample[kept], found.label[kept], found.score[kept])


def differences(found: Mapping[str, Against]) -> Iterator[Row]:
    """A row for each method; with fewer seeds than planned for a leading one, or with one, it is described."""
    for name, each in found.items():
        judged = name in LEADING and each.seeds == len(SEEDS)
        yield {
            "method": name,
            "seeds": each.seeds,
            "interval over": "images, seeds" if each.seeds > 1 else "images only",
            "worst class": limited(each.worst),
            "from, to": ", ".join(each.classes),
            mean_of(each.named): limited(each.hard),
            "robust, all images": limited(each.overall),
            f"these two models, seed {SEEDS[0]}: Holm's p of {len(METHODS) - 1}": "-"
            if each.p is None
            else f"{each.p:.2g}",
            "verdict": each.says if judged else "(described)",
        }


def mean_of(classes: Sequence[str]) -> str:
    """The title of a column."""
    return f"mean of {', '.join(classes)}"


def p_overall(found: Mapping[str, Run], name: str) -> float:
    """Exact McNemar over all images of the first seed; 1 where one is missing."""
    pair = [found.get(name_of(which, SEEDS[0])) for which in (BASE, name)]
    if pair[0] is None or pair[1] is None:
        return 1.0
    first, last = (robust(run, run.manifest["data"]["classes"]).score == 1 for run in pair if run)
    return float(mcnemar(np.array((first & ~last).sum()), np.array((~first & last).sum())))


def ours_claim(found: Mapping[str, Against]) -> str:
    """Rule 4: whether our own policy earns its place."""
    each, what = found.get(OURS), f"Our own policy ({OURS})"
    seeds = each.seeds if each else 0
    if each is None or seeds < len(SEEDS):
        return f"{what}: not decided, {seeds} of {len(SEEDS)} seeds are there and robust."
    if each.says.startswith("raised") and each.worst.value >= GAIN and each.overall.low > COST:
        says = "earns its place"
    elif each.worst.high < GAIN or each.overall.high < COST:
        says = "does not earn its place"
    else:
        says = "is not seen to earn its place"
    return (
        f"{what} {says}: worst class {limited(each.worst)} ({each.says}), a raise of at least {100 * GAIN:g} asked "
        f"for; on average {limited(each.overall)}, a lower limit above {100 * COST:g} asked for."
    )


def beside_control(found: Mapping[str, Run]) -> Iterator[Row]:
    """The methods that shrink the radius less the control, which does nothing else, at the first seed."""
    first = found.get(name_of(CONTROL, SEEDS[0]))
    for name in CONTROLLED:
        last = found.get(name_of(name, SEEDS[0]))
        if first and last:
            names = tuple(first.manifest["data"]["classes"])
            named = hard_of(names).classes
            whole, hard = (compared([first], [last], classes) for classes in (names, named))
            yield {
                "method": name,
                "worst class": limited(whole.worst),
                "from, to": ", ".join(names[each] for each in whole.worst_classes),
                mean_of(named): limited(hard.balanced),
                "robust, all images": limited(whole.overall),
            }
