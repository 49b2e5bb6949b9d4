"""Every number of the report as one CSV file: shares in [0, 1] with all their digits, undefined ones empty."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from weakspot.analysis.intervals import wilson
from weakspot.analysis.pairs import parts
from weakspot.report.curves import curve_lines
from weakspot.report.imbalance_tables import TRAINED, imbalance_lines
from weakspot.report.latent_values import LATENT, latent_lines
from weakspot.report.numbers import number
from weakspot.report.overstated_tables import OVERSTATED, overstated_lines
from weakspot.report.relation_values import RELATED, relation_lines
from weakspot.report.schema import ClassEntry, Summary
from weakspot.report.schema_cell import Disparity
from weakspot.report.words import cells

CLASS = tuple(key for key in ClassEntry.__annotations__ if key != "name")
SPREAD = ("balanced_accuracy", "balanced_low", "balanced_high", *Disparity.__annotations__)
DIRECTED = (
    "count",
    "share",
    "already",
    "back",
    "symmetric",
    "asymmetric",
    "least_radius",
    "hub",
    "exposure",
    "slope",
    "radius",
)
HEADINGS = (
    "threat",
    "kind",
    "scope",
    "class",
    "target",
    *CLASS,
    *SPREAD,
    *DIRECTED,
    *RELATED,
    *TRAINED,
    *LATENT,
    *OVERSTATED,
)


def to_csv(summary: Summary) -> str:
    """One line for each scope.

    all and class (every threat, robust, corrupted), confusion (its most frequent ones), overstated (an attack
    against all of them: all classes, then each), corruption and severity (all classes, then each), pair and pair
    class; worst class, attracts, leaks, coupling, agreement, explained, aimed and corruption error
    (`relation_values`: the column variable says which number it is); trained (each class's training count) and
    group (of classes by it); curve (all samples, then each class, at each radius); latent, latent class, latent
    explains, latent variable and latent value.
    A name that a spreadsheet would run as a formula gets an apostrophe.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADINGS, restval="", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for makers in (
        *(_cells, overstated_lines, _corrupted, _pairs),
        *(relation_lines, imbalance_lines, curve_lines, latent_lines),
    ):
        for line in makers(summary):
            writer.writerow({key: _inert(value) if isinstance(value, str) else value for key, value in line.items()})
    return text.getvalue()


def _cells(summary: Summary) -> Iterator[Mapping[str, Any]]:
    for threat, cell in cells(summary).items():
        start = {"threat": threat, "kind": cell["kind"]}
        # Counts of all classes together follow from theirs; only what is not a sum stands here.
        yield {**start, "scope": "all", **cell, **cell["disparity"]}
        for entry in cell["classes"]:
            yield {**start, "scope": "class", "class": entry["name"], **entry}
        for pair in cell["top_confusions"]:
            yield {**start, "scope": "confusion", "class": pair["source"], **pair}


def _corrupted(summary: Summary) -> Iterator[Mapping[str, Any]]:
    found = summary["corrupted"]
    if found is None:
        return
    names = [entry["name"] for entry in found["classes"]]
    for one in found["by_corruption"]:
        start = {"threat": one["name"], "kind": "corruption", "scope": "corruption"}
        yield {**start, **{key: one[key] for key in ("accuracy", "low", "high", "slope")}}
        for name, of_class in zip(names, one["classes"], strict=True):
            yield {**start, "class": name, **of_class}
    for each in found["by_severity"]:
        start = {"threat": f"severity {each['severity']}", "kind": "corruption", "scope": "severity"}
        yield {**start, **{key: each[key] for key in ("accuracy", "low", "high")}}
        for name, at_severity in zip(names, each["classes"], strict=True):
            yield {**start, "class": name, **at_severity}


def _pairs(summary: Summary) -> Iterator[Mapping[str, Any]]:
    found = summary["pairs"]
    if found is None:
        return
    start = {"threat": "pairs", "kind": "adversarial"}
    if found["success"] is None or found["ended"] is None or found["samples"] is None or found["already"] is None:
        for pair in found["top"]:
            row = {key: value for key, value in pair.items() if key in DIRECTED}
            yield {**start, "scope": "pair", "class": pair["source"], "target": pair["target"],
                   "samples": pair["samples"], "low": pair["low"], "high": pair["high"], **row, "count": pair["ended"],
                   "share": pair["success"]}  # fmt: skip
    else:
        success, samples, least = np.array(found["success"], float), np.array(found["samples"]), found["least_radii"]
        split, limits = parts(success), wilson(np.array(found["ended"]), samples)
        for i, j in np.argwhere((samples > 0) & ~np.eye(len(samples), dtype=bool)).tolist():
            yield {**start, "scope": "pair", "class": found["sources"][i], "target": found["targets"][j],
                   "samples": found["samples"][i][j], "count": found["ended"][i][j], "already": found["already"][i][j],
                   "share": found["success"][i][j], "low": number(limits.low[i, j]), "high": number(limits.high[i, j]),
                   "back": found["success"][j][i], "symmetric": number(split.symmetric[i, j]),
                   "asymmetric": number(split.asymmetric[i, j]),
                   "least_radius": None if least is None else least[i][j]}  # fmt: skip
    for entry in found["classes"]:
        yield {**start, "scope": "pair class", "class": entry["name"], "hub": entry["hub"],
               "exposure": entry["exposure"]}  # fmt: skip


def _inert(name: str) -> str:
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name
