"""Why classes are weak: psi and surfaces measured, stored and reported; an explanation's folder as an object."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from weakspot import auditing
from weakspot.addresses import Radius, slug
from weakspot.analysis.shape import SHOWN, spread
from weakspot.config import to_yaml
from weakspot.contracts import Classifier
from weakspot.data import limit as first_of
from weakspot.errors import InputError
from weakspot.explain_plan import Plan, prepare_explanation
from weakspot.explaining import files, measure
from weakspot.explaining.files import Table
from weakspot.fit import check_fit
from weakspot.landscape.divergence import NOISE, Divergence
from weakspot.landscape.forms import calibrate
from weakspot.landscape.pairs import Planes
from weakspot.landscape.surfaces import REACH, STEPS
from weakspot.models import frozen
from weakspot.models.exported import Exported
from weakspot.planning import on_device
from weakspot.report.explain_figures import draw_figures
from weakspot.report.explain_html import write_explanation
from weakspot.report.explain_links import link_section
from weakspot.report.explain_summary import Measured, summarise_explanation
from weakspot.run import Run
from weakspot.run import open_run as open_audit
from weakspot.store import read_json, write_json, write_text

PAIRS = ("gradient,random", "attack,random")
IMAGES = 100
SIDES = ("model", "beside")
"""The folders of the two models."""


@dataclass(frozen=True)
class Explanation:
    """What an explanation left in its folder."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What it is made of."""
        return read_json(self.folder / "manifest.json")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The numbers of explain.json."""
        return read_json(self.folder / "explain.json")

    @property
    def classes(self) -> list[dict[str, Any]]:
        """One entry per class: psi of the first model in form B, with intervals."""
        return self.summary["models"][0]["psi"]["B"]["classes"]

    @property
    def page(self) -> Path:
        """The report, one file."""
        return self.folder / "explain.html"

    def rows(self, side: str = "model") -> Table:
        """A row for each image and form of psi; `side` is "model" or "beside"."""
        return _stored(files.read_table, self.folder / side / "psi.parquet")

    def grids(self, pair: str, side: str = "model") -> Table:
        """The surfaces of a pair of directions, such as "gradient,random"."""
        return _stored(files.read_grids, self.folder / side / "surfaces" / f"{slug(pair)}.npz")


def _stored(read: Callable[[Path], Table | None], path: Path) -> Table:
    found = read(path)
    if found is None:
        raise InputError(f"expected {path}, which is absent or damaged; repeat weakspot explain to make it again")
    return found


def explain(
    model: Any = None,
    data: Any = None,
    *,
    weights: str | Path | None = None,
    beside: Any = None,
    beside_weights: str | Path | None = None,
    radius: str | Radius | None = None,
    pairs: Sequence[str] = PAIRS,
    images: int = IMAGES,
    steps: int = STEPS,
    restarts: int = 1,
    parameters: bool = False,
    audit: str | Path | Run | None = None,
    limit: int | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    offline: bool = False,
    trust_pickle: bool = False,
    remark: Callable[[str], None] | None = None,
) -> Explanation:
    """Measure how far predictions can be moved (psi) and the surfaces around images, and write a folder with a report.

    Args:
        model: As for `weakspot.audit`.
        data: As for `weakspot.audit`.
        weights: A file of weights for the model.
        beside: A second model for the same data, drawn beside the first on the same scale.
        beside_weights: A file of weights for it.
        radius: Of the ball, linf or l2; None: the data set's customary one.
        pairs: Two directions for each surface: gradient, random, attack, towards:CLASS or mean:CLASS.
        images: How many images the surfaces are made of, as many of each class; psi is measured for all.
        steps: Points of a surface along each direction, odd.
        restarts: Of the search for psi; the report says what share of a thorough search one finds.
        parameters: Also the surface over two directions of the parameters.
        audit: A finished audit of the same model and data, whose class accuracies the figures are related to.
        limit: Only the first N samples.
        out: The folder; by default a name that follows from what is asked.
        device: "auto", "cpu", "cuda", ...
        seed: Names all random draws.
        offline: Touch no network.
        trust_pickle: Load weights that would execute code.
        remark: Called with each line worth knowing.

    Raises:
        InputError: wrong input; SetupError: the machine must change.

    """
    tell = remark or (lambda _: None)
    linked = None if audit is None else audit if isinstance(audit, Run) else open_audit(audit)
    plan = prepare_explanation(
        model, data, weights=weights, beside=beside, beside_weights=beside_weights, radius=radius, pairs=pairs,
        images=images, steps=steps, restarts=restarts, parameters=parameters, limit=limit, out=out,
        device=device, seed=seed, offline=offline, trust_pickle=trust_pickle,
    )  # fmt: skip
    if linked is not None:
        refuse_other_audit(linked, plan)
    for loaded in plan.models:
        module = on_device(plan.device, loaded.module)
        with frozen(module):
            check_fit(module, plan.data, plan.device)
    for line in auditing.open_run(plan.folder, plan.manifest):
        tell(line)
    text = to_yaml(plan.config)
    write_text(plan.folder / "config.yaml", text)
    for side, loaded in zip(SIDES, plan.models, strict=False):
        module = on_device(plan.device, loaded.module)
        with frozen(module):
            _measure(plan, side, module, tell)
    tell("drawing")
    _write_report(plan, linked)
    return Explanation(plan.folder)


def refuse_other_audit(run: Run, plan: Plan) -> None:
    """Refuse an audit that is not finished, or of another model or other data.

    Raises:
        InputError: it does not belong to this explanation.

    """
    about, ours = run.manifest["data"], plan.manifest["data"]
    if run.missing:
        raise InputError(f"{run.folder} is not finished: {len(run.missing)} units are missing; repeat its audit")
    if run.manifest["model"]["digest"] != plan.models[0].digest:
        raise InputError(f"{run.folder} is an audit of another model; audit this one, or explain that one")
    if [about[key] for key in ("name", "split", "classes")] != [ours[key] for key in ("name", "split", "classes")]:
        raise InputError(f"{run.folder} is an audit on {about['name']}, this is on {ours['name']}; use the same data")
    # Either may see the first samples only: the audit's are compared with as many of these.
    seen = first_of(plan.whole, about["samples"])
    if about["digest"] != (ours["digest"] if len(seen) == len(plan.data) else seen.digest()):
        raise InputError(
            f"{run.folder} is an audit on other data of the same name, {about['name']}: images or labels differ; "
            "use the same data"
        )


def _measure(plan: Plan, side: str, model: Classifier, tell: Callable[[str], None]) -> None:
    """Everything of one model; what is stored and whole is kept."""
    folder, search = plan.folder / side, Divergence(radius=plan.radius, restarts=plan.config.restarts)
    about = f"{plan.manifest['model'][SIDES.index(side)]['address']}"
    if files.read_table(folder / "psi.parquet") is None or not (folder / "calibration.json").exists():
        tell(f"{about}: psi of {len(plan.data):,} images in three forms")
        fitted = calibrate(model, plan.whole, plan.device)
        proof = measure.prove_invariance(model, plan.data, plan.whole, search, fitted, plan.config.seed, plan.device)
        rows, traces = measure.measure_psi(model, plan.data, search, fitted, plan.config.seed, plan.device)
        files.write_grids(folder / "convergence.npz", traces)
        stored = {"gap": fitted.gap, "rows": list(fitted.rows), "proof": proof}
        write_json(folder / "calibration.json", stored)
        files.write_table(folder / "psi.parquet", rows)
    for pair in plan.pairs:
        path = folder / "surfaces" / f"{slug(str(pair))}.npz"
        if files.read_grids(path) is None:
            tell(f"{about}: surfaces {pair} of {len(plan.drawn)} images")
            planes = Planes.of(pair, plan.whole, plan.radius, plan.config.seed)
            found = measure.measure_surfaces(
                model, plan.data, plan.drawn, planes, plan.config.steps, REACH, plan.device
            )
            # Each file says itself what its arrays are of: labels and classes are positions in class_names.
            named: Table = {
                "class_names": np.array(plan.data.classes),
                "radius": np.array(str(plan.radius)),
                "directions": np.array([str(pair.first), str(pair.second)]),
            }
            files.write_grids(path.with_name(f"{path.stem}-classes.npz"), named | _class_grids(found))
            files.write_grids(path, named | found)
    path = folder / "parameters.npz"
    if plan.config.parameters and files.read_grids(path) is None:
        if isinstance(model, nn.Module) and not isinstance(model, Exported):
            tell(f"{about}: surface over its parameters")
            files.write_grids(
                path, measure.measure_parameters(model, plan.data, plan.drawn, plan.config.seed, plan.device)
            )
        else:
            tell(f"{about} shows no parameters, so there is no surface over them")


def _class_grids(found: Table) -> Table:
    """Mean and quantiles of both surfaces, overall and of each class that has images."""
    present = np.unique(found["label"])
    made: Table = {"first": found["first"], "second": found["second"], "classes": present}
    made["quantile_levels"] = np.array(SHOWN)
    for surface in ("cross_entropy", "decision"):
        groups = [spread(found[surface]), *(spread(found[surface][found["label"] == c]) for c in present)]
        made[f"{surface}_mean"] = np.stack([each.mean for each in groups[1:]]).astype(np.float32)
        made[f"{surface}_quantiles"] = np.stack([each.quantiles for each in groups[1:]]).astype(np.float32)
        made[f"{surface}_mean_all"] = groups[0].mean.astype(np.float32)
        made[f"{surface}_quantiles_all"] = groups[0].quantiles.astype(np.float32)
    return made


def _write_report(plan: Plan, audit: Run | None) -> None:
    """explain.json, the figures and the page, from what is stored."""
    config, sides = plan.config, []
    for side, _ in zip(SIDES, plan.models, strict=False):
        folder = plan.folder / side
        sides.append(
            Measured(
                table=_stored(files.read_table, folder / "psi.parquet"),
                traces=_stored(files.read_grids, folder / "convergence.npz"),
                calibration=read_json(folder / "calibration.json"),
                surfaces={
                    pair: _stored(files.read_grids, folder / "surfaces" / f"{slug(pair)}.npz") for pair in config.pairs
                },
                parameters=files.read_grids(folder / "parameters.npz"),
            )
        )
    link = None
    if audit is not None:
        link = link_section(
            str(audit.folder), audit.manifest, audit.rows, sides[0], plan.config.radius, plan.config.seed
        )
    thorough = measure.thorough_of(Divergence(radius=plan.radius, restarts=config.restarts))
    constants = {"noise": NOISE, "thorough_restarts": thorough.restarts, "thorough_steps": thorough.steps}
    summary = summarise_explanation(plan.manifest, sides, measure.CONSTANTS | constants, link)
    write_json(plan.folder / "explain.json", summary)
    drawn = draw_figures(plan.folder / "figures", summary, sides)
    write_explanation(plan.folder / "explain.html", summary, drawn)
