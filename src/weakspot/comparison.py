"""Two or more audits of the same images: what changed, for which class, how surely; and gates that pass or fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from weakspot.analysis.attraction_relation import cfps_with_accuracy
from weakspot.analysis.cka import align
from weakspot.analysis.gates import parse
from weakspot.analysis.measures import run_measures
from weakspot.analysis.relate import Correlation
from weakspot.analysis.same_runs import refuse_different, remarks
from weakspot.analysis.scores import Scores, alone, attacked, scores
from weakspot.analysis.worst_case import ROBUST
from weakspot.errors import InputError
from weakspot.report.comparison_html import write_comparison
from weakspot.report.comparison_schema import (
    COMPARISON_SCHEMA,
    AlignedFeatures,
    Compared,
    ComparedRun,
    ComparisonSummary,
    FakeGain,
    GateResult,
    OverModels,
    Side,
)
from weakspot.report.conditions import compare_sides, condition, differences, judged
from weakspot.report.fake_gains import fake_gains
from weakspot.report.numbers import draws_for, number
from weakspot.report.over_models import related
from weakspot.run import Run
from weakspot.run import open_run as open_folder

RunLike = str | Path | Run
LEVEL = 0.95


@dataclass(frozen=True)
class Comparison:
    """What `weakspot.compare` found; `summary` is what `weakspot compare --json` prints."""

    summary: ComparisonSummary

    @property
    def gates(self) -> list[GateResult]:
        """Each clause with its evidence."""
        return self.summary["gates"]

    @property
    def passed(self) -> bool:
        """Whether all gates passed; True without gates."""
        return self.summary["passed"] is not False

    def report(self, html: str | Path) -> Path:
        """Write the comparison as one page; returns its path."""
        write_comparison(Path(html), self.summary)
        return Path(html)


@dataclass(frozen=True)
class Method:
    """One side of a comparison: the runs of one method."""

    label: str
    runs: tuple[Run, ...]

    @cached_property
    def scores(self) -> list[dict[str, Scores]]:
        """The scores of each run."""
        return [found for found, _, _ in self._read]

    @cached_property
    def attraction(self) -> list[dict[str, Correlation]]:
        """How CFPS goes with class accuracy in each run."""
        return [found for _, found, _ in self._read]

    @cached_property
    def alone(self) -> list[dict[str, Scores]]:
        """The scores of each run under each attack alone."""
        return [found for _, _, found in self._read]

    @cached_property
    def _read(self) -> list[tuple[dict[str, Scores], dict[str, Correlation], dict[str, Scores]]]:
        """All three; the rows of a run are read once, and not kept."""
        return [_read(run) for run in self.runs]

    def described(self) -> Side:
        """The side as plain values."""
        return {"label": self.label, "runs": [_described(run) for run in self.runs]}


def compare(
    first: RunLike | Sequence[RunLike],
    *others: RunLike | Sequence[RunLike],
    gates: Sequence[str] = (),
    seed: int = 0,
) -> Comparison:
    """Compare audits of the same images, the first against each other one, and judge gates.

    Args:
        first: The run before: a folder or a Run; several runs of one method with different training seeds as a
            sequence, or as one string "A1,A2".
        others: The runs after, each likewise. Without any, the gates are about the first run itself.
        gates: Clauses such as "worst_class_robust >= -0.02" or "low(class(cat).clean) >= -0.01"; on a comparison they
            are about differences (last minus first), on one run about values.
        seed: Names the random draws of intervals.

    Raises:
        InputError: a run is no finished audit, the runs differ in data, threats or protocol, or a gate is not
            understood.

    """
    if seed < 0:
        raise InputError(f"a seed is a whole number from 0 on, got {seed}")
    clauses = [parse(clause) for clause in gates]
    methods = _methods([first, *others])
    manifests = [run.manifest for method in methods for run in method.runs]
    if not others and not clauses:
        raise InputError("a comparison needs two runs, or one run and a gate; give another run or --gate CLAUSE")
    if not others and len(methods[0].runs) > 1:
        raise InputError("a gate without a comparison is about one run; give one, or a second method to compare with")
    refuse_different(manifests, [str(run.folder) for method in methods for run in method.runs])
    for method in methods:
        _refuse_twice(method)
        for run in method.runs:
            _refuse_unfinished(run)
    names = list(manifests[0]["data"]["classes"])
    compared: list[Compared] = []
    results: list[GateResult] = []
    if not others:
        measures = run_measures(methods[0].scores[0], names, seed, draws_for(len(names)))
        results = judged(clauses, measures, names, methods[0].label, None)
    for method in methods[1:]:
        found = compare_sides(methods[0].scores, method.scores, len(names), seed)
        compared.append(
            {
                "first": methods[0].label,
                "last": method.label,
                "remarks": _remarks(methods[0], method),
                "conditions": {
                    scope: condition(each, _of(scope, methods[0]), _of(scope, method), names)
                    for scope, each in found.items()
                },
                "fake_gains": _fake_gains(methods[0], method, names),
                "alignment": _alignment(methods[0].runs[0], method.runs[0]),
            }
        )
        results += judged(clauses, differences(found, names), names, method.label, methods[0].label)
    return Comparison(
        {
            "schema": COMPARISON_SCHEMA,
            "data": manifests[0]["data"]["name"],
            "classes": names,
            "samples": int(manifests[0]["data"]["samples"]),
            "threats": [threat["address"] for threat in manifests[0]["threats"]],
            "level": LEVEL,
            "sides": [method.described() for method in methods],
            "comparisons": compared,
            "over_models": _over_models(methods) if others else {},
            "gates": results,
            "passed": all(result["passed"] for result in results) if results else None,
        }
    )


def _read(run: Run) -> tuple[dict[str, Scores], dict[str, Correlation], dict[str, Scores]]:
    threats, rows = run.manifest["threats"], run.rows
    classes = len(run.manifest["data"]["classes"])
    return scores(threats, rows), cfps_with_accuracy(attacked(threats, rows), classes), alone(threats, rows)


def _fake_gains(first: Method, last: Method, names: Sequence[str]) -> list[FakeGain]:
    """What single attacks say was gained and all together do not confirm; of one run each."""
    if len(first.runs) > 1 or len(last.runs) > 1:
        return []
    if not all(ROBUST in side.scores[0] for side in (first, last)):
        return []
    return fake_gains(first.alone[0], last.alone[0], (first.scores[0][ROBUST], last.scores[0][ROBUST]), names)


def _over_models(methods: Sequence[Method]) -> dict[str, OverModels]:
    """The relation of CFPS with accuracy over the different models of all sides."""
    runs = [run for method in methods for run in method.runs]
    found = [each for method in methods for each in method.attraction]
    models = {str(run.manifest["model"]["digest"]): at for at, run in reversed(list(enumerate(runs)))}
    kept = sorted(models.values())
    return related([_named(runs[at], runs) for at in kept], [found[at] for at in kept])


def _named(run: Run, runs: Sequence[Run]) -> str:
    """The name of the run's folder, or its path where names repeat."""
    names = [each.folder.resolve().name for each in runs]
    return run.folder.resolve().name if len(set(names)) == len(names) else str(run.folder)


