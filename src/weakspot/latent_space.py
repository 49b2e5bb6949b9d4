"""The latent figures of a run: computed once all its rows exist, stored as latent.json, kept while they fit the run."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from weakspot import auditing
from weakspot.analysis.arrays import ClassCounts
from weakspot.contracts import Classifier, Threat
from weakspot.data import load as load_data
from weakspot.errors import InputError, SetupError
from weakspot.landscape.features import features_of, find_layer
from weakspot.landscape.latent import describe
from weakspot.landscape.seen import SAMPLES, look
from weakspot.outcomes import Outcomes
from weakspot.planning import Prepared
from weakspot.report.summary import CLEAN, robust_rows
from weakspot.run import FEATURES, LATENT, Run
from weakspot.store import read_json, write_arrays, write_json
from weakspot.threats import parse_threat

AUTO = "auto"
"""Asks for the last linear layer, wherever it is."""
SCHEMA = 1
"""Raised whenever a key of latent.json changes its meaning: older files are computed again."""


def layer_of(prepared: Prepared, module: Classifier, remark: Callable[[str], None]) -> str | None:
    """The path of the layer whose input is wanted; None where none was asked for, or none can be found.

    Raises:
        InputError: the layer was named, and features cannot be read from it.

    """
    wanted = prepared.config.latent
    if wanted is None:
        return None
    images = prepared.data.batch([0]).to(prepared.device)
    try:
        layer = find_layer(module, images, len(prepared.data.classes), None if wanted == AUTO else wanted)
        features_of(module, layer, images)
    except InputError as error:
        if wanted != AUTO:
            raise
        remark(f"no figures of feature space: {error}")
        return None
    return layer.name


def look_inside(
    prepared: Prepared, module: Classifier, run: Run, layer: str, remark: Callable[[str], None], offline: bool = False
) -> None:
    """Write latent.json of a run whose rows are all there, unless it is there and fits; a failure is a remark.

    The clean features stand beside it, for `weakspot compare` to align two models.
    """
    path = prepared.folder / LATENT
    made_from = {"schema": SCHEMA, "layer": layer, "limit": SAMPLES, "run": _digest(prepared.manifest)}
    if path.exists():
        stored = _stored(path)
        if stored == made_from and (prepared.folder / FEATURES).exists():
            return
        remark(f"computing {LATENT} again: it is {'damaged' if stored is None else 'of another layer or run'}")
    remark(f"looking at the features before layer {layer}")
    try:
        seed = prepared.config.seed
        seen = look(module, prepared.data, attack_of(prepared), layer=layer, seed=seed, device=prepared.device)
        found = describe(seen, seed=seed, outcomes=_judged(run), trained=trained(prepared, offline))
    except InputError as error:
        remark(f"no figures of feature space: {error}")
        return
    write_arrays(
        prepared.folder / FEATURES, sample=seen.sample, label=seen.label, features=seen.clean.astype(np.float32)
    )
    write_json(path, {"made_from": made_from, **found})  # last: where it is, the features are


def attack_of(prepared: Prepared) -> Threat | None:
    """What the images are attacked by: PGD, the run's own one where it has one, at its first radius; None without.

    One plain attack to its end shows where images are driven; an ensemble that stops at the first success shows where
    it gave up, and costs as much as the audit.
    """
    attacks = [threat for threat in prepared.threats if threat.kind == "adversarial"]
    own = next((threat for threat in attacks if threat.name == "pgd"), None)
    if own is not None or not attacks:
        return own
    try:
        return parse_threat("pgd", getattr(attacks[0], "radius", None))
    except InputError:  # PGD has no such ball; what makes several images of one has no place here
        return next((threat for threat in attacks if not hasattr(threat, "cases")), None)


def trained(prepared: Prepared, offline: bool = False) -> ClassCounts | None:
    """Training images per class, where the model is a folder of `weakspot train` whose data can be read again."""
    folder = Path(prepared.model.address)
    if not (folder / "model.json").is_file() or not (folder / "config.yaml").is_file():
        return None
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    try:
        data = load_data(str(config["data"]), split="train", offline=offline, seed=int(config["seed"]))
    except (InputError, SetupError, KeyError):
        return None
    if data.digest() != config.get("data_digest") or data.classes != prepared.data.classes:
        return None
    return np.bincount(data.labels.numpy(), minlength=len(data.classes))


def _judged(run: Run) -> tuple[Outcomes, Outcomes] | None:
    """Clean rows, and those by which the run judges robustness; None without attacks."""
    attacks = [threat for threat in run.manifest["threats"] if threat["kind"] == "adversarial"]
    if not attacks:
        return None
    by_threat = {threat["address"]: run.rows.of(threat["address"]) for threat in run.manifest["threats"]}
    return by_threat[CLEAN], robust_rows(run.manifest, by_threat, attacks[0]["radius"] or "", ())


def _digest(manifest: dict[str, Any]) -> str:
    """Of what makes the run the run it is."""
    identity = json.dumps([manifest[key] for key in auditing.IDENTITY], sort_keys=True)
    return sha256(identity.encode()).hexdigest()


def _stored(path: Path) -> Any:
    """What a latent.json was made from; None where it cannot be read."""
    try:
        return read_json(path)["made_from"]
    except (InputError, KeyError, TypeError):
        return None
