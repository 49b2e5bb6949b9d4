"""The trainings as published, each with the numbers of its table; the long tail and SPAT first.

Every setting and number is one of docs/studies/published-plan.md, whose table the tests hold against this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weakspot.recipes.study import Adjusted, Trained

CLEAN, CLEAN_WORST, PGD, PGD_TAIL, AUTOATTACK, AUTOATTACK_WORST, AUTOATTACK_TAIL, DOG_AS_CAT, FGSM, CW = (
    "clean", "clean, worst class", "PGD-20", "PGD-20, tail", "AutoAttack", "AutoAttack, worst class",
    "AutoAttack, tail", "dog as cat, PGD-20", "FGSM", "CW-PGD-20",
)  # fmt: skip
"""What a number is of. The tail: the four fifths of the classes that are rarest."""


@dataclass(frozen=True)
class Published:
    """A run as its authors trained it, or its model adjusted, and their numbers in per cent."""

    run: Trained | Adjusted
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
LONG = {"epochs": 200, "schedule": "rice"}
HELD = {"validation": 0.02}
RICE = {**LONG, **HELD, "model": "preact-resnet18"}
ZHANG = {"epochs": 76, "schedule": "trades", "weight_decay": 2e-4}
EPS = {"radius": "linf:0.031"}
SPAT = {**AT_BSL, **EPS, "weight_decay": 2e-4}
CFA = {"average": 0.999}
"""CFA averages by a decay of its own; 0 would be refused."""
EMA = {"average": 0.99958}
"""CFA's 0.85 an epoch, of 383 steps."""
SHARED = {"lr": 0.1 / 7, "weight_decay": 7 * 5e-4}
"""SGD on TRADES divided by 1 + beta, as CFA's code has it, is SGD on TRADES with these."""
AUTOAUGMENT, RANDAUGMENT, ROBUST_LT = {"augment": "autoaugment"}, {"augment": "randaugment"}, {"policy": "robust-lt"}
MART = {"epochs": 120, "schedule": "mart", "lr": 0.01, "weight_decay": 3.5e-3}
ATTACKS = ("fgsm", "cw-pgd")
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
    more: tuple[str, ...] = (),
) -> Trained:
    """A training with its audit on all test images, at the radius of the training unless another one is given."""
    training: dict[str, Any] = dict(TRAINING)
    for each in options:
        training.update(each)
    audit = {
        "threats": (f"pgd(step={step})", "autoattack", *more), "limit": 10_000,
        "radius": audited or training["radius"],
    }  # fmt: skip
    return Trained(name, method, data, training, audit, part)


def attacked(clean: float, fgsm: float, pgd: float, cw: float, autoattack: float) -> dict[str, float]:
    """Accuracies of a long-tailed table."""
    return {CLEAN: clean, PGD: pgd, AUTOATTACK: autoattack, FGSM: fgsm, CW: cw}


def averages(clean: float, autoattack: float) -> dict[str, float]:
    """Accuracies of a table without classes."""
    return {CLEAN: clean, AUTOATTACK: autoattack}


def tailed(clean: float, pgd: tuple[float, float], autoattack: tuple[float, float] | None = None) -> dict[str, float]:
    """Accuracies of RobustLT's table, of all classes and of the tail."""
    found = {CLEAN: clean, PGD: pgd[0], PGD_TAIL: pgd[1]}
    return found if autoattack is None else {**found, AUTOATTACK: autoattack[0], AUTOATTACK_TAIL: autoattack[1]}


def fair(clean: float, clean_worst: float, robust: float, worst: float) -> dict[str, float]:
    """Averages and worst classes of DAFA's table."""
    return {CLEAN: clean, CLEAN_WORST: clean_worst, AUTOATTACK: robust, AUTOATTACK_WORST: worst}


def last(average: float, worst: float) -> dict[str, float]:
    """AutoAttack's columns alone: the last epoch's of CFA's table, and of DAFA's for CIFAR-100."""
    return {AUTOATTACK: average, AUTOATTACK_WORST: worst}


RERUN, THEIR_LT = "a third party's run of AT-BSL's code", "RobustLT, arXiv:2605.13395"
THEIR_CFA, THEIR_DAFA = "CFA, arXiv:2303.14460", "rucy74/DAFA"
THEIR_TABLE = "MTandHJ/PyTorch-Robust"

