"""What the study says of natural accuracy, of what limits robustness, and of RoBal and its rivals."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from weakspot.analysis.arrays import ratio
from weakspot.analysis.class_means import Estimate, evenly, weighted
from weakspot.analysis.compare import Comparison, compare
from weakspot.analysis.measures import Measure
from weakspot.analysis.paired import mcnemar
from weakspot.analysis.scores import Scores, scores
from weakspot.recipes.longtail_gains import ALPHA, BASE, FAMILY, corrected
from weakspot.recipes.longtail_runs import AT_ALL_RATIOS, OTHER_RATIOS, RATIO, SEEDS, name_of
from weakspot.recipes.longtail_tables import survivals
from weakspot.recipes.tables import Row, limited, percent, signed
from weakspot.run import Run

RAISING = (*FAMILY, "trades")
RIVALS = ("la", "at-bsl")
LEVEL = 1 - ALPHA / 4
"""Bonferroni's over RoBal's two forms against two rivals."""


def correct(run: Run, condition: str) -> np.ndarray:
    """Correctness of each sample, "clean" or "robust"."""
    return run.rows.of("clean").correct if condition == "clean" else survivals(run)[1]


def changed(base: Run, run: Run, condition: str) -> tuple[float, float]:
    """The difference in accuracy over all images, and the p of the exact McNemar test."""
    before, after = correct(base, condition), correct(run, condition)
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    return (gained - lost) / len(before), float(mcnemar(np.array(lost), np.array(gained)))


def against(
    found: Mapping[str, Run], base: str, names: Sequence[str], condition: str
) -> dict[str, tuple[float, float]]:
    """Each of the family's runs that are there: its difference to the base, and Holm's p."""
    if base not in found:
        return {}
    made = {name: changed(found[base], found[name_of(name)], condition) for name in names if name_of(name) in found}
    p = corrected({name: each[1] for name, each in made.items()}, names)
    return {name: (each[0], p[name]) for name, each in made.items()}


def raised(found: Mapping[str, Run]) -> Iterator[Row]:
    """Clean and robust accuracy of each method against plain adversarial training."""
    clean, robust = (against(found, name_of(BASE), RAISING, condition) for condition in ("clean", "robust"))
    for name in clean:
        yield {
            "run": name_of(name),
            "clean": signed(clean[name][0]),
            "Holm's p": f"{clean[name][1]:.2g}",
            "raised": seen(clean[name]),
            "robust": signed(robust[name][0]),
            "Holm's p, robust": f"{robust[name][1]:.2g}",
            "raised, robust": seen(robust[name]),
        }


def easily(found: Mapping[str, Run]) -> str:
    """The verdict on the source's first finding, as far as the runs that are there decide it."""
    made = [against(found, name_of(BASE), RAISING, condition) for condition in ("clean", "robust")]
    clean, robust = (sum(seen(each) == "yes" for each in one.values()) for one in made)
    planned = len(RAISING)
    missing = planned - len(made[0])
    holds = clean > robust + missing and 2 * clean >= planned
    contradicted = 4 * (clean + missing) < planned
    says = (
        "holds" if holds else "is contradicted" if contradicted else "is not decided" if missing else "is not resolved"
    )
    return (
        f"Clean accuracy is seen raised by {clean} of {planned} models, robust accuracy by {robust}; {missing} are "
        f"missing: the finding {says}. The planted, whose decisions are those of their base, do not count."
    )


def limits(found: Mapping[str, Run]) -> Iterator[Row]:
    """Boundary error less natural error in the tail group, by imbalance, method and seed."""
    for each in sorted((RATIO, *OTHER_RATIOS)):
        for name in AT_ALL_RATIOS:
            runs = {seed: found.get(name_of(name, seed, each)) for seed in SEEDS}
            made = {seed: excess(run) for seed, run in runs.items() if run}
            if not made:
                continue
            yield {
                "imbalance": each,
                "method": name,
                **{f"seed {seed}": percent(vars(made[seed]), "value") if seed in made else "-" for seed in SEEDS},
                "limits": limiting(list(made.values())),
            }


