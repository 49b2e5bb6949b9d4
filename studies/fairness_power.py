"""What the study of class fairness could detect with its own models: its rule 1 on simulated studies.

    weakspot reproduce fairness --set cifar10=... --out OUT
    python studies/fairness_power.py --runs OUT

The three TRADES models of OUT give each class's robust accuracy p and the share d of its images on which two seeds
differ. An image is right with a chance drawn from Beta(pk, (1 - p)k) by its difficulty, which all models share;
k follows from d = 2p(1 - p)k / (k + 1). A seed moves p of each class by a normal deviate of `spread`. The method has a
higher p in the source's four weak classes and else is TRADES again. Writes docs/studies/fairness-power.md.
"""

import argparse
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import beta

import weakspot
from weakspot.analysis.compare import compare
from weakspot.analysis.intervals import wilson
from weakspot.analysis.scores import Scores
from weakspot.recipes.fairness_runs import BASE, LEADING, SEEDS, hard_of, name_of
from weakspot.recipes.fairness_verdicts import LEVEL, Against, robust
from weakspot.recipes.tables import markdown

GAINS = (0.0, 0.02, 0.04, 0.06, 0.08)
"""Added to the four classes' accuracy."""
SPREADS = (0.0, 0.01, 0.02)
"""By how much a class's accuracy differs between seeds, beyond what its images make it."""
PAGE = Path("docs/studies/fairness-power.md")


def calibrated(runs):
    """Accuracy, discordance and number of images of each class (K,), over seeds and pairs of seeds."""
    names = runs[0].manifest["data"]["classes"]
    made = [robust(run, names) for run in runs]
    label, right = made[0].label, np.stack([each.score == 1 for each in made])
    of = [right[:, label == c] for c in range(len(names))]
    accuracy = np.array([each.mean() for each in of])
    differing = np.array([np.mean([(a != b).mean() for a, b in combinations(each, 2)]) for each in of])
    return accuracy, differing, np.array([each.shape[1] for each in of])


def spread_of(runs):
    """By how much a class differs between seeds beyond what its images make it: root mean square over the classes."""
    accuracy = np.array([[entry["accuracy"] for entry in run.classes] for run in runs])
    _, differing, counts = calibrated(runs)
    return np.sqrt(max(0.0, np.mean(accuracy.var(axis=0, ddof=1) - differing / (2 * counts))))


def study(random, accuracy, differing, counts, hard, gain, spread):
    """One study's judgement: TRADES and the method, three seeds each, on the same images."""
    label = np.repeat(np.arange(len(counts)), counts)
    difficulty = random.random(len(label))
    share = np.clip(differing / (2 * accuracy * (1 - accuracy)), 0.01, 0.99)
    k = (share / (1 - share))[label]

    def model(raised):
        p = np.clip(accuracy + gain * raised * hard + spread * random.standard_normal(len(counts)), 0.002, 0.998)[label]
        right = random.random(len(label)) < beta.ppf(difficulty, p * k, (1 - p) * k)
        return Scores(np.arange(len(label)), label, right.astype(float))

    first, last = ([model(raised) for _ in SEEDS] for raised in (False, True))
    kept = np.flatnonzero(hard[label])
    few = [[Scores(each.sample[kept], each.label[kept], each.score[kept]) for each in side] for side in (first, last)]
    whole = compare(first, last, len(counts), 0, level=LEVEL)
    four = compare(*few, len(counts), 0, level=LEVEL)
    base = np.mean([min(each.score[label == c].mean() for c in range(len(counts))) for each in first])
    return Against(len(SEEDS), whole.overall, whole.worst, four.balanced, ("", ""), float(base), None)


def row(given, hard, gain, spread, studies):
    """How often simulated studies of one gain and spread say what; a row's draws do not depend on the others."""
    random = np.random.default_rng([round(100 * gain), round(100 * spread)])
    made = [study(random, *given, hard, gain, spread) for _ in range(studies)]
    says = Counter(each.says.split(",")[0] for each in made)

    def share(which):
        limits = wilson(np.array(says[which]), np.array(studies))
        return f"{100 * says[which] / studies:.0f} [{100 * limits.low:.0f}, {100 * limits.high:.0f}]"

    return {
        "gain of the four": f"{100 * gain:.0f}", "spread of seeds": f"{100 * spread:.0f}",
        "comes out at, worst class": f"{100 * np.mean([each.worst.value for each in made]):.1f}",
        "half-width": f"{100 * np.mean([each.worst.high - each.worst.low for each in made]) / 2:.1f}",
        **{which: share(which) for which in ("raised", "off the floor", "not resolved", "lowered")},
    }  # fmt: skip


def main():
    """Calibrate, simulate, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the fairness study")
    parser.add_argument("--studies", type=int, default=100, help="simulated studies a row")
    asked = parser.parse_args()
    seeds = {
        method: [weakspot.open_run(asked.runs / f"{name_of(method, seed)}-audit") for seed in SEEDS]
        for method in LEADING
    }
    runs = seeds[BASE]
    given, names = calibrated(runs), runs[0].manifest["data"]["classes"]
    hard = np.isin(names, hard_of(names).classes)
    rows = [row(given, hard, gain, spread, asked.studies) for spread in SPREADS for gain in GAINS]
    models = [
        {"class": name, "images": n, "robust": f"{100 * p:.1f}", "two seeds differ on": f"{100 * d:.1f}"}
        for name, p, d, n in zip(names, *given, strict=True)
    ]
    spreads = [{"method": method, "spread": f"{100 * spread_of(each):.1f}"} for method, each in seeds.items()]
    PAGE.write_text(
        "\n".join([
            "# What the study of class fairness could detect", "",
            f"Made by `python studies/fairness_power.py`, {asked.studies} simulated studies a row; made after "
            "the runs, to say what they could show, and not used to judge them. Per cent and points; shares with 95 % "
            "intervals (Wilson). Rule 1 of the [plan](fairness-plan.md): three seeds, intervals of "
            f"{100 * LEVEL:g} %. Bird, cat, deer and dog gain, the others do not change; `comes out at` is less than "
            "the gain where another class becomes the lowest. `Spread` is what a class differs by between seeds beyond "
            "what its images make it. `Raised` with any cost on average. All models share how hard an image is.", "",
            *markdown(rows), "",
            "The spread of the study's own methods, over their three seeds, root mean square over the classes: a rough "
            "figure. That of TRADES is in its `two seeds differ on` as well, so a spread of 0 above is not images "
            "alone.", "", *markdown(spreads), "", "## The models that it is calibrated by", "",
            f"{BASE}, {len(SEEDS)} seeds of the [study](fairness.md), `small-cnn-bn`.", "", *markdown(models), "",
        ]),
        encoding="utf-8",
    )  # fmt: skip


if __name__ == "__main__":
    main()
