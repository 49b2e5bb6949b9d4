"""The trainings as published, each with the numbers of its table; the long tail and SPAT first.

Every setting and number is one of docs/studies/published-plan.md, whose table the tests hold against this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weakspot.recipes.study import Trained

CLEAN, CLEAN_WORST, PGD, PGD_TAIL, AUTOATTACK, AUTOATTACK_WORST, AUTOATTACK_TAIL, DOG_AS_CAT = (
    "clean", "clean, worst class", "PGD-20", "PGD-20, tail", "AutoAttack", "AutoAttack, worst class",
    "AutoAttack, tail", "dog as cat, PGD-20",
)  # fmt: skip
"""What a number is of. The tail: the four fifths of the classes that are rarest."""


@dataclass(frozen=True)
class Published:
    """A run as its authors trained it, and their numbers in per cent."""

    run: Trained
    numbers: Mapping[str, float]
    source: str
    selected: bool = False
    """Whether they chose the epoch by test images; here the last one is taken."""


TRAINING: Mapping[str, Any] = {
    "model": "resnet18", "radius": "linf:8/255", "batch": 128, "weight_decay": 5e-4, "average": 0.0, "validation": 0.0,
    "validation_steps": 10, "select": "last", "seed": 0,
}  # fmt: skip
LT, LT_100 = "+lt=50", "+lt=10"
WRN_28, WRN_34 = {"model": "wrn-28-10"}, {"model": "wrn-34-10"}
AT_BSL = {"epochs": 100, "schedule": "at-bsl"}
ROBAL = {"epochs": 80, "schedule": "robal", "batch": 64}
PANG = {"epochs": 110, "schedule": "step"}
RICE = {"epochs": 200, "schedule": "rice", "model": "preact-resnet18", "validation": 0.02}
ZHANG = {"epochs": 76, "schedule": "trades", "weight_decay": 2e-4}
EPS = {"radius": "linf:0.031"}
SPAT = {**AT_BSL, **EPS, "weight_decay": 2e-4}
CFA = {"average": 0.999}
"""CFA averages by a decay of its own; 0 would be refused."""
SHARED = {"lr": 0.1 / 7, "weight_decay": 7 * 5e-4}
"""SGD on TRADES divided by 1 + beta, as CFA's code has it, is SGD on TRADES with these."""
AUTOAUGMENT, RANDAUGMENT, ROBUST_LT = {"augment": "autoaugment"}, {"augment": "randaugment"}, {"policy": "robust-lt"}
STEP = 0.25
"""PGD-20's step as a share of the radius, 2/255 of 8/255; SPAT's is a tenth."""


def trained(
    name: str,
    method: str,
    *options: Mapping[str, Any],
    data: str = "cifar10",
    part: str = "",
    step: float = STEP,
    audited: str = "",
) -> Trained:
    """A training with its audit on all test images, at the radius of the training unless another one is given."""
    training: dict[str, Any] = dict(TRAINING)
    for each in options:
        training.update(each)
    audit = {
        "threats": (f"pgd(step={step})", "autoattack"), "limit": 10_000, "radius": audited or training["radius"],
    }  # fmt: skip
    return Trained(name, method, data, training, audit, part)


def attacked(clean: float, pgd: float, autoattack: float) -> dict[str, float]:
    """Accuracies of a long-tailed table."""
    return {CLEAN: clean, PGD: pgd, AUTOATTACK: autoattack}


def tailed(clean: float, pgd: tuple[float, float], autoattack: tuple[float, float] | None = None) -> dict[str, float]:
    """Accuracies of RobustLT's table, of all classes and of the tail."""
    found = {CLEAN: clean, PGD: pgd[0], PGD_TAIL: pgd[1]}
    return found if autoattack is None else {**found, AUTOATTACK: autoattack[0], AUTOATTACK_TAIL: autoattack[1]}


def fair(clean: float, clean_worst: float, robust: float, worst: float) -> dict[str, float]:
    """Averages and worst classes of DAFA's table."""
    return {CLEAN: clean, CLEAN_WORST: clean_worst, AUTOATTACK: robust, AUTOATTACK_WORST: worst}


def last(average: float, worst: float) -> dict[str, float]:
    """The last epoch's columns of CFA's table."""
    return {AUTOATTACK: average, AUTOATTACK_WORST: worst}


RERUN, THEIR_LT = "a third party's run of AT-BSL's code", "RobustLT, arXiv:2605.13395"
THEIR_CFA, THEIR_DAFA = "CFA, arXiv:2303.14460", "rucy74/DAFA"
THEIR_TABLE = "MTandHJ/PyTorch-Robust"