def _alignment(first: Run, last: Run) -> AlignedFeatures | None:
    """How alike the first model of each side sees clean images; None where an audit did not look at features."""
    one, two = first.features, last.features
    if one is None or two is None:
        return None
    images, found = align(one, two)
    return {
        "images": images,
        "cka": number(found.value),
        "unbiased": number(found.unbiased),
        "low": number(found.low),
        "high": number(found.high),
    }


def _of(scope: str, method: Method) -> list[Scores]:
    """The scores of each run under one condition."""
    return [run[scope] for run in method.scores]


def _methods(given: Sequence[RunLike | Sequence[RunLike]]) -> list[Method]:
    """The sides, labelled by their folders' names, or by their paths where names repeat."""
    sides = [[_opened(run) for run in _listed(side)] for side in given]
    runs = [run for side in sides for run in side]
    return [Method(", ".join(_named(run, runs) for run in side), tuple(side)) for side in sides]


def _listed(side: RunLike | Sequence[RunLike]) -> Sequence[RunLike]:
    """The runs of one side; a comma separates them unless it belongs to an existing folder's name."""
    if isinstance(side, Run | Path):
        return [side]
    if isinstance(side, str):
        return [side] if "," not in side or Path(side).exists() else [part for part in side.split(",") if part]
    return side


def _opened(run: RunLike) -> Run:
    return run if isinstance(run, Run) else open_folder(run)


def _refuse_unfinished(run: Run) -> None:
    if missing := len(run.missing):
        planned = len(run.manifest["units"])
        raise InputError(
            f"{run.folder} is not finished: {missing} of {planned} units are missing; repeat its audit to finish it "
            f"(weakspot audit --config {run.folder / 'config.yaml'} --out {run.folder})"
        )


def _refuse_twice(method: Method) -> None:
    """Several runs of one side are a sample of seeds: the same model twice is none."""
    digests = [run.manifest["model"]["digest"] for run in method.runs]
    for at, digest in enumerate(digests):
        if digest in digests[:at]:
            before = method.runs[digests.index(digest)].folder
            raise InputError(
                f"{before} and {method.runs[at].folder} are of the same model; several runs of one side are for "
                "different training seeds"
            )


def _remarks(first: Method, last: Method) -> list[str]:
    """What differs without forbidding the comparison, once each."""
    manifests = [run.manifest for run in (*first.runs, *last.runs)]
    found = [line for manifest in manifests[1:] for line in remarks(manifests[0], manifest)]
    return list(dict.fromkeys(found))


def _described(run: Run) -> ComparedRun:
    model: Mapping[str, object] = run.manifest["model"]
    return {
        "folder": str(run.folder),
        "model": str(model["address"]),
        "digest": str(model["digest"]),
        "failed_checks": [f"{doubt['check']}: {doubt['says']}" for doubt in run.doubts if doubt["status"] == "fail"],
    }
