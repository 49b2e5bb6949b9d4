"""explain.json: the numbers of an explanation, computed from its rows and grids; it holds no NaN."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weakspot.analysis.psi import Figure, PsiFigures, psi_figures
from weakspot.analysis.shape import along, class_means, curvature, rise
from weakspot.report.numbers import draws_for, number, numbers

SCHEMA = 1
SETTLED = 0.98
"""A search that has found this share of its end value a third before its end has settled."""
ENOUGH = 0.9
"""Below this share of a thorough search's mean divergence the reader is told."""

Columns = Mapping[str, np.ndarray]


FORMS = ("raw", "A", "B")


def forms_in(table: Columns, classes: int) -> list[str]:
    """The forms that are measured and mean something: with two classes A does not."""
    present = set(table["form"].tolist())
    return [form for form in FORMS if form in present and (form != "A" or classes > 2)]


def psi_section(table: Columns, names: list[str], seed: int) -> dict[str, Any]:
    """By form: psi overall and of each class, with 95 % intervals of resampled images; None for an undefined form."""
    found: dict[str, Any] = dict.fromkeys(FORMS)
    for form in forms_in(table, len(names)):
        mine = table["form"] == form
        label = table["label"][mine]
        overall, classes = psi_figures(table["divergence"][mine], label, len(names), seed, draws_for(len(names)))
        moved = table["moved_to"][mine] != table["prediction"][mine]
        found[form] = {
            "overall": _figures(overall) | {"moved": number(moved.mean()) if len(moved) else None},
            "classes": [
                {"name": names[c], **_figures(each), "moved": number(_mean(moved[label == c]))}
                for c, each in enumerate(classes)
            ],
        }
    return found


def _mean(flags: np.ndarray) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _figures(found: PsiFigures) -> dict[str, Any]:
    return {
        "samples": found.samples,
        "still": found.still,
        "psi": _figure(found.inverse_mean),
        "median": _figure(found.median),
        "low_quantile": _figure(found.low_quantile),
        "mean": _figure(found.mean),
    }


def _figure(found: Figure) -> dict[str, float | None]:
    return {"value": number(found.value), "low": number(found.low), "high": number(found.high)}


