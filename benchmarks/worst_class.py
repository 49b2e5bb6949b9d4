#!/usr/bin/env python3
"""How far the stated figures of the worst class hold: its probability in bins, and the coverage of its interval.

    python benchmarks/worst_class.py [--runs 200] [--draws 1000]

Draws correct counts of ten classes many times and asks `weakspot.analysis.worst_class` which class is the worst. Two
kinds of truth: fixed profiles (equal, a near tie, clear, all near 0), each named above its rows; and profiles drawn
anew for each run, for which alone a probability can be calibrated. Where several classes share the lowest true
accuracy, one of them, drawn at random, is the worst. The tables go to benchmarks/results/worst_class.{md,csv}.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weakspot.analysis.intervals import wilson
from weakspot.analysis.worst_class import worst_class

RESULT = Path(__file__).parent / "results" / "worst_class.md"
CLASSES = 10
SIZES = (50, 200, 1000)
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
DRAWN = "drawn"
PROFILES = {
    "equal": np.full(CLASSES, 0.5),
    "near tie": np.array([0.28, 0.30, 0.30, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8]),
    "clear": np.array([0.27, 0.36, 0.4, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8]),
    "near 0": np.array([0.005, 0.01, 0.01, 0.02, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08]),
}


@dataclass(frozen=True)
class Told:
    """What was said in one run, and what was so."""

    probability: float
    right: bool
    """The named class is the worst."""
    covered: bool
    """The interval holds the lowest true accuracy."""


def truth(profile: str, random: np.random.Generator) -> np.ndarray:
    """The true accuracies; drawn ones are Beta with a mean in [0.02, 0.9] and a spread in [0.02, 0.5] of its most."""
    if profile != DRAWN:
        return PROFILES[profile]
    strength, mean = 1 / random.uniform(0.02, 0.5) ** 2 - 1, random.uniform(0.02, 0.9)
    return random.beta(strength * mean, strength * (1 - mean), CLASSES)


def simulate(profile: str, samples: int, runs: int, draws: int) -> list[Told]:
    """`runs` audits of `samples` images of each class."""
    random = np.random.default_rng([samples, *profile.encode()])
    told = []
    for run in range(runs):
        accuracy = random.permutation(truth(profile, random))
        found = worst_class(random.binomial(samples, accuracy), np.full(CLASSES, samples), run, draws)
        worst = random.choice(np.flatnonzero(accuracy == accuracy.min()))
        told.append(
            Told(
                probability=float(found.probability[found.index]),
                right=bool(found.index == worst),
                covered=bool(found.low <= accuracy.min() <= found.high),
            )
        )
    return told


def share(flags: list[bool]) -> str:
    """Per cent with its 95 % interval."""
    limits = wilson(np.array(sum(flags)), np.array(len(flags)))
    return f"{100 * np.mean(flags):.1f} [{100 * float(limits.low):.1f}, {100 * float(limits.high):.1f}]"


def line(profile: str, samples: str, stated: str, told: list[Told]) -> dict[str, str]:
    """One line of the tables."""
    return {
        "profile": profile,
        "n": samples,
        "stated": stated,
        "runs": str(len(told)),
        "mean stated": f"{100 * np.mean([each.probability for each in told]):.1f}",
        "named class is the worst": share([each.right for each in told]),
        "interval holds": share([each.covered for each in told]),
    }


def binned(profile: str, told: list[Told]) -> Iterator[dict[str, str]]:
    """A line for each bin of the stated probability that any run fell into; the last one includes 1."""
    for low, high in zip(BINS[:-1], BINS[1:], strict=True):
        inside = [each for each in told if low <= each.probability < high or (high == 1 and each.probability == 1)]
        if inside:
            yield line(profile, "all", f"{100 * low:.0f} to {100 * high:.0f}", inside)


def table(rows: list[dict[str, str]]) -> list[str]:
    """Markdown."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return ["| " + " | ".join(each) + " |" for each in lines]


def main() -> int:
    """Simulate, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="of each fixed profile and size; three times for drawn")
    parser.add_argument("--draws", type=int, default=1000)
    given = parser.parse_args()
    began = time.process_time()
    every = {
        (profile, samples): simulate(profile, samples, given.runs * (3 if profile == DRAWN else 1), given.draws)
        for profile in (*PROFILES, DRAWN)
        for samples in SIZES
    }
    cells = [line(profile, str(samples), "all", told) for (profile, samples), told in every.items()]
    pooled = {
        name: [each for (p, _), told in every.items() if p == name for each in told] for name in (*PROFILES, DRAWN)
    }
    drawn = list(binned(DRAWN, pooled[DRAWN]))
    fixed = [each for name in PROFILES for each in binned(name, pooled[name])]
    text = "\n".join(
        [
            "# What is said of the worst class, and what is so",
            "",
            f"`python benchmarks/worst_class.py`: {CLASSES} classes of n images each, {given.runs} simulated audits of "
            f"each fixed profile and n, {3 * given.runs} of drawn ones; {given.draws} draws, 95 % intervals, "
            f"{time.process_time() - began:.0f} s of processor time. All in per cent.",
            "",
            "## Profiles drawn anew for each audit",
            "",
            "Here the stated probability should be the frequency.",
            "",
            *table(drawn),
            "",
            "## Fixed profiles",
            "",
            "A probability that is right on average over profiles need not be so on each: among equal classes the "
            "named one is the worst (one drawn at random) in one of ten audits, whatever is stated; of a near tie too "
            "much is stated, of a clear one too little. The interval must hold on every one.",
            "",
            *(f"- {name}: {', '.join(f'{100 * value:g}' for value in profile)}" for name, profile in PROFILES.items()),
            "",
            *table(cells),
            "",
            *table(fixed),
            "",
        ]
    )
    print(text)
    RESULT.write_text(text)
    with RESULT.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(cells[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*drawn, *cells, *fixed])
    return 0


if __name__ == "__main__":
    sys.exit(main())
