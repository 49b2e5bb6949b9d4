"""Tables of audited long-tailed models: accuracies, groups of classes, and gains that the default preset denies."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from weakspot.analysis.fake_gain import FakeGain, fake_gain
from weakspot.recipes.study import threat
from weakspot.recipes.sweeps import Swept
from weakspot.recipes.tables import Row, percent, share
from weakspot.run import Run


def models(found: Mapping[str, Run]) -> Iterator[Row]:
    """A row for each model, by its name."""
    for name, run in found.items():
        yield {
            "run": name,
            "clean": percent(run.summary["threats"]["clean"]),
            "PGD-20": percent(run.summary["threats"][threat(run, "pgd")]),
            "robust": percent(run.robust),
            "worst class": "-" if run.worst is None else f"{run.worst['name']} {percent(run.worst)}",
            "corrected": "-" if run.worst is None else share(run.worst["corrected"]),
        }


def groups(found: Mapping[str, Run]) -> Iterator[Row]:
    """Head, medium and tail under attack: accuracy and its two errors; no rows of a model of balanced data."""
    for name, run in found.items():
        imbalance = run.summary["imbalance"]
        if imbalance is None:
            continue
        for group in imbalance["conditions"]["robust"]["groups"]:
            yield {
                "run": name,
                "group": group["name"],
                "classes": ", ".join(group["classes"]),
                "robust": percent(group["accuracy"], "value"),
                "natural error": percent(group["natural_error"], "value"),
                "boundary error": percent(group["boundary_error"], "value"),
            }


def fakes(found: Mapping[str, Run], base: str) -> Iterator[Row]:
    """Gains over the run `base` under PGD and under the preset, and whether the first is fake."""
    for name in found:
        if name == base:
            continue
        gain = faked(found[base], found[name])
        worst = max(range(len(gain.classes)), key=lambda c: gain.classes[c].low)
        yield {
            "run": name,
            "gain, PGD-20": share(gain.weak),
            "gain, standard": share(gain.strong),
            "fake gain": percent(vars(gain.overall), "value"),
            "seen": "yes" if gain.overall.low > 0 else "no",
            "class of the largest lower limit": f"{found[name].classes[worst]['name']} "
            f"{percent(vars(gain.classes[worst]), 'value')}",
        }


def classes(found: Mapping[str, Run]) -> list[Row]:
    """A row for each model and class."""
    return [
        {"run": name, "class": entry["name"], "samples": entry["samples"], "robust": share(entry["accuracy"]),
         "low": share(entry["low"]), "high": share(entry["high"]), "CFPS": share(entry["cfps"])}
        for name, run in found.items() for entry in run.classes
    ]  # fmt: skip


def counted(
    controls: Mapping[str, Sequence[tuple[str, str]]], found: Mapping[str, Run], swept: Mapping[str, Swept]
) -> Iterator[Row]:
    """How many pairs (baseline, other) of each kind of control the rules of the fake gain flag, and of all kinds."""
    total = [0, 0, 0, 0]
    for kind, pairs in controls.items():
        there = [(one, two) for one, two in pairs if one in found and two in found]
        flagged = [two for one, two in there if faked(found[one], found[two]).overall.low > 0]
        tried = [two for _, two in there if two in swept]
        both = [two for two in flagged if two in swept and swept[two].by_scale]
        counts = [len(there), len(flagged), len(tried), len(both)]
        total = [one + two for one, two in zip(total, counts, strict=True)]
        yield _alarm(kind, counts)
    yield _alarm("all", total)


def _alarm(kind: str, counts: Sequence[int]) -> Row:
    pairs, flagged, tried, both = counts
    return {
        "pairs": kind,
        "number": pairs,
        "fake gain flagged": flagged,
        "with a sweep": tried,
        "flagged by scale": both,
        "rate by scale": share(both / tried if tried else None),
    }


def faked(baseline: Run, method: Run) -> FakeGain:
    """The fake gain of a run over another one on the same images."""
    label = baseline.rows.of("clean").label
    one, two = (survivals(run) for run in (baseline, method))
    return fake_gain(one, two, label, len(baseline.classes))


def survivals(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Correctness of each sample under PGD alone, and under PGD and the preset."""
    weak = run.rows.of(threat(run, "pgd")).correct
    return weak, weak & run.rows.of(threat(run, "standard")).correct
