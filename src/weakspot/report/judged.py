"""The rows behind a condition (a threat, all corruptions, the worst case), and the stored images that belong to it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from weakspot.errors import InputError, unknown
from weakspot.outcomes import Outcomes
from weakspot.report.summary import CLEAN, robust_rows

ROBUST, CORRUPTED = "robust", "corrupted"
FEW = 8
"""Up to this many threats an error lists them all."""


def judged_by(manifest: Mapping[str, Any]) -> str:
    """What the run is judged by: "robust", without attacks "corrupted", without either "clean"."""
    kinds = {each["kind"] for each in manifest["threats"]}
    return ROBUST if "adversarial" in kinds else CORRUPTED if "corruption" in kinds else CLEAN


def rows_of(
    manifest: Mapping[str, Any], rows: Outcomes, threat: str, missing: Sequence[str] = (), aimed: int | None = None
) -> tuple[Outcomes, list[str]]:
    """The rows of a condition, and the threat under which each row's image is stored.

    That is "clean" where the sample was wrong already when clean. Of a threat that aims at classes these are the rows
    that aim at `aimed`, where that is given.

    Raises:
        InputError: `threat` is none of the run's addresses, "robust" (first radius) or "corrupted".

    """
    kinds = {each["address"]: each["kind"] for each in manifest["threats"]}
    corrupting = [address for address, kind in kinds.items() if kind == "corruption"]
    radii = [each["radius"] or "" for each in manifest["threats"] if each["kind"] == "adversarial"]
    known = [*kinds, *([CORRUPTED] if corrupting else []), *([ROBUST] if radii else [])]
    if threat not in known:
        raise _unknown_threat(threat, known)
    if threat == ROBUST:
        worst = robust_rows(manifest, {address: rows.of(address) for address in kinds}, radii[0], missing)
        return worst, worst.found_by.tolist()
    mine = rows.where(np.isin(rows.threat, corrupting)) if threat == CORRUPTED else rows.of(threat)
    if aimed is not None:
        mine = mine.where((mine.target < 0) | (mine.target == aimed))
    return mine, np.where(mine.found_by == CLEAN, CLEAN, mine.threat).tolist()


def _unknown_threat(given: str, known: Sequence[str]) -> InputError:
    """Of the eighty threats of a whole audit only the nearest are named."""
    if len(known) <= FEW:
        return unknown("threat", given, known)
    near = get_close_matches(given, known, n=3, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? nearest: " if near else "such as "
    some = near or [name for name in known if name in (ROBUST, CORRUPTED)]
    return InputError(
        f"unknown threat {given!r}; {hint}{', '.join(some)}; this run has {len(known)}, listed in its manifest.json"
    )


def images_of_headline(
    manifest: Mapping[str, Any], rows: Outcomes, records: Iterable[Mapping[str, Any]], missing: Sequence[str] = ()
) -> Iterator[Mapping[str, Any]]:
    """Those of the stored images whose rows are the ones by which the run is judged.

    An image that a corruption got wrong says nothing about a cell of the worst case over attacks, and neither does one
    of an attack whose sample another attack drove further.
    """
    mine, by = rows_of(manifest, rows, judged_by(manifest), missing)
    inside = set(zip(by, mine.sample.tolist(), mine.prediction.tolist(), strict=True))
    for record in records:
        if (str(record["threat"]), int(record["sample"]), int(record["prediction"])) in inside:
            yield record
