"""`latent.json` of a run: where the classes lie in feature space, before and after a threat, as plain values.

Keys (null stands for what is undefined; an estimate is {value, low, high}, 95 %; K classes, in their order):

- layer: path of the module whose input the features are; features: how many; samples: images; threat: address or null;
  neighbours: k of the purity.
- clean, attacked (null without a threat): {between, within, ratio, low, high, chance, purity}: traces of the scatter
  matrices, their ratio with its interval and its value by chance; the mean purity of all images.
- classes: [{name, samples, chance, clean, attacked, shift, toward}]
    chance: the purity where labels are dealt at random;
    clean, attacked: {spread: estimate, nearest: class name, distance: estimate (to it), cosine: distance to it,
      mean_distance: estimate (to all other classes), purity: estimate}; attacked purity is among clean images;
    shift: estimate, how far the threat moves the class mean; toward: the other class whose clean mean is nearest to the
      attacked mean.
- explains (null without outcomes of a threat): {samples_of: "training" | "test", robust: [K], r2, r2_left_out, classes,
  freedom, constant: [names], variables: {name: {values: [K], rank_correlation: estimate, coefficient: estimate,
  unique}}} for the variables distance, margin, samples, cfps (`weakspot.analysis.reasons`).
- distances (null above 100 classes): {clean, attacked, attacked_to_clean: {euclidean: [[K]], cosine: [[K]]}}; row = the
  first-named. The diagonal of attacked_to_clean is the shift.
- maps: {sample, label, clean_prediction, attacked_prediction: [points], pca, tsne: {clean, attacked: [[x, y]],
  explained: [2], says}}; tsne is null for fewer than 10 images, what is attacked is null without a threat.

`summary.json` holds all but distances and maps. In a run's file stands `made_from` besides: whether it must be computed
again (`weakspot.latent_space`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from weakspot.analysis.arrays import ClassCounts
from weakspot.analysis.latent import Estimate, Geometry, crossing, geometry, moments, shift
from weakspot.analysis.neighbours import NEIGHBOURS, chance, class_means, purity
from weakspot.analysis.reasons import class_variables, reasons
from weakspot.analysis.scatter import scatter
from weakspot.contracts import Classifier, Data, Threat
from weakspot.landscape.maps import POINTS, Map, draw_maps
from weakspot.landscape.seen import SAMPLES, Seen, choose, look
from weakspot.outcomes import Outcomes

FULL_DISTANCES = 100
"""Up to this many classes all pairs are listed."""


def latent(
    model: Classifier,
    data: Data,
    threat: Threat | None,
    *,
    layer: str | None = None,
    limit: int = SAMPLES,
    seed: int = 0,
    device: torch.device | str = "cpu",
    outcomes: tuple[Outcomes, Outcomes] | None = None,
    trained: ClassCounts | None = None,
) -> dict[str, Any]:
    """Look at a model's features and describe them; arguments as in `look` and `describe`.

    Raises:
        InputError: no such layer, a model without layers, or features or logits that are not finite.

    """
    seen = look(model, data, threat, layer=layer, limit=limit, seed=seed, device=device)
    return describe(seen, seed=seed, outcomes=outcomes, trained=trained)


def describe(
    seen: Seen, *, seed: int = 0, outcomes: tuple[Outcomes, Outcomes] | None = None, trained: ClassCounts | None = None
) -> dict[str, Any]:
    """All latent figures of one model, with the keys above.

    Args:
        seen: Its features.
        seed: Of the maps.
        outcomes: Clean rows of a run, and the rows by which it judges robustness, one per sample; without them the
            images that were looked at are used.
        trained: Training images per class, where known.

    """
    many, label = len(seen.classes), seen.label
    clean = _side(seen.clean, seen, many)
    attacked = None if seen.attacked is None else _side(seen.attacked, seen, many)
    moved = None if seen.attacked is None else shift(seen.clean, seen.attacked, label, many)
    tables = _tables(seen, clean["geometry"], attacked["geometry"] if attacked else None, moved)
    crossed = tables.get("attacked_to_clean")
    by_chance = chance(np.bincount(label, minlength=many))
    entries = [
        {
            "name": name,
            "samples": int(clean["geometry"].samples[c]),
            "chance": by_chance[c],
            "clean": _entry(clean, seen, c),
            "attacked": _entry(attacked, seen, c) if attacked else None,
            "shift": _estimate(moved, c) if moved else None,
            "toward": _nearest_other(crossed["euclidean"], c, seen.classes) if crossed else None,
        }
        for c, name in enumerate(seen.classes)
    ]
    found = {
        "layer": seen.layer,
        "features": seen.clean.shape[1],
        "samples": len(label),
        "threat": seen.threat,
        "neighbours": NEIGHBOURS,
        "clean": clean["whole"],
        "attacked": attacked["whole"] if attacked else None,
        "classes": entries,
        "explains": _explains(seen, clean["geometry"], outcomes, trained),
        "distances": tables if many <= FULL_DISTANCES else None,
        "maps": _maps(seen, seed),
    }
    return _plain(found)


def _side(features: np.ndarray, seen: Seen, many: int) -> dict[str, Any]:
    """The figures of the clean or of the attacked images."""
    shares = purity(features, seen.clean, seen.label)
    whole = vars(scatter(features, seen.label, many)) | {"purity": shares.mean() if len(shares) else np.nan}
    return {
        "geometry": geometry(features, seen.label, many),
        "purity": class_means(shares, seen.label, many),
        "whole": whole,
    }


def _entry(side: Mapping[str, Any], seen: Seen, c: int) -> dict[str, Any]:
    found: Geometry = side["geometry"]
    nearest = int(found.nearest[c])
    return {
        "spread": _estimate(found.spread, c),
        "nearest": seen.classes[nearest] if nearest >= 0 else None,
        "distance": _estimate(found.nearest_distance, c),
        "cosine": found.cosine[c, nearest] if nearest >= 0 else None,
        "mean_distance": _estimate(found.mean_distance, c),
        "purity": _estimate(side["purity"], c),
    }


def _tables(seen: Seen, clean: Geometry, attacked: Geometry | None, moved: Estimate | None) -> dict[str, Any]:
    """Distances between all class means."""
    tables: dict[str, Any] = {"clean": {"euclidean": clean.distance, "cosine": clean.cosine}}
    if attacked is None or moved is None or seen.attacked is None:
        return tables
    tables["attacked"] = {"euclidean": attacked.distance, "cosine": attacked.cosine}
    before, after = (moments(each, seen.label, len(seen.classes)) for each in (seen.clean, seen.attacked))
    euclidean, cosine = crossing(before, after, moved.value)
    tables["attacked_to_clean"] = {"euclidean": euclidean, "cosine": cosine}
    return tables


def _nearest_other(table: np.ndarray, c: int, classes: tuple[str, ...]) -> str | None:
    row = np.where(np.isnan(table[c]), np.inf, table[c])
    row[c] = np.inf
    return classes[int(row.argmin())] if np.isfinite(row).any() else None


def _explains(
    seen: Seen, clean: Geometry, outcomes: tuple[Outcomes, Outcomes] | None, trained: ClassCounts | None
) -> dict[str, Any] | None:
    if outcomes is None:
        if seen.attacked_rows is None:
            return None
        outcomes = seen.clean_rows, seen.attacked_rows
    many = len(seen.classes)
    variables = class_variables(*outcomes, clean.nearest_distance.value, many, trained)
    found = reasons(outcomes[1], variables, many)
    fit = found.regression
    place = {name: at for at, name in enumerate(fit.names)}
    described = {}
    for name, values in found.variables.items():
        rank, at = found.correlations[name], place.get(name)
        described[name] = {
            "values": values,
            "rank_correlation": {"value": rank.value, "low": rank.low, "high": rank.high},
            "coefficient": None if at is None else _estimate(Estimate(fit.coefficient, fit.low, fit.high), at),
            "unique": None if at is None else fit.unique[at],
        }
    return {
        "samples_of": "test" if trained is None else "training",
        "robust": found.robust,
        "r2": fit.r2,
        "r2_left_out": fit.r2_left_out,
        "classes": fit.classes,
        "freedom": fit.freedom,
        "constant": list(found.constant),
        "variables": described,
    }


def _maps(seen: Seen, seed: int) -> dict[str, Any]:
    """Both maps of at most POINTS points, as many of each class as there are."""
    share = POINTS if seen.attacked is None else POINTS // 2
    at = choose(torch.from_numpy(seen.label), share, seed)
    drawn = draw_maps(seen.clean[at], None if seen.attacked is None else seen.attacked[at], seed)
    maps: dict[str, Any] = {
        "sample": seen.sample[at],
        "label": seen.label[at],
        "clean_prediction": seen.clean_rows.prediction[at],
        "attacked_prediction": None if seen.attacked_rows is None else seen.attacked_rows.prediction[at],
        "pca": None,
        "tsne": None,
    }
    return maps | {each.method: _map(each) for each in drawn}


def _map(drawn: Map) -> dict[str, Any]:
    def short(points: np.ndarray) -> list[list[float]]:  # five digits draw any map
        return [[float(f"{x:.5g}") for x in point] for point in points]

    return {
        "clean": short(drawn.clean),
        "attacked": None if drawn.attacked is None else short(drawn.attacked),
        "explained": None if drawn.explained is None else list(drawn.explained),
        "says": drawn.says,
    }


def _estimate(of: Estimate, at: int) -> dict[str, Any]:
    return {"value": of.value[at], "low": of.low[at], "high": of.high[at]}


def _plain(value: Any) -> Any:
    """Values that JSON knows: lists for arrays, None for what is not finite."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | np.ndarray):
        return [_plain(each) for each in value]
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