PUBLISHED: tuple[Published, ...] = (
    Published(
        trained("at-bsl", "at-bsl", AT_BSL, part=LT, more=ATTACKS),
        attacked(68.17, 41.42, 36.93, 34.91, 33.04), RERUN, selected=True,
    ),
    Published(
        trained("at-bsl-ra", "at-bsl", AT_BSL, RANDAUGMENT, part=LT, more=ATTACKS),
        attacked(69.76, 42.47, 38.09, 35.86, 33.76), RERUN, selected=True,
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
        trained("awp-wrn", "pgd-at+awp(gamma=0.005)", LONG, WRN_28, part=LT), tailed(59.66, (28.50, 14.90)), THEIR_LT
    ),
    Published(
        trained("awp-robust-lt-wrn", "pgd-at+awp(gamma=0.005)", LONG, WRN_28, ROBUST_LT, part=LT),
        tailed(65.22, (29.11, 16.46)), THEIR_LT,
    ),
    Published(
        trained("robal-r-wrn", "robal-r(one_sided=False)", ROBAL, WRN_28, part=LT, more=ATTACKS[1:]),
        {**tailed(72.73, (32.29, 22.19), (28.92, 18.58)), CW: 31.29}, THEIR_LT,
    ),
    Published(
        trained("robal-r-robust-lt-wrn", "robal-r(one_sided=False)", ROBAL, WRN_28, ROBUST_LT, part=LT),
        tailed(74.63, (36.08, 29.19), (31.03, 23.53)), THEIR_LT,
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
        trained("at-bsl-100", "at-bsl", AT_BSL, WRN_34, data="cifar100", part=LT_100, more=ATTACKS),
        attacked(49.83, 23.40, 19.99, 19.58, 18.14), RERUN, selected=True,
    ),
    Published(
        trained("at-bsl-100-aua", "at-bsl", AT_BSL, WRN_34, AUTOAUGMENT, data="cifar100", part=LT_100, more=ATTACKS),
        attacked(53.15, 28.08, 25.12, 23.45, 21.40), RERUN, selected=True,
    ),
    Published(trained("pgd-at", "pgd-at", PANG), averages(84.15, 48.72), THEIR_TABLE),
    Published(trained("trades", "trades", PANG), averages(82.62, 49.47), THEIR_TABLE),
    Published(trained("pgd-at-rice", "pgd-at", LONG, HELD), averages(84.96, 41.23), THEIR_TABLE),
    Published(
        trained("pgd-at-light", "pgd-at", LONG, {"weight_decay": 2e-4}), averages(84.74, 41.20), THEIR_TABLE
    ),
    Published(trained("trades-76", "trades", ZHANG), averages(82.04, 48.39), THEIR_TABLE),
    Published(trained("mart", "mart", MART), averages(82.77, 47.29), THEIR_TABLE),
    Published(trained("awp", "pgd-at+awp", LONG), averages(82.32, 49.52), THEIR_TABLE),
    Published(trained("trades-awp", "trades(step=0.25)+awp(warmup=0.05)", LONG), averages(82.69, 51.84), THEIR_TABLE),
    Published(trained("trades-031", "trades", PANG, EPS), fair(82.04, 65.70, 49.80, 21.31), THEIR_DAFA),
    Published(
        trained("dafa-031", "trades", PANG, EPS, {"policy": "dafa"}), fair(81.63, 67.90, 49.05, 30.53), THEIR_DAFA
    ),
    Published(
        trained("trades-031-100", "trades", PANG, EPS, data="cifar100"), last(25.60, 1.33), THEIR_DAFA
    ),
    Published(
        trained("dafa-031-100", "trades", PANG, EPS, {"policy": "dafa(lam=1.5)"}, data="cifar100"),
        last(25.08, 2.33), THEIR_DAFA,
    ),
    Published(trained("pgd-at-200", "pgd-at", RICE), last(43.0, 15.5), THEIR_CFA),
    Published(trained("ema-200", "pgd-at", RICE, EMA), last(44.3, 18.1), THEIR_CFA),
    Published(trained("cfa-200", "pgd-at", RICE, CFA, {"policy": "cfa"}), last(47.7, 20.5), THEIR_CFA),
    Published(trained("trades-200", "trades(step=0.25)", RICE, SHARED), last(46.9, 18.5), THEIR_CFA),
    Published(trained("trades-ema-200", "trades(step=0.25)", RICE, SHARED, EMA), last(48.3, 20.7), THEIR_CFA),
    Published(
        trained("trades-cfa-200", "trades(step=0.25)", RICE, CFA, {"policy": "cfa(shrink=True)"}),
        last(49.3, 21.5), THEIR_CFA,
    ),
    Published(trained("trades-wrn", "trades", ZHANG, WRN_34, EPS), averages(84.92, 53.08), "RobustBench"),
    Published(
        trained("trades-awp-wrn", "trades(step=0.25)+awp(warmup=0.05)", LONG, WRN_34),
        averages(85.36, 56.17), "csdongxian/AWP",
    ),
)  # fmt: skip
"""The trainings."""

SCALED: tuple[Published, ...] = tuple(
    Published(
        Adjusted(f"{base}-x10", base, "scale(by=10)", data, {
            "threats": (f"pgd(step={STEP})",), "limit": 10_000, "radius": TRAINING["radius"],
        }),
        {PGD: number}, RERUN, selected=True,
    )
    for base, data, number in (
        ("at-bsl", "cifar10", 34.58), ("at-bsl-ra", "cifar10", 35.48),
        ("at-bsl-100", "cifar100", 21.37), ("at-bsl-100-aua", "cifar100", 24.56),
    )
)  # fmt: skip
"""PGD on ten times the logits of those models, of which no decision differs."""

PRIMARY = tuple(each.run.name for each in PUBLISHED)[:13]
"""The runs of the primary endpoint: long tails and SPAT."""
ROBUST = (PGD, AUTOATTACK, DOG_AS_CAT)
"""The figures of the primary endpoint."""


def entries() -> tuple[Published, ...]:
    """All of them, in the order in which they are done."""
    return (*PUBLISHED, *SCALED)


def runs() -> tuple[Trained | Adjusted, ...]:
    """The runs of all entries."""
    return tuple(each.run for each in entries())
