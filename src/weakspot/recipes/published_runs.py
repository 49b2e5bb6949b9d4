"""The runs that are trained as published, what can be known of each number, and the long tail first.

Every number is one of docs/studies/published-plan.md, where its source stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weakspot.recipes.study import Trained

CLEAN, CLEAN_WORST, PGD, AUTOATTACK, AUTOATTACK_WORST, DOG_AS_CAT = (
    "clean", "clean, worst class", "PGD-20", "AutoAttack", "AutoAttack, worst class", "dog as cat, PGD-20",
)  # fmt: skip
"""What a number is of."""


@dataclass(frozen=True)
class Published:
    """A run as its authors trained it, and their numbers in per cent."""

    run: Trained
    numbers: Mapping[str, float]
    source: str
    selected: bool = False
    """Whether they chose the epoch by test images; here the last one is taken."""


PREACT, LONG_TAIL_WRN = "preact-resnet18", "wrn-28-10"
TRAINING: Mapping[str, Any] = {
    "model": "resnet18", "radius": "linf:8/255", "batch": 128, "weight_decay": 5e-4, "average": 0.0, "validation": 0.0,
    "validation_steps": 5, "select": "last", "seed": 0,
}  # fmt: skip
AT_BSL = {"epochs": 100, "schedule": "at-bsl"}
ROBAL = {"epochs": 80, "schedule": "robal", "batch": 64, "weight_decay": 2e-4}
PANG = {"epochs": 110, "schedule": "step"}
RICE = {"epochs": 200, "schedule": "rice", "model": PREACT}
AUDIT: Mapping[str, Any] = {"threats": ("pgd", "autoattack"), "limit": 10_000}


def trained(name: str, method: str, *options: Mapping[str, Any], data: str = "cifar10", part: str = "") -> Trained:
    """A training with its audit at the radius of the training."""
    training: dict[str, Any] = dict(TRAINING)
    for each in options:
        training.update(each)
    return Trained(name, method, data, training, {**AUDIT, "radius": training["radius"]}, part)


def lt50(name: str, method: str, *options: Mapping[str, Any]) -> Trained:
    """On CIFAR-10 with an imbalance of 50, by the network of RobustLT's tables."""
    return trained(name, method, {"model": LONG_TAIL_WRN}, *options, part="+lt=50")


def lt100(name: str, *options: Mapping[str, Any]) -> Trained:
    """AT-BSL on CIFAR-100 with an imbalance of 10."""
    return trained(name, "at-bsl", AT_BSL, {"model": "wrn-34-10"}, *options, data="cifar100", part="+lt=10")


def attacked(clean: float, pgd: float, autoattack: float | None = None) -> dict[str, float]:
    """Accuracies of a long-tailed table."""
    return {CLEAN: clean, PGD: pgd, **({} if autoattack is None else {AUTOATTACK: autoattack})}


def fair(clean: float, clean_worst: float, robust: float, worst: float) -> dict[str, float]:
    """Averages and worst classes of DAFA's table."""
    return {CLEAN: clean, CLEAN_WORST: clean_worst, AUTOATTACK: robust, AUTOATTACK_WORST: worst}


def last(average: float, worst: float) -> dict[str, float]:
    """The last epoch's columns of CFA's table."""
    return {AUTOATTACK: average, AUTOATTACK_WORST: worst}


ROBUST_LT = {"policy": "robust-lt"}
CFA = {"policy": "cfa", "validation": 0.02, "average": 0.999}
"""It averages by its own decay."""
AUTOAUGMENT = {"augment": "autoaugment"}
EPS = {"radius": "linf:0.031"}
RERUN = "a third party's run of AT-BSL's code"
THEIR_LT, THEIR_CFA = "RobustLT, arXiv:2605.13395", "CFA, arXiv:2303.14460"
THEIR_DAFA = "figure in the repository rucy74/DAFA"
THEIR_TABLE = "MTandHJ/PyTorch-Robust"
ROBAL_NUMBERS = attacked(72.73, 32.29, 28.92)

PUBLISHED: tuple[Published, ...] = (
    Published(trained("at-bsl", "at-bsl", AT_BSL, part="+lt=50"), attacked(68.17, 36.93, 33.04), RERUN, selected=True),
    Published(
        trained("at-bsl-ra", "at-bsl", AT_BSL, {"augment": "randaugment"}, part="+lt=50"),
        attacked(69.76, 38.09, 33.76), RERUN, selected=True,
    ),
    Published(trained("spat", "spat", PANG), {DOG_AS_CAT: 30.6}, "SPAT, arXiv:2210.15068"),
    Published(lt50("pgd-at-wrn", "pgd-at", AT_BSL), attacked(58.25, 27.28), THEIR_LT),
    Published(lt50("robust-lt-wrn", "pgd-at", AT_BSL, ROBUST_LT), attacked(61.59, 28.97), THEIR_LT),
    Published(lt50("robal-n-wrn", "robal-n", ROBAL), ROBAL_NUMBERS, THEIR_LT),
    Published(lt50("robal-r-wrn", "robal-r", ROBAL), ROBAL_NUMBERS, THEIR_LT),
    Published(lt50("at-bsl-wrn", "at-bsl", AT_BSL, AUTOAUGMENT), attacked(77.09, 37.98, 34.57), THEIR_LT),
    Published(
        lt50("at-bsl-robust-lt-wrn", "at-bsl", AT_BSL, AUTOAUGMENT, ROBUST_LT), attacked(77.61, 42.11, 37.49), THEIR_LT
    ),
    Published(lt100("at-bsl-100"), attacked(49.83, 19.99, 18.14), RERUN, selected=True),
    Published(lt100("at-bsl-100-aua", AUTOAUGMENT), attacked(53.15, 25.12, 21.40), RERUN, selected=True),
    Published(trained("pgd-at", "pgd-at", PANG), {CLEAN: 84.15, AUTOATTACK: 48.72}, THEIR_TABLE),
    Published(trained("trades", "trades", PANG), {CLEAN: 82.62, AUTOATTACK: 49.47}, THEIR_TABLE),
    Published(trained("trades-031", "trades", PANG, EPS), fair(82.04, 65.70, 49.80, 21.31), THEIR_DAFA),
    Published(
        trained("dafa-031", "trades", PANG, EPS, {"policy": "dafa"}), fair(81.63, 67.90, 49.05, 30.53), THEIR_DAFA
    ),
    Published(trained("pgd-at-200", "pgd-at", RICE), last(43.0, 15.5), THEIR_CFA),
    Published(trained("cfa-200", "pgd-at", RICE, CFA), last(47.7, 20.5), THEIR_CFA),
    Published(trained("trades-200", "trades", RICE), last(46.9, 18.5), THEIR_CFA),
    Published(trained("trades-cfa-200", "trades", RICE, CFA), last(49.3, 21.5), THEIR_CFA),
    Published(
        trained(
            "trades-wrn", "trades", EPS,
            {"epochs": 76, "schedule": "trades", "model": "wrn-34-10", "weight_decay": 2e-4},
        ),
        {CLEAN: 84.92, AUTOATTACK: 53.08}, "TRADES, arXiv:1901.08573, as RobustBench measured it",
    ),
)  # fmt: skip


def runs() -> tuple[Trained, ...]:
    """All of them, in the order in which they are done."""
    return tuple(each.run for each in PUBLISHED)
