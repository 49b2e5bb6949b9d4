"""What the study says of single classes: rare or hard, balanced or not, and with a class-fair policy."""

from collections.abc import Iterator, Mapping, Sequence

import weakspot
from weakspot.recipes.longtail_gains import ALPHA, BASE
from weakspot.recipes.longtail_runs import ORDERS, POLICIES, SEEDS, name_of
from weakspot.recipes.longtail_verdicts import against
from weakspot.recipes.tables import Row, percent, share, signed
from weakspot.report.rarity import Limited
from weakspot.run import Run

ORDERED = (name_of(BASE), *(name_of(f"{BASE}-order{order}") for order in ORDERS))
"""One method with four orders of the tail."""


def rare_or_hard(found: Mapping[str, Run], names: Sequence[str] = ORDERED) -> list[str]:
    """The split of what makes classes weak, over the runs `names` with different orders of the tail, in sentences."""
    if any(name not in found for name in names):
        return ["Not all orders are run."]
    made = weakspot.rare_or_hard(*(found[name] for name in names)).summary
    hard, rare, rest, slope = (percent(made[part], "value") for part in ("hard", "rare", "rest", "slope"))
    costs = (made["slope"]["low"] or 0) > 0
    more, less = above(made["hard"], made["rare"]), above(made["rare"], made["hard"])
    order = "hard more than rare" if more else "rare more than hard" if less else "not told apart"
    hardness = zip(made["classes"], made["hardness"], strict=True)
    listed = ", ".join(f"{name} {signed(one['value'])}" for name, one in hardness)
    return [
        f"Of the variance of robust accuracy over runs and classes {hard} % belongs to the class (hard), {rare} % to "
        f"its training count (rare), {rest} % to neither; ten times the images bring {slope} points (the intervals "
        f"resample images, not trainings). Rarity costs: {'yes' if costs else 'not seen'}; {order}.",
        "",
        f"Hardness at the mean count, in points: {listed}.",
    ]


def above(one: Limited, two: Limited) -> bool:
    """Whether the whole interval of `one` lies above that of `two`."""
    return one["low"] is not None and two["high"] is not None and one["low"] > two["high"]


def even(found: Mapping[str, Run]) -> Iterator[Row]:
    """Robust accuracy of each class by seed, trained on the tail and on as many images of equal classes."""
    runs = {f"{name}, {seed}": found.get(name_of(name, seed)) for name in (BASE, "balanced") for seed in SEEDS}
    there = {name: run for name, run in runs.items() if run}
    entries = {name: run.classes for name, run in there.items()}
    for name in next(iter(there.values())).summary["data"]["classes"] if there else ():
        at = {run: next(each for each in entries[run] if each["name"] == name) for run in there}
        yield {"class": name, **{run: share(each["accuracy"]) for run, each in at.items()}}


def policies(found: Mapping[str, Run], base: str) -> Iterator[Row]:
    """Class-fair policies against their base without one."""
    made = against(found, name_of(base), tuple(POLICIES), "robust")
    for name in ([base] if made else []) + list(made):
        run = found[name_of(name)]
        yield {
            "run": name_of(name),
            "robust": percent(run.robust),
            "difference": signed(made[name][0]) if name in made else "-",
            "Holm's p": f"{made[name][1]:.2g}" if name in made else "-",
            "seen": "-" if name not in made else "yes" if made[name][1] < ALPHA else "no",
            "worst class": "-" if run.worst is None else f"{run.worst['name']} {percent(run.worst)}",
        }
