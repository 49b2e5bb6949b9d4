"""The latent figures of summary.json as tables and sentences, the same ones in every output."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from weakspot.report.grid import Grid
from weakspot.report.schema import Summary
from weakspot.report.schema_latent import (
    Latent,
    LatentClass,
    LatentCoefficient,
    LatentLength,
    LatentRank,
    LatentShare,
    LatentWhole,
)
from weakspot.report.words import NONE, amount, between, headline, percent, printable, rank, weakness

VARIABLES = {
    "distance": "distance to the nearest class",
    "margin": "mean clean margin",
    "samples": "images",
    "cfps": "CFPS",
}
"""How the variables that may explain robustness read."""

Limited = LatentLength | LatentRank | LatentCoefficient


def latent_block(found: Mapping[str, Any] | None) -> Latent | None:
    """What summary.json holds of latent.json."""
    return None if found is None else cast(Latent, {key: found[key] for key in Latent.__annotations__})


def latent_grids(summary: Summary) -> list[Grid]:
    """The classes in feature space, their spread, and what goes with their robustness; empty without latent figures."""
    found = summary["latent"]
    if found is None:
        return []
    entries = ordered(summary, found)
    made = [_classes(entries, found["attacked"] is not None), _spreads(entries, found["attacked"] is not None)]
    return made if found["explains"] is None else [*made, _variables(found)]


def ordered(summary: Summary, found: Latent) -> list[LatentClass]:
    """The classes as in the table of classes: weakest first."""
    _, cell = headline(summary)
    entries = found["classes"]
    if cell is None:
        return entries
    return [entries[c] for c in sorted(range(len(entries)), key=lambda c: weakness(cell["classes"][c]))]


def _classes(entries: list[LatentClass], attacked: bool) -> Grid:
    made = {
        "class": [printable(entry["name"]) for entry in entries],
        "nearest": [_named(entry["clean"]["nearest"]) for entry in entries],
        "purity": [_share(entry["clean"]["purity"]) for entry in entries],
    }
    if attacked:
        made["attacked purity"] = [NONE if (side := e["attacked"]) is None else _share(side["purity"]) for e in entries]
    made["distance"] = [_length(entry["clean"]["distance"]) for entry in entries]
    if attacked:
        made["shift"] = [_length(entry["shift"]) for entry in entries]
        made["toward"] = [_named(entry["toward"]) for entry in entries]
    return Grid("Classes in feature space", made, ("class", "nearest", "toward"))


def _spreads(entries: list[LatentClass], attacked: bool) -> Grid:
    made = {
        "class": [printable(entry["name"]) for entry in entries],
        "spread": [_length(entry["clean"]["spread"]) for entry in entries],
        "mean distance": [_length(entry["clean"]["mean_distance"]) for entry in entries],
        "cosine": [length(entry["clean"]["cosine"]) for entry in entries],
    }
    if attacked:
        sides = [entry["attacked"] for entry in entries]
        made["attacked spread"] = [NONE if side is None else _length(side["spread"]) for side in sides]
        made["attacked nearest"] = [NONE if side is None else _named(side["nearest"]) for side in sides]
        made["attacked distance"] = [NONE if side is None else _length(side["distance"]) for side in sides]
    return Grid("Spread and distances in feature space", made, ("class", "attacked nearest"))


def _variables(found: Latent) -> Grid:
    explains = found["explains"]
    assert explains is not None, "the caller has looked"
    variables = explains["variables"]
    made = {
        "goes with robust accuracy": [variable_name(found, name) for name in variables],
        "rank correlation": [_limited(each["rank_correlation"], rank) for each in variables.values()],
        "beside the others": [
            NONE if each["coefficient"] is None else _limited(each["coefficient"], rank) for each in variables.values()
        ],
        "unique R2": [rank(each["unique"]) for each in variables.values()],
    }
    return Grid("What goes with the robustness of the classes", made, ("goes with robust accuracy",))


def variable_name(found: Latent, name: str) -> str:
    """A variable in words."""
    said = VARIABLES.get(name, name)
    return f"{found['explains']['samples_of']} {said}" if name == "samples" and found["explains"] else said


def latent_sentences(summary: Summary) -> list[str]:
    """What the latent figures say of all classes together."""
    found = summary["latent"]
    if found is None:
        return []
    said = [
        f"Feature space: {found['features']:,} features before layer {printable(found['layer'])}, "
        f"{found['samples']:,} images. Clean: {_whole(found['clean'])}."
    ]
    if found["attacked"] is not None:
        said.append(f"Under {printable(found['threat'] or NONE)}: {_whole(found['attacked'])}.")
    return said + _together(found)


def _whole(side: LatentWhole) -> str:
    limits = "" if side["low"] is None else f" [{length(side['low'])}, {length(side['high'])}]"
    return (
        f"scatter between the classes over that within {length(side['ratio'])}{limits} ({length(side['chance'])} by "
        "chance); "
        f"{percent(side['purity'])} % of an image's nearest clean images are of its class"
    )


def _together(found: Latent) -> list[str]:
    explains = found["explains"]
    if explains is None or explains["r2"] is None:
        return []
    unknown = "" if explains["r2_left_out"] is None else f", {rank(explains['r2_left_out'])} for classes left out"
    return [
        f"Together these figures explain a share of {explains['r2']:.2f} of the differences in robust accuracy between "
        f"{explains['classes']} classes (R2{unknown}): they go together, which says nothing about causes."
    ]


def _named(name: str | None) -> str:
    return NONE if name is None else printable(name)


def length(value: float | None) -> str:
    """A figure in the unit of the features, with three digits: 0.0231, 2.00, 41.5; above 100 without decimals."""
    return amount(value) if value is None or abs(value) >= 99.95 else f"{value:#.3g}" if value else "0"


def _length(found: LatentLength | None) -> str:
    return NONE if found is None else _limited(found, length)


def _share(found: LatentShare) -> str:
    return f"{percent(found['value'])} {between(found['low'], found['high'])}".strip()


def _limited(found: Limited, text: Callable[[float | None], str]) -> str:
    """A figure with its limits: 1.23 [1.1, 1.36]."""
    if found["low"] is None or found["high"] is None:
        return text(found["value"])
    return f"{text(found['value'])} [{text(found['low'])}, {text(found['high'])}]"
