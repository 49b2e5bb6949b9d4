"""The study's rule for fake gains, the paired figure and the logits' scale, and how often it flags plain models."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from scipy.special import ndtr, ndtri

from weakspot.analysis.class_means import Estimate
from weakspot.analysis.fake_gain import FakeGain
from weakspot.analysis.paired import holm
from weakspot.recipes.longtail_runs import (
    FIRST,
    LEADING,
    ONCE,
    OTHER_RATIOS,
    PLANTED,
    POLICIES,
    POST_HOC,
    RATIO,
    SEEDS,
    TUNED,
    name_of,
)
from weakspot.recipes.longtail_tables import counted, faked
from weakspot.recipes.sweeps import Swept
from weakspot.recipes.tables import Row, percent, share
from weakspot.run import Run

BASE = "pgd-at"
FAMILY = (*(name for name in LEADING if name not in (BASE, "trades")), *POST_HOC, *ONCE, *TUNED)
"""The methods of the fake gain's correction; the others are judged beside it, without one."""
BESIDE = ("trades", "balanced", *PLANTED)
ALPHA = 0.05
FAKE = "fake by scale"
UNSCALED = ("pgd-at", "trades", "balanced", "at-bsl", "la")
"""Trained with plain logits that nothing changes at inference."""


def p_value(found: Estimate) -> float:
    """Two-sided p of "it is 0", from a 95 % interval as if it were normal."""
    error = (found.high - found.low) / (2 * ndtri(0.975))
    return float(2 * ndtr(-abs(found.value) / error))


def corrected(p: Mapping[str, float], family: Sequence[str]) -> dict[str, float]:
    """Holm's p of those that are there; the planned ones that are missing count as p = 1."""
    adjusted = holm(np.array([p.get(name, 1.0) for name in family]))
    return {name: float(each) for name, each in zip(family, adjusted, strict=True) if name in p}


def by_scale(name: str, swept: Mapping[str, Swept]) -> bool | None:
    """Whether another scale lowers the accuracy by more than a point, beyond chance; None where it was not tried."""
    return swept[name].by_scale if name in swept else None


@dataclass(frozen=True)
class Judged:
    """A model at the first seed against plain adversarial training of that seed."""

    gain: FakeGain
    p: float | None
    """After Holm's correction; None for models beside the family."""
    scale: bool | None
    """What its sweep says; None without one."""

    @property
    def says(self) -> str:
        """The verdict of the rule."""
        overall = self.gain.overall
        seen = overall.low > 0 if self.p is None else self.p < ALPHA and overall.value > 0
        return verdict(seen, self.scale)


def judge(found: Mapping[str, Run], swept: Mapping[str, Swept]) -> dict[str, Judged]:
    """The methods of the family that are there, then those beside it."""
    base = found.get(name_of(BASE))
    if base is None:
        return {}
    made = {name: faked(base, found[name_of(name)]) for name in (*FAMILY, *BESIDE) if name_of(name) in found}
    p = corrected({name: p_value(made[name].overall) for name in FAMILY if name in made}, FAMILY)
    return {name: Judged(gain, p.get(name), by_scale(name_of(name), swept)) for name, gain in made.items()}


def gains(judged: Mapping[str, Judged]) -> Iterator[Row]:
    """A row for each model, with the verdict of the rule."""
    for name, each in judged.items():
        yield {
            "run": name_of(name),
            "gain, PGD-20": share(each.gain.weak),
            "gain, both": share(each.gain.strong),
            "fake gain": percent(vars(each.gain.overall), "value"),
            "Holm's p": "-" if each.p is None else f"{each.p:.2g}",
            "by scale": {True: "yes", False: "no", None: "-"}[each.scale],
            "verdict": each.says if each.p is not None else f"{each.says} *",
        }


def verdict(seen: bool, scale: bool | None) -> str:
    """The rule's words."""
    if not seen:
        return "not seen" if not scale else "not seen, though the scale matters"
    return {True: FAKE, False: "fake, reason unknown", None: "fake, scale not tried"}[scale]


def stable(found: Mapping[str, Run]) -> Iterator[Row]:
    """The fake gain of each leading method by seed, and whether all intervals are above 0; by imbalance, described."""
    for ratio, name in product((RATIO, *OTHER_RATIOS), LEADING):
        pairs = {seed: [found.get(name_of(each, seed, ratio)) for each in (BASE, name)] for seed in SEEDS}
        made = {seed: faked(one, two) for seed, (one, two) in pairs.items() if one and two}
        if name == BASE or not made:
            continue
        above = all(each.overall.low > 0 for each in made.values())
        says = "-" if len(made) < len(SEEDS) else "yes" if above else "no"
        yield {
            "imbalance": ratio,
            "method": name,
            **{f"seed {seed}": percent(vars(made[seed].overall), "value") if seed in made else "-" for seed in SEEDS},
            "gains, PGD-20": ", ".join(share(each.weak) for each in made.values()),
            "all attacks": ", ".join(share(each.strong) for each in made.values()),
            "stable": says if ratio == RATIO else f"({says})",
        }


def alarms(found: Mapping[str, Run], swept: Mapping[str, Swept]) -> Iterator[Row]:
    """How often the rule flags pairs of models whose logits nothing scales."""
    return counted(controls(), found, swept)


def controls() -> dict[str, list[tuple[str, str]]]:
    """The planned pairs (baseline, other) by their kind."""
    pairs = {f"{name}, two seeds": list(permutations((name_of(name, seed) for seed in SEEDS), 2)) for name in UNSCALED}
    for name in ("trades", "balanced"):
        pairs[f"{name} over {BASE}"] = [(name_of(BASE, seed), name_of(name, seed)) for seed in SEEDS]
    return pairs


def sweeps_wanted() -> tuple[str, ...]:
    """The runs whose logit scales are swept."""
    three = [name_of(name, seed) for seed in SEEDS for name in (*LEADING, "balanced")]
    return (*three, *(name_of(name, FIRST) for name in (*POST_HOC, *PLANTED, *ONCE, *TUNED, *POLICIES)))