def limiting(made: Sequence[Estimate]) -> str:
    """Which error limits, if all seeds say so."""
    if len(made) < len(SEEDS):
        return "-"
    if all(each.low > 0 for each in made):
        return "boundary error"
    return "natural error" if all(each.high < 0 for each in made) else "neither"


def excess(run: Run) -> Estimate:
    """Boundary less natural error, paired by image and meaned over the classes of the tail."""
    imbalance = run.summary["imbalance"]
    assert imbalance is not None, "the run was trained on a long tail"
    clean, robust, label = correct(run, "clean"), correct(run, "robust"), run.rows.of("clean").label
    each = (clean & ~robust).astype(float) - ~clean
    classes = len(imbalance["members"])
    samples = np.bincount(label, minlength=classes)
    mean = ratio(np.bincount(label, each, minlength=classes), samples)
    # As for the fake gain: one more of either kind, so that no error at all is not taken for certainty.
    square = (np.bincount(label, each**2, minlength=classes) + 1) / (samples + 2)
    variance = ratio(np.maximum(square - np.nan_to_num(mean) ** 2, 1 / (samples + 2)), samples)
    tail = np.array([group == "tail" for group in imbalance["members"]])
    return weighted(mean, variance, evenly(tail, samples))


def rivals(found: Mapping[str, Run]) -> Iterator[Row]:
    """RoBal against the methods that do less, over the seeds that both have."""
    for each in (RATIO, *sorted(OTHER_RATIOS)):
        for name in ("robal-n", "robal-r"):
            for rival in RIVALS if each == RATIO else ("at-bsl",):
                pairs = [
                    (found.get(name_of(rival, seed, each)), found.get(name_of(name, seed, each))) for seed in SEEDS
                ]
                there = [(one, two) for one, two in pairs if one and two]
                if not there:
                    continue
                sides = [one for one, _ in there], [two for _, two in there]
                made = crossed(*sides, groups=("head", "medium", "tail"))
                yield {
                    "imbalance": each,
                    "RoBal": name,
                    "against": rival,
                    "seeds": len(there),
                    "robust, all images": limited(made.overall),
                    "verdict": judged(made.overall, len(there), each),
                    "tail group": limited(crossed(*sides, groups=("tail",)).balanced),
                    "worst class": limited(made.worst),
                }


def crossed(
    first: Sequence[Run],
    last: Sequence[Run],
    groups: Sequence[str],
    *,
    level: float = LEVEL,
    condition: str = "robust",
) -> Comparison:
    """Accuracy on these groups of classes of the first runs' tail, last less first; images and seeds crossed.

    Args:
        first: One run of each seed, trained on a long tail.
        last: The same seeds.
        groups: Of "head", "medium" and "tail".
        level: Of the intervals; by default the corrected one of RoBal and its rivals.
        condition: "robust" or "clean".

    """
    imbalance = first[0].summary["imbalance"]
    assert imbalance is not None, "the run was trained on a long tail"
    part = np.isin(imbalance["members"], groups)
    one, two = ([of_classes(run, part, condition) for run in side] for side in (first, last))
    return compare(one, two, len(part), 0, level=level)


def of_classes(run: Run, part: np.ndarray, condition: str) -> Scores:
    """The images of some classes (K,), right or wrong."""
    found = scores(run.manifest["threats"], run.rows)[condition]
    kept = part[found.label]
    return Scores(found.sample[kept], found.label[kept], found.score[kept])


def judged(found: Measure, seeds: int, ratio: int) -> str:
    """The verdict, which needs all seeds; the other imbalances are described."""
    if ratio != RATIO:
        return "(described)"
    return "-" if seeds < len(SEEDS) else better(found)


def better(found: Measure) -> str:
    """The verdict."""
    return "better" if found.low > 0 else "worse" if found.high < 0 else "not resolved"


def seen(each: tuple[float, float]) -> str:
    """Whether a difference is a gain beyond chance, or a loss."""
    value, p = each
    return "no" if p >= ALPHA else "yes" if value > 0 else "lowered"
