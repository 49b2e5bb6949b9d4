"""Trainings as published, at the published size, and their numbers beside ours (docs/studies/published-plan.md).

Each number's source stands beside it in `published_runs`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from weakspot.analysis.intervals import wilson
from weakspot.recipes import published_runs as wanted
from weakspot.recipes.study import Scale, Sets, Step, Study, cost, finished, threat
from weakspot.recipes.tables import Row, markdown, percent, to_csv
from weakspot.report.schema import Cell
from weakspot.run import Run

NEAR = 0.5 + 1e-9
"""Points by which a number may differ and is still met; half a point itself is met, however it is rounded."""
VERDICTS = ("met", "not told apart", "higher", "lower")
DOG, CAT = "dog", "cat"


def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
    """A step for each training."""
    return tuple(run.step(sets) for run in wanted.runs())


def pages(out: Path, scale: Scale) -> Mapping[str, str]:
    """The page and its table as CSV, of the runs that are there; the others are named."""
    found, left = finished(wanted.runs(), out)
    rows = list(beside(found))
    primary = [row for row in rows if row["run"] in wanted.PRIMARY and row["figure"] in wanted.ROBUST]
    lines = [
        "# Published numbers", "",
        f"Made by `weakspot reproduce published --scale {scale}` as [planned](published-plan.md). One seed, the last "
        "epoch, all test images. Per cent with 95 % intervals over images, differences in points. An asterisk: of an "
        "epoch that was chosen by test images, which makes the published number too high.", "",
        f"{len(found)} of {len(wanted.runs())} runs. Not run: {', '.join(left) if left else 'none'}. "
        f"{cost(found, out)}", "",
        f"**Of {len(primary)} primary numbers: {counted(primary)}; of all {len(rows)}: {counted(rows)}.** Met: within "
        "half a point. Not told apart: farther, and the published number lies in our interval.", "",
        *markdown(rows), "",
    ]  # fmt: skip
    return {"published.md": "\n".join(lines), "published.csv": to_csv(rows)}


def counted(rows: Sequence[Row]) -> str:
    """How many numbers have each verdict."""
    return ", ".join(f"{sum(row['verdict'] == each for row in rows)} {each}" for each in VERDICTS)


def beside(found: Mapping[str, Run]) -> Iterator[Row]:
    """A row for each published number of the runs that are there."""
    for each in wanted.entries():
        if each.run.name not in found:
            continue
        run = found[each.run.name]
        for figure, number in each.numbers.items():
            ours = FIGURES[figure](run)
            yield {
                "run": each.run.name,
                "figure": figure,
                "published": f"{number:.2f}{'*' if each.selected else ''}",
                "ours": percent(ours, digits=2),
                "difference": f"{100 * ours['accuracy'] - number:+.2f}",
                "verdict": verdict(number, *(100 * ours[key] for key in ("accuracy", "low", "high"))),
                "source": each.source,
            }


def verdict(number: float, ours: float, low: float, high: float) -> str:
    """Whether a number is met by ours with its limits, all in per cent."""
    if abs(ours - number) <= NEAR:
        return "met"
    if low <= number <= high:
        return "not told apart"
    return "higher" if ours > number else "lower"


def cell(run: Run, name: str) -> Cell:
    """The run's numbers under a threat."""
    return run.summary["threats"]["clean" if name == "clean" else threat(run, name)]


def weakest(run: Run, name: str) -> Mapping[str, Any]:
    """The lowest class under a threat."""
    found = cell(run, name)["worst_class"]
    assert found is not None, "the study audits every class"
    return found


def tail(run: Run, name: str) -> Mapping[str, Any]:
    """Accuracy on the four fifths of the classes that are rarest: counts fall in the order of the classes."""
    entries = cell(run, name)["classes"][len(run.classes) // 5 :]
    correct, samples = (sum(entry[key] for entry in entries) for key in ("correct", "samples"))
    limits = wilson(correct, samples)
    return {"accuracy": correct / samples, "low": float(limits.low), "high": float(limits.high)}


def dog_as_cat(run: Run) -> Mapping[str, Any]:
    """The share of dogs that are seen as cats under PGD."""
    names = [entry["name"] for entry in run.classes]
    confusion = cell(run, "pgd")["confusion"]
    assert confusion is not None, "CIFAR-10 has few enough classes"
    row = confusion[names.index(DOG)]
    seen, number = row[names.index(CAT)], sum(row)
    limits = wilson(seen, number)
    return {"accuracy": seen / number, "low": float(limits.low), "high": float(limits.high)}


FIGURES: Mapping[str, Callable[[Run], Mapping[str, Any]]] = {
    wanted.CLEAN: lambda run: cell(run, "clean"),
    wanted.CLEAN_WORST: lambda run: weakest(run, "clean"),
    wanted.PGD: lambda run: cell(run, "pgd"),
    wanted.PGD_TAIL: lambda run: tail(run, "pgd"),
    wanted.AUTOATTACK: lambda run: cell(run, "autoattack"),
    wanted.AUTOATTACK_WORST: lambda run: weakest(run, "autoattack"),
    wanted.AUTOATTACK_TAIL: lambda run: tail(run, "autoattack"),
    wanted.DOG_AS_CAT: dog_as_cat,
    wanted.FGSM: lambda run: cell(run, "fgsm"),
    wanted.CW: lambda run: cell(run, "cw-pgd"),
}
"""How a figure is read from an audit."""

STUDY = Study(
    "published",
    "Are the published numbers of full-size models met within half a point? (for a GPU)",
    steps,
    pages,
    {"gpu": ("cifar10", "cifar100")},
    partial=True,
)
