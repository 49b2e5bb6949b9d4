"""What imbalance costs: a long tail against as many images of equal classes, by docs/studies/longtail-balanced-plan.md.

The settings are those of the long tail's study, to which this adds its control at the other imbalances.
"""

from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path

from weakspot.analysis.measures import Measure
from weakspot.recipes import longtail_rules as rules
from weakspot.recipes import sweeps
from weakspot.recipes.longtail_gains import ALPHA, BASE
from weakspot.recipes.longtail_runs import AUDIT, DATA, SEEDS, TRAINING, name_of, trained
from weakspot.recipes.longtail_tables import classes, counted, models
from weakspot.recipes.longtail_verdicts import crossed
from weakspot.recipes.study import Scale, Sets, Step, Study, Trained, cost, finished, images
from weakspot.recipes.tables import Row, limited, markdown, options, to_csv
from weakspot.run import Run

RATIOS = (100, 10, 50)
"""Those that the long tail's study lacks first."""
EVEN = "balanced"
LEVEL = 1 - ALPHA / len(RATIOS)
"""Bonferroni's over the imbalances."""
GROUPS = ("head", "medium", "tail")


def runs(scale: Scale) -> tuple[Trained, ...]:
    """All of them, in the order of the plan."""
    return tuple(
        trained(scale, name, BASE, {}, seed=seed, ratio=ratio, balanced=name == EVEN)
        for ratio in RATIOS
        for seed in SEEDS
        for name in (EVEN, BASE)
    )


def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
    """A training with its audit, and its sweep behind it."""
    radius = str(AUDIT[scale]["radius"])
    pairs = ((run.step(sets), sweeps.step(run.name, DATA[scale], radius, sets)) for run in runs(scale))
    return tuple(step for pair in pairs for step in pair)


def controls() -> dict[str, list[tuple[str, str]]]:
    """The planned pairs (baseline, other) of rule 3 by their kind; nothing scales the logits of either."""
    pairs = {}
    for ratio in sorted(RATIOS):
        for name in (BASE, EVEN):
            seeds = [name_of(name, seed, ratio) for seed in SEEDS]
            pairs[f"{name}, imbalance {ratio}, two seeds"] = list(permutations(seeds, 2))
        pairs[f"{EVEN} over {BASE}, imbalance {ratio}"] = [
            (name_of(BASE, seed, ratio), name_of(EVEN, seed, ratio)) for seed in SEEDS
        ]
    return pairs


def sides(found: Mapping[str, Run], ratio: int) -> tuple[list[Run], list[Run]]:
    """The runs on the tail and on equal classes, of the seeds that have both."""
    pairs = [[found.get(name_of(name, seed, ratio)) for name in (BASE, EVEN)] for seed in SEEDS]
    there = [(one, two) for one, two in pairs if one and two]
    return [one for one, _ in there], [two for _, two in there]


def costs(found: Mapping[str, Run]) -> Iterator[Row]:
    """Equal classes less the tail: robust and clean accuracy, groups of classes and the worst one."""
    for ratio in sorted(RATIOS):
        tail, even = sides(found, ratio)
        if not tail:
            continue
        whole, clean = (crossed(tail, even, GROUPS, level=LEVEL, condition=each) for each in ("robust", "clean"))
        yield {
            "imbalance": ratio,
            "seeds": len(tail),
            "robust, all images": limited(whole.overall),
            "verdict": verdict(whole.overall, len(tail)),
            "clean": limited(clean.overall),
            **{group: limited(crossed(tail, even, (group,), level=LEVEL).balanced) for group in GROUPS},
            "worst class": limited(whole.worst),
        }


def verdict(excess: Measure, seeds: int) -> str:
    """Rule 1's words; it needs all seeds."""
    if seeds < len(SEEDS):
        return "-"
    return "imbalance costs" if excess.low > 0 else "imbalance gains" if excess.high < 0 else "not resolved"


def growth(found: Mapping[str, Run]) -> str:
    """Rule 2's words."""
    both = [sides(found, ratio) for ratio in (min(RATIOS), max(RATIOS))]
    if any(len(tail) < len(SEEDS) for tail, _ in both):
        return "Does it cost more the longer the tail? Not decided, runs are missing."
    short, long = (crossed(*each, GROUPS, level=LEVEL).overall for each in both)
    says = "grows" if long.low > short.high else "falls" if long.high < short.low else "not resolved"
    return (
        f"Does it cost more the longer the tail? {limited(short)} at {min(RATIOS)}, {limited(long)} at {max(RATIOS)}: "
        f"{says}."
    )


def pages(out: Path, scale: Scale) -> Mapping[str, str]:
    """The page, and the classes as CSV, of the runs that are there; the others are named."""
    planned = runs(scale)
    found, left = finished(planned, out)
    swept = sweeps.read_sweeps(out, list(found))
    alarms, pairs = list(counted(controls(), found, swept)), sum(len(each) for each in controls().values())
    lines = [
        "# What imbalance costs at equal size", "",
        f"Made by `weakspot reproduce longtail-balanced --scale {scale}` as [planned](longtail-balanced-plan.md): "
        f"{DATA[scale]}; {options(TRAINING[scale])}; audited on the first {AUDIT[scale]['limit']:,} test images "
        "(balanced) under PGD-20 and the default preset, seed 0. Per cent with 95 % intervals, differences in points.",
        "",
        f"{len(found)} of {len(planned)} runs. Not run: {', '.join(left) if left else 'none'}. {cost(found, out)} "
        f"{images(planned, found, out)}", "",
        f"## {EVEN} less {BASE}, intervals of {100 * LEVEL:.2f} %", "", growth(found), "",
        "Groups are thirds of the classes by their count in the tail, and each class counts alike.", "",
        *markdown(costs(found)), "",
        "## False alarms", "", rules.fit(alarms, pairs), "", *markdown(alarms), "",
        "## Models", "", *markdown(models(found)), "",
        "## PGD-20 by scale of the logits", "", *markdown(sweeps.sweep_rows(swept)), "",
    ]  # fmt: skip
    return {"longtail-balanced.md": "\n".join(lines), "longtail-balanced.csv": to_csv(classes(found))}


STUDY = Study(
    "longtail-balanced",
    "What does imbalance cost beside as many images of equal classes?",
    steps,
    pages,
    {scale: (data,) for scale, data in DATA.items()},
    partial=True,
)
