"""The pilot of the long tail: RoBal and its neighbours on Fashion-MNIST, by docs/studies/longtail-pilot-plan.md.

Source: Wu et al., Adversarial Robustness under Long-Tailed Distribution, arXiv:2104.02703.
"""

from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path

import weakspot
from weakspot.recipes import sweeps
from weakspot.recipes.longtail_classes import rare_or_hard
from weakspot.recipes.longtail_setting import AUDIT, DATA, RADIUS, STEPS, TRAINING
from weakspot.recipes.longtail_tables import classes, counted, fakes, groups, models
from weakspot.recipes.study import Adjusted, Scale, Sets, Step, Study, Trained
from weakspot.recipes.sweeps import read_sweeps, sweep_rows
from weakspot.recipes.tables import Row, markdown, percent, to_csv
from weakspot.run import Run

TAIL = "+lt=50"

RUNS = (
    Trained("pgd-at", f"pgd-at(steps={STEPS})", DATA, TRAINING, AUDIT, part=TAIL),
    Trained("trades", f"trades(steps={STEPS})", DATA, TRAINING, AUDIT, part=TAIL),
    Trained("la", f"pgd-at(steps={STEPS})", DATA, {**TRAINING, "loss": "logit-adjustment"}, AUDIT, part=TAIL),
    Trained("robal-n", f"robal-n(steps={STEPS})", DATA, TRAINING, AUDIT, part=TAIL),
    Trained("robal-r", f"robal-r(steps={STEPS})", DATA, TRAINING, AUDIT, part=TAIL),
    Trained("pgd-at-1", f"pgd-at(steps={STEPS})", DATA, {**TRAINING, "seed": 1}, AUDIT, part=TAIL),
    Trained("balanced", f"pgd-at(steps={STEPS})", DATA, TRAINING, AUDIT, part="+lt=balanced:50"),
)
CONTROLS = (
    *(Trained(f"pgd-at-{seed}", f"pgd-at(steps={STEPS})", DATA, {**TRAINING, "seed": seed}, AUDIT, part=TAIL)
      for seed in (2, 3)),
    *(Trained(f"trades-{seed}", f"trades(steps={STEPS})", DATA, {**TRAINING, "seed": seed}, AUDIT, part=TAIL)
      for seed in (1, 2, 3)),
)  # fmt: skip
"""More seeds of the plain methods, whose logits nothing scales; not in the first plan."""
ORDERS = tuple(
    Trained(f"order-{order}", f"pgd-at(steps={STEPS})", DATA, TRAINING, AUDIT, part=f"{TAIL}+lt_order={order}")
    for order in (1, 2)
)
"""Plain adversarial training with other classes in the tail; not in the first plan."""
BASE = "pgd-at"
OTHER = "trades"
"""The other plain method; each seed of it is there too."""
POST_HOC = {"cdt": "cdt(tau=0.3)", "post-la": "logit-adjustment"}
"""Inference adjustments of the base's model; nothing is trained."""
NAMES = (*(run.name for run in RUNS), *POST_HOC)
"""The runs of the first plan; `CONTROLS` and `ORDERS` were added to it after they had been seen."""


def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
    """The trainings, then the adjustments of one of them."""
    post_hoc = (Adjusted(name, BASE, adjustment, DATA, AUDIT).step(sets) for name, adjustment in POST_HOC.items())
    planned = (*(run.step(sets) for run in RUNS), *post_hoc)
    added = (run.step(sets) for run in (*CONTROLS, *ORDERS))
    return (*planned, *added, *(sweeps.step(name, DATA, RADIUS, sets) for name in swept()))


def swept() -> tuple[str, ...]:
    """The runs whose logit scales are swept: all but those with other orders of the tail."""
    return (*NAMES, *(run.name for run in CONTROLS))


def controls() -> Mapping[str, list[tuple[str, str]]]:
    """Pairs (baseline, other) of models whose logits nothing scales, by kind."""
    seeds = [BASE, *(run.name for run in (*RUNS, *CONTROLS) if run.name.startswith(f"{BASE}-"))]
    other = [name.replace(BASE, OTHER) for name in seeds]
    return {
        f"{BASE}, two seeds": list(permutations(seeds, 2)),
        f"{OTHER}, two seeds": list(permutations(other, 2)),
        f"{OTHER} over {BASE}": list(zip(seeds, other, strict=True)),
    }


def pages(out: Path, scale: Scale) -> Mapping[str, str]:
    """The page and the classes as CSV."""
    found = {name: weakspot.open_run(out / f"{name}-audit") for name in NAMES}
    added = {run.name: weakspot.open_run(run.audited(out)) for run in (*CONTROLS, *ORDERS)}
    scales = read_sweeps(out, swept())
    lines = [
        "# Pilot of the long tail", "",
        f"Made by `weakspot reproduce longtail-pilot` as [planned](longtail-pilot-plan.md): {DATA}{TAIL}, {RADIUS}, "
        f"{TRAINING}; audited on the first {AUDIT['limit']} test images (balanced) under PGD-20 and the default "
        "preset, seed 0. Per cent with 95 % intervals; groups are thirds of the classes by training count, and each "
        "class counts alike.", "",
        "## Models", "", *markdown(models(found)), "", "## Groups of classes", "", *markdown(groups(found)), "",
        "## Fake gain over plain adversarial training", "",
        "`balanced` was no control of the plan: plain adversarial training on other data, its logits untouched.", "",
        *markdown(fakes(found, BASE)), "",
        "## PGD-20 by scale of the logits", "", *markdown(sweep_rows(scales)), "",
        "## False alarms: pairs of models whose logits nothing scales", "",
        *markdown(counted(controls(), found | added, scales)), "",
        "## Rare or hard", "", *markdown(rare(found)), "",
        *rare_or_hard(found | added, (BASE, *(run.name for run in ORDERS))), "",
        "## Models added to the plan", "", *markdown(models(added)), "",
    ]  # fmt: skip
    return {"longtail-pilot.md": "\n".join(lines), "longtail-pilot.csv": to_csv(classes(found))}


def rare(found: Mapping[str, Run]) -> Iterator[Row]:
    """Each class in the tail's order, trained on the long tail and on balanced data of the same size."""
    long, even = found[BASE], found["balanced"]
    imbalance = long.summary["imbalance"]
    groups = [] if imbalance is None else imbalance["conditions"]["robust"]["groups"]
    for name in long.summary["data"]["classes"]:
        one, two = (next(each for each in run.classes if each["name"] == name) for run in (long, even))
        group = next((each["name"] for each in groups if name in each["classes"]), "-")
        yield {"class": name, "group": group, BASE: percent(one), "balanced": percent(two)}


STUDY = Study(
    "longtail-pilot",
    "RoBal and its neighbours on a long-tailed Fashion-MNIST, small.",
    steps,
    pages,
    {"cpu": ("fashion-mnist",), "gpu": ("fashion-mnist",)},
)
