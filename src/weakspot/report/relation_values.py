"""The CSV lines of worst classes, roles, relations and directed pairs together: most are one number with its limits."""

from collections.abc import Iterator, Mapping
from typing import Any

from weakspot.report.schema import Summary
from weakspot.report.schema_pairs import Correlation, Coupling
from weakspot.report.words import cells

RELATED = ("corrected", "probability", "expected", "p", "rank", "resampled", "shared", "k")
"""The columns that only these lines fill."""


def relation_lines(summary: Summary) -> Iterator[Mapping[str, Any]]:
    """Scopes worst class, attracts, leaks, coupling, agreement, explained, aimed, and corruption error."""
    for threat, cell in cells(summary).items():
        start = {"threat": threat, "kind": cell["kind"]}
        if (worst := cell["worst_class"]) is not None:
            yield {**start, "scope": "worst class", "class": worst["name"], **worst}
        for scope, found in (("attracts", cell["attractors"]), ("leaks", cell["leaks"])):
            for role in found:
                yield {**start, "scope": scope, "class": role["name"], **role}
    for condition, each in summary["relations"]["coupling"].items():
        yield from _coupled(condition, each)
    for each_two in summary["relations"]["agreement"]:
        yield {
            "threat": each_two["first"], "scope": "agreement", "variable": each_two["last"],
            **_correlated(each_two["correlation"]), "k": each_two["k"], "shared": each_two["shared"],
            "expected": each_two["by_chance"],
        }  # fmt: skip
    yield from _aimed(summary)
    yield from _errors(summary)


def _correlated(found: Correlation) -> dict[str, Any]:
    return {"rank": found["value"], **{key: found[key] for key in ("low", "high", "resampled")}}


def _coupled(condition: str, found: Coupling) -> Iterator[Mapping[str, Any]]:
    start = {"threat": condition, "scope": "coupling"}
    yield {**start, "variable": "over classes", **_correlated(found["over_classes"]), "p": found["p"]}
    yield {**start, "variable": "over images", **_correlated(found["over_images"]), "p": found["p"]}
    yield {**start, "variable": "null", "rank": found["null_mean"], "low": found["null_low"],
           "high": found["null_high"]}  # fmt: skip
    yield {**start, "variable": "uncoupled", **_correlated(found["uncoupled"])}
    for name, value in (
        ("cfps", found["split_half"]["cfps"]),
        ("accuracy", found["split_half"]["accuracy"]),
        ("crossed", found["split_half"]["crossed"]),
    ):
        yield {**start, "variable": f"split half {name}", "rank": value, "count": found["split_half"]["splits"]}


def _aimed(summary: Summary) -> Iterator[Mapping[str, Any]]:
    pairs = summary["pairs"]
    if pairs is None:
        return
    start = {"threat": "pairs", "kind": "adversarial"}
    for place, share in enumerate(pairs["explained"] or []):
        yield {**start, "scope": "explained", "count": place + 1, "variable": f"{place + 1} easiest pairs",
               "share": share, "expected": (place + 1) / pairs["attacked"]}  # fmt: skip
    for name, found in (
        ("hub and cfps", pairs["hub_cfps"]),
        ("exposure and accuracy", pairs["exposure_accuracy"]),
    ):
        if found is not None:
            yield {**start, "scope": "aimed", "variable": name, **_correlated(found)}


def _errors(summary: Summary) -> Iterator[Mapping[str, Any]]:
    found = summary["corrupted"]
    if found is None:
        return
    start = {"threat": "corrupted", "kind": "corruption", "scope": "corruption error"}
    yield {**start, "variable": "mean", "value": found["mean_corruption_error"]}
    yield {**start, "variable": "relative", "value": found["relative_corruption_error"]}
    for entry, lost, slope in zip(found["classes"], found["relative_errors"], found["slopes"], strict=True):
        yield {**start, "variable": "relative", "class": entry["name"], "value": lost, "slope": slope}