def convergence_section(traces: Columns, forms: Sequence[str]) -> dict[str, Any]:
    """By form: the mean share of each image's end value after each evaluation, and whether the searches settled.

    None for a form that is not in `forms`.
    """
    found: dict[str, Any] = dict.fromkeys(FORMS)
    for form in forms:
        trace = traces[form]
        moved = trace[-1] > 0
        share = (trace[:, moved] / trace[-1, moved]).mean(axis=1) if moved.any() else np.full(len(trace), np.nan)
        before = share[-1 - len(trace) // 6]  # within the last third of the last climb
        found[form] = {
            "share": numbers(share),
            "settled": bool(before >= SETTLED) if moved.any() else None,
            "images": int(moved.sum()),
        }
    return found


def surface_section(grids: Columns, names: list[str], seed: int) -> dict[str, Any]:
    """Rise and curvature along both directions of both surfaces, overall and of each class."""
    label = grids["label"]
    found: dict[str, Any] = {"samples": len(label), "steps": len(grids["first"]), "reach": float(grids["first"][-1])}
    for surface in ("cross_entropy", "decision"):
        lines = along(grids[surface].astype(float), grids["first"], grids["second"])
        found[surface] = {
            which: {
                what: _means(of(line, grids[which]), label, names, seed)
                for what, of in (("rise", rise), ("curvature", curvature))
            }
            for which, line in zip(("first", "second"), lines, strict=True)
        }
    return found


def _means(values: np.ndarray, label: np.ndarray, names: list[str], seed: int) -> dict[str, Any]:
    draws = draws_for(len(names))
    table = class_means(values, label, len(names), seed, draws)
    whole = class_means(values, np.zeros_like(label), 1, seed, draws)
    made = [dict(zip(("value", "low", "high"), numbers(line), strict=True)) for line in [*whole, *table]]
    return {"overall": made[0], "classes": made[1:]}


def _of_forms(proof: Mapping[str, Any], forms: Sequence[str]) -> dict[str, Any]:
    """The proof with None for the forms that are undefined."""
    return {**proof, **{key: {f: proof[key][f] if f in forms else None for f in FORMS} for key in ("change", "found")}}


def cost_section(table: Columns, surfaces: Mapping[str, Columns]) -> dict[str, Any]:
    """Evaluations and seconds for each image: of each form of psi, and of each pair's surfaces."""
    found: dict[str, Any] = {}
    for form in dict.fromkeys(table["form"].tolist()):
        mine = table["form"] == form
        found[f"psi {form}"] = {key: number(table[key][mine].mean()) for key in ("forwards", "backwards", "seconds")}
    for pair, grids in surfaces.items():
        spent = {key: number(grids[key]) for key in ("forwards", "backwards")}
        found[f"surfaces {pair}"] = spent | {"seconds": number(float(grids["seconds"]) / max(1, len(grids["label"])))}
    return found


def notes(described: Mapping[str, Any]) -> list[str]:
    """What a reader must know before believing the numbers of one model, as sentences."""
    said = []
    if described["psi"]["A"] is None:
        said.append(
            "With two classes form A, the direction of the logits alone, only says whether the decision changes, and "
            "its gradient is 0: it is left out. Form B compares models."
        )
    for form in (form for form in FORMS if described["psi"][form] is not None):
        found = described["psi"][form]
        overall = found["overall"]
        if overall["still"]:
            said.append(
                f"Form {form}: nothing in the ball moves the prediction of {overall['still']} of "
                f"{overall['samples']} images, as far as the search sees. The model is constant there, or so saturated "
                "that its gradient vanishes; that is no evidence of robustness."
            )
        if described["convergence"][form]["settled"] is False:
            said.append(f"Form {form}: the search was still rising at its end; psi is further from its true value.")
        share = described["proof"]["found"][form]
        if share is not None and share < ENOUGH:
            said.append(
                f"Form {form}: on {described['proof']['images']} images the search finds {100 * share:.0f} % of the "
                "mean divergence that a thorough one finds: psi is at most that share of what is shown. More: "
                "--restarts."
            )
    if described["calibration"]["gap"] == 0:
        said.append("The two largest logits are always equal, so form B has nothing to calibrate on.")
    for pair, found in described["surfaces"].items():
        if missing := found.get("not_finite"):
            said.append(f"Surfaces {pair}: the logits are not finite at {missing} points, which are left blank.")
    changes = described["proof"]["change"]
    for form in ("A", "B"):
        if changes[form] is not None and changes[form] > 1e-3:
            said.append(
                f"Form {form} changed by a share of {changes[form]:.2g} when the logits were multiplied: "
                "differences of that size say nothing."
            )
    return said


@dataclass(frozen=True)
class Measured:
    """What is stored of one model."""

    table: Columns
    """psi: a row for each image and form."""
    traces: Columns
    """By form, shape (evaluations, samples)."""
    calibration: Mapping[str, Any]
    surfaces: Mapping[str, Columns]
    """Grids by pair of directions."""
    parameters: Columns | None


def summarise_explanation(
    manifest: Mapping[str, Any],
    sides: Sequence[Measured],
    constants: Mapping[str, float],
    link: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The numbers of an explanation as plain values.

    Args:
        manifest: The folder's manifest.json.
        sides: What is stored of each model.
        constants: Of the forms A and B, of the thorough search, and up to where a divergence is rounding ("noise").
        link: How the first model's figures go with those of an audit (`weakspot.report.explain_links`).

    """
    data, seed = manifest["data"], int(manifest["seed"])
    names = list(data["classes"])
    models = []
    for described, side in zip(manifest["model"], sides, strict=True):
        forms = forms_in(side.table, len(names))
        surfaces = {}
        for pair, grids in side.surfaces.items():
            surfaces[pair] = surface_section(grids, names, seed)
            surfaces[pair]["not_finite"] = int(np.isnan(grids["decision"]).sum())
        made = {
            "model": dict(described),
            "calibration": {"gap": side.calibration["gap"], "images": len(side.calibration["rows"])},
            "proof": _of_forms(side.calibration["proof"], forms),
            "psi": psi_section(side.table, names, seed),
            "convergence": convergence_section(side.traces, forms),
            "surfaces": surfaces,
            "cost": cost_section(side.table, side.surfaces),
        }
        models.append(made | {"notes": notes(made)})
    return {
        "schema": SCHEMA,
        "data": {key: data[key] for key in ("name", "split", "classes", "samples")},
        "radius": manifest["config"]["radius"],
        "seed": seed,
        "constants": dict(constants),
        "models": models,
        "audit": link,
    }