PUBLISHED: tuple[Published, ...] = (
    Published(trained("at-bsl", "at-bsl", AT_BSL, part=LT), attacked(68.17, 36.93, 33.04), RERUN, selected=True),
    Published(
        trained("at-bsl-ra", "at-bsl", AT_BSL, RANDAUGMENT, part=LT),
        attacked(69.76, 38.09, 33.76), RERUN, selected=True,
    ),
    Published(
        trained("spat", "spat", SPAT, step=0.1, audited="linf:8/255"), {DOG_AS_CAT: 30.6}, "SPAT, arXiv:2210.15068"
    ),
    Published(trained("pgd-at-wrn", "pgd-at", AT_BSL, WRN_28, part=LT), tailed(58.25, (27.28, 13.71)), THEIR_LT),
    Published(
        trained("robust-lt-wrn", "pgd-at", AT_BSL, WRN_28, ROBUST_LT, part=LT),
        tailed(61.59, (28.97, 16.36)), THEIR_LT,
    ),
    Published(
        trained("robal-r-wrn", "robal-r", ROBAL, WRN_28, part=LT),
        tailed(72.73, (32.29, 22.19), (28.92, 18.58)), THEIR_LT,
    ),
    Published(
        trained("at-bsl-wrn", "at-bsl", AT_BSL, WRN_28, AUTOAUGMENT, part=LT),
        tailed(77.09, (37.98, 28.60), (34.57, 24.84)), THEIR_LT,
    ),
    Published(
        trained("at-bsl-robust-lt-wrn", "at-bsl", AT_BSL, WRN_28, AUTOAUGMENT, ROBUST_LT, part=LT),
        tailed(77.61, (42.11, 35.98), (37.49, 30.70)), THEIR_LT,
    ),
    Published(
        trained("at-bsl-100", "at-bsl", AT_BSL, WRN_34, data="cifar100", part=LT_100),
        attacked(49.83, 19.99, 18.14), RERUN, selected=True,
    ),
    Published(
        trained("at-bsl-100-aua", "at-bsl", AT_BSL, WRN_34, AUTOAUGMENT, data="cifar100", part=LT_100),
        attacked(53.15, 25.12, 21.40), RERUN, selected=True,
    ),
    Published(trained("pgd-at", "pgd-at", PANG), {CLEAN: 84.15, AUTOATTACK: 48.72}, THEIR_TABLE),
    Published(trained("trades", "trades", PANG), {CLEAN: 82.62, AUTOATTACK: 49.47}, THEIR_TABLE),
    Published(
        trained("pgd-at-rice", "pgd-at", {"epochs": 200, "schedule": "rice"}), {CLEAN: 84.96, AUTOATTACK: 41.23},
        THEIR_TABLE,
    ),
    Published(trained("trades-76", "trades", ZHANG), {CLEAN: 82.04, AUTOATTACK: 48.39}, THEIR_TABLE),
    Published(trained("trades-031", "trades", PANG, EPS), fair(82.04, 65.70, 49.80, 21.31), THEIR_DAFA),
    Published(
        trained("dafa-031", "trades", PANG, EPS, {"policy": "dafa"}), fair(81.63, 67.90, 49.05, 30.53), THEIR_DAFA
    ),
    Published(trained("pgd-at-200", "pgd-at", RICE), last(43.0, 15.5), THEIR_CFA),
    Published(trained("cfa-200", "pgd-at", RICE, CFA, {"policy": "cfa"}), last(47.7, 20.5), THEIR_CFA),
    Published(trained("trades-200", "trades", RICE, SHARED), last(46.9, 18.5), THEIR_CFA),
    Published(
        trained("trades-cfa-200", "trades", RICE, CFA, {"policy": "cfa(shrink=True)"}), last(49.3, 21.5), THEIR_CFA
    ),
    Published(
        trained("trades-wrn", "trades", ZHANG, WRN_34, EPS), {CLEAN: 84.92, AUTOATTACK: 53.08}, "RobustBench"
    ),
)  # fmt: skip

PRIMARY = tuple(each.run.name for each in PUBLISHED)[:10]
"""The runs of the primary endpoint: long tails and SPAT."""
ROBUST = (PGD, AUTOATTACK, DOG_AS_CAT)
"""The figures of the primary endpoint."""


def runs() -> tuple[Trained, ...]:
    """All of them, in the order in which they are done."""
    return tuple(each.run for each in PUBLISHED)
