"""One score per image under clean, robust and corrupted conditions: what comparisons and gates are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from weakspot.analysis.arrays import Labels
from weakspot.analysis.corruption import image_scores
from weakspot.analysis.worst_case import ROBUST, worst_case
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes

CLEAN, CORRUPTED = "clean", "corrupted"


@dataclass(frozen=True)
class Scores:
    """How right the model is on each image, by ascending sample."""

    sample: Int[np.ndarray, " samples"]
    label: Labels
    score: Float[np.ndarray, " samples"]
    """0 or 1; under corruptions the share of them that leave the image correct."""


def scores(threats: Sequence[Mapping[str, Any]], rows: Outcomes) -> dict[str, Scores]:
    """The scores of a run under "clean", "robust" (worst case at the first radius) and "corrupted", where it has them.

    Args:
        threats: The manifest's threats: mappings with address, kind and radius, in their order.
        rows: All rows of a finished run.

    """
    found = {name: _sorted(each) for name, each in attacked(threats, rows).items()}
    corrupting = {threat["address"] for threat in threats if threat["kind"] == "corruption"}
    corrupted = rows.where(np.fromiter((threat in corrupting for threat in rows.threat), bool, len(rows)))
    if len(corrupted):
        found[CORRUPTED] = Scores(*image_scores(corrupted))
    return found


def attacked(threats: Sequence[Mapping[str, Any]], rows: Outcomes) -> dict[str, Outcomes]:
    """The rows, one per sample, under "clean" and "robust", where the run has them; arguments as of `scores`."""
    found = {}
    clean = rows.of(CLEAN)
    if len(clean):
        found[CLEAN] = clean
    if attacks := _at_first_radius(threats):
        worst = worst_case(rows, [CLEAN, *attacks])
        if len(worst):
            found[ROBUST] = worst
    return found


def alone(threats: Sequence[Mapping[str, Any]], rows: Outcomes) -> dict[str, Scores]:
    """The scores under each attack that "robust" consists of, as if it were the only one; empty where it is."""
    attacks = _at_first_radius(threats)
    if len(attacks) < 2:
        return {}
    # One pass over the names of millions of rows, and not one for each attack.
    place = {address: at for at, address in enumerate([CLEAN, *attacks])}
    which = np.fromiter((place.get(threat, -1) for threat in rows.threat), np.int64, len(rows))
    return {
        address: _sorted(worst_case(rows.where((which == 0) | (which == place[address])), [CLEAN, address]))
        for address in attacks
    }


def _at_first_radius(threats: Sequence[Mapping[str, Any]]) -> list[str]:
    """The addresses of the attacks of the first radius."""
    attacks = [threat for threat in threats if threat["kind"] == "adversarial"]
    return [threat["address"] for threat in attacks if threat["radius"] == attacks[0]["radius"]]


def _sorted(rows: Outcomes) -> Scores:
    order = np.argsort(rows.sample)
    return Scores(rows.sample[order], rows.label[order], rows.correct[order].astype(float))


def align(runs: Sequence[Scores]) -> tuple[Labels, Float[np.ndarray, "samples runs"]]:
    """The labels, and the scores of all runs side by side.

    Raises:
        InputError: the runs hold other samples or other labels, so they are not paired.

    """
    one = runs[0]
    for number, other in enumerate(runs[1:], start=2):
        if not np.array_equal(one.sample, other.sample):
            only = np.setxor1d(one.sample, other.sample)
            raise InputError(
                f"compared runs must hold the same samples; run 1 has {len(one.sample)}, run {number} has "
                f"{len(other.sample)}, {len(only)} are in one of them only (the first: {only[0]}); audit both alike"
            )
        if (one.label != other.label).any():
            first = one.sample[(one.label != other.label).argmax()]
            raise InputError(f"compared runs must hold the same labels; sample {first} differs; audit the same data")
    return one.label, np.stack([run.score for run in runs], axis=1)
