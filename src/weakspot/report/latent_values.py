"""The latent figures as lines of the CSV file."""

from collections.abc import Iterator, Mapping
from typing import Any

from weakspot.report.schema import Summary
from weakspot.report.schema_latent import LatentSide

LIMITED = (
    *("spread", "distance", "mean_distance", "purity", "shift"),
    *("rank_correlation", "coefficient"),
)
LATENT = (
    *(f"latent_{name}{end}" for name in LIMITED for end in ("", "_low", "_high")),
    *("nearest", "latent_cosine", "latent_chance", "toward"),
    *("between", "within", "ratio", "ratio_low", "ratio_high", "ratio_chance"),
    *("variable", "value", "unique", "r2", "r2_left_out"),
)
"""The columns that only latent lines fill."""


def latent_lines(summary: Summary) -> Iterator[Mapping[str, Any]]:
    """Lines of the scopes latent, latent class (a line clean and one attacked), latent variable and its classes."""
    found = summary["latent"]
    if found is None:
        return
    for threat, kind, whole in (
        ("clean", "clean", found["clean"]),
        (found["threat"], "adversarial", found["attacked"]),
    ):
        if whole is None:
            continue
        start = {"threat": threat, "kind": kind}
        yield {
            **start, "scope": "latent", "samples": found["samples"], "between": whole["between"],
            "within": whole["within"], "ratio": whole["ratio"], "ratio_low": whole["low"], "ratio_high": whole["high"],
            "ratio_chance": whole["chance"], "latent_purity": whole["purity"],
        }  # fmt: skip
        for entry in found["classes"]:
            side = entry["clean"] if kind == "clean" else entry["attacked"]
            line = {**start, "scope": "latent class", "class": entry["name"], "samples": entry["samples"]}
            line |= {"latent_chance": entry["chance"]} | ({} if side is None else _side(side))
            if kind == "adversarial":
                yield line | _limits("shift", entry["shift"]) | {"toward": entry["toward"]}
            else:
                yield line
    yield from _explains(summary)


def _explains(summary: Summary) -> Iterator[Mapping[str, Any]]:
    found = summary["latent"]
    if found is None or found["explains"] is None:
        return
    explains = found["explains"]
    start = {"threat": "robust", "kind": "adversarial"}
    yield {**start, "scope": "latent explains", "r2": explains["r2"], "r2_left_out": explains["r2_left_out"]}
    for name, each in explains["variables"].items():
        line = {**start, "scope": "latent variable", "variable": name, "unique": each["unique"]}
        yield line | _limits("rank_correlation", each["rank_correlation"]) | _limits("coefficient", each["coefficient"])
        for entry, value in zip(found["classes"], each["values"], strict=True):
            yield {**start, "scope": "latent value", "variable": name, "class": entry["name"], "value": value}


def _side(side: LatentSide) -> dict[str, Any]:
    lengths: dict[str, Any] = {"nearest": side["nearest"], "latent_cosine": side["cosine"]}
    for name in ("spread", "distance", "mean_distance", "purity"):
        lengths |= _limits(name, side[name])
    return lengths


def _limits(name: str, found: Any) -> dict[str, Any]:
    if found is None:
        return {}
    return {f"latent_{name}": found["value"], f"latent_{name}_low": found["low"], f"latent_{name}_high": found["high"]}
