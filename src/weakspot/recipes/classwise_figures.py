"""What the class-wise study takes from one audit: figures of its classes, and its matrix of directed attacks."""

from collections.abc import Iterable, Mapping

import numpy as np

from weakspot.analysis.arrays import ratio
from weakspot.analysis.coupling import Coupling, attractiveness, coupling
from weakspot.recipes.classwise_runs import PRESET, parts_of
from weakspot.recipes.study import threat
from weakspot.report.schema_cell import Cell
from weakspot.run import Run

LEAST = 0.1
"""A run takes no part under attack unless the lower limit of its accuracy there reaches this: a model that answers one
class always has it."""
WEAKEST = 3


def attacked(run: Run) -> Cell:
    """All classes under the preset alone; directed attacks, whose predictions lie where they aimed, are not in it."""
    return run.summary["threats"][threat(run, PRESET)]


def resisting(found: Mapping[str, Run]) -> dict[str, Run]:
    """The runs that take part in what is said of attacks: trained against them, and not without robustness."""
    trained = {name: run for name, run in found.items() if not parts_of(name)[0].endswith("-standard")}
    return {name: run for name, run in trained.items() if (attacked(run)["low"] or 0.0) >= LEAST}


def figures(run: Run) -> Mapping[str, np.ndarray]:
    """The figures (K,) of the classes by name; NaN where undefined.

    `attacked`, `corrupted`, `clean`: accuracies; `cfps`, `cfps corrupted`, `cfps clean`; `attractive`: CFPS under
    attack freed from coupling; `hub`: mean success of the directed attacks at the class; `distance`: to the nearest
    other class in clean feature space; `cfps added`, `hub added`: the same of images that are right when clean.
    """
    conditions = {
        "attacked": attacked(run),
        "corrupted": run.summary["corrupted"],
        "clean": run.summary["threats"]["clean"],
    }
    found = {}
    for name, cell in conditions.items():
        assert cell is not None, "the audit was asked for corruptions"
        found[name] = known(entry["accuracy"] for entry in cell["classes"])
        scope = "cfps" if name == "attacked" else f"cfps {name}"
        found[scope] = known(entry["cfps"] for entry in cell["classes"])
    drawn = attacked(run)["classes"]
    errors = np.array([entry["samples"] - entry["correct"] for entry in drawn])
    latent, pairs = run.summary["latent"], run.summary["pairs"]
    assert latent is not None, "the audit was asked for feature space"
    assert pairs is not None, "the audit was asked for directed pairs"
    found["attractive"] = attractiveness(np.array([entry["false_positives"] for entry in drawn]), errors)
    found["hub"] = known(entry["hub"] for entry in pairs["classes"])
    found["distance"] = known(entry["clean"]["distance"]["value"] for entry in latent["classes"])
    return {**found, **added(run)}


def added(run: Run) -> Mapping[str, np.ndarray]:
    """CFPS and hub score of the errors that attacks add: a clean image that is wrong keeps its prediction in both."""
    rows, pairs = run.rows.of(threat(run, PRESET)), run.summary["pairs"]
    assert pairs is not None, "the audit was asked for directed pairs"
    right = run.rows.of("clean").correct  # both are by ascending sample
    into = np.bincount(rows.prediction[right & ~rows.correct], minlength=len(pairs["classes"]))
    hit = np.array(pairs["ended"], float) - np.array(pairs["already"], float)
    sources = np.array([entry["correct"] for entry in run.summary["threats"]["clean"]["classes"]])
    share = ratio(hit, np.broadcast_to(sources[:, None], hit.shape))
    np.fill_diagonal(share, np.nan)
    hub = np.array([each[~np.isnan(each)].mean() if not np.isnan(each).all() else np.nan for each in share.T])
    return {"cfps added": ratio(into, np.full(len(into), into.sum())), "hub added": hub}


def known(values: Iterable[float | None]) -> np.ndarray:
    """As an array, NaN where there is none."""
    return np.array([np.nan if value is None else value for value in values])


def coupled(run: Run) -> Coupling:
    """CFPS against accuracy under the preset, and what errors that attract nowhere would give."""
    rows = run.rows.of(threat(run, PRESET))
    return coupling(rows.label, rows.prediction, len(run.manifest["data"]["classes"]), seed=0)


def success(run: Run) -> np.ndarray:
    """Success of the directed attacks off the diagonal, row by row (K (K - 1),); NaN for a pair nobody attacked."""
    pairs = run.summary["pairs"]
    assert pairs is not None, "the audit was asked for directed pairs"
    assert pairs["success"] is not None, "up to a hundred classes have a full matrix"
    table = np.stack([known(row) for row in pairs["success"]])
    return table[~np.eye(len(table), dtype=bool)]
