"""Small pictures of found images: clean, what was added (magnified), attacked, as inline PNG."""

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from weakspot.report.schema import Summary
from weakspot.report.words import headline

PAIRS = 12
PER_PAIR = 2
LARGEST = 96
"""Pixels: larger images are scaled down, since the page must stay small."""
BRIGHTEST = 0.35
"""How far from middle grey the magnified part may go: all the way would glare."""
FACTORS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Thumbnail:
    """One found image; the pictures are data addresses."""

    source: str
    target: str
    sample: int
    threat: str
    margin: float
    clean: str
    added: str
    attacked: str
    factor: int
    """How much the added part is magnified; 0 where nothing was added (the image was wrong when clean)."""


@dataclass(frozen=True)
class Group:
    """The found images of one directed pair of classes."""

    source: str
    target: str
    place: tuple[int, int]
    """The numbers of the two classes."""
    count: int
    """How many samples of `source` end as `target` under the headline threat."""
    thumbnails: list[Thumbnail]


def worst_confusions(summary: Summary, images: Iterable[Mapping[str, Any]]) -> list[Group]:
    """The found images of the most frequent confusions, `PER_PAIR` for each of `PAIRS` pairs, attacked ones first.

    Args:
        summary: The run's numbers.
        images: Records with threat, sample, label, prediction, margin, clean and attacked (C, H, W); read once, and
            only those that may be shown are kept.

    """
    _, cell = headline(summary)
    names = summary["data"]["classes"]
    wanted = {} if cell is None else {(c["source"], c["target"]): c["count"] for c in cell["top_confusions"]}
    kept: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for record in images:
        pair = names[int(record["label"])], names[int(record["prediction"])]
        if pair in wanted:
            _keep(kept.setdefault(pair, {}), record)
    ranked = sorted(kept, key=lambda pair: -wanted[pair])[:PAIRS]
    return [
        Group(
            source=source,
            target=target,
            place=(names.index(source), names.index(target)),
            count=wanted[source, target],
            thumbnails=[_thumbnail(record, source, target) for record in kept[source, target].values()],
        )
        for source, target in ranked
    ]


def _keep(kept: dict[int, Mapping[str, Any]], record: Mapping[str, Any]) -> None:
    """Keep at most `PER_PAIR` samples; one that was changed is worth more than one that was wrong already."""
    sample = int(record["sample"])
    if sample in kept:
        return
    if len(kept) < PER_PAIR:
        kept[sample] = record
    elif _changed(record) and (dull := [s for s, other in kept.items() if not _changed(other)]):
        del kept[dull[0]]
        kept[sample] = record


def _changed(record: Mapping[str, Any]) -> bool:
    return bool(np.any(unit(record["clean"]) != unit(record["attacked"])))


def unit(image: np.ndarray) -> np.ndarray:
    """float32 in [0, 1], whether bytes or floats were stored; NaN is shown as black."""
    return np.nan_to_num(image.astype(np.float32) / (255 if image.dtype == np.uint8 else 1))


def _thumbnail(record: Mapping[str, Any], source: str, target: str) -> Thumbnail:
    clean, attacked = unit(record["clean"]), unit(record["attacked"])
    added, factor = magnified(clean, attacked)
    return Thumbnail(
        source=source,
        target=target,
        sample=int(record["sample"]),
        threat=str(record["threat"]),
        margin=float(record["margin"]),
        clean=picture(clean),
        added=picture(added),
        attacked=picture(attacked),
        factor=factor,
    )


def magnified(clean: np.ndarray, attacked: np.ndarray) -> tuple[np.ndarray, int]:
    """What was added, magnified around middle grey, and by how much; factor 0 where nothing was added."""
    added = attacked - clean
    most = float(np.abs(added).max(initial=0.0))
    factor = max([f for f in FACTORS if f * most <= BRIGHTEST], default=1) if most > 0 else 0
    return 0.5 + factor * added, factor


def drawn(image: np.ndarray) -> Image.Image:
    """An image of shape (C, H, W) in [0, 1], rounded to 8 bits; unless C is 3 it is grey, the mean of the channels."""
    pixels = np.round(255 * np.clip(image if len(image) == 3 else image.mean(axis=0, keepdims=True), 0, 1))
    return Image.fromarray(pixels.astype(np.uint8).transpose(1, 2, 0).squeeze(axis=2) if len(pixels) == 1
                            else pixels.astype(np.uint8).transpose(1, 2, 0))  # fmt: skip


def picture(image: np.ndarray) -> str:
    """An image of shape (C, H, W) in [0, 1] as the address of a small inline PNG."""
    small = drawn(image)
    small.thumbnail((LARGEST, LARGEST))
    file = io.BytesIO()
    small.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
