"""The images behind a cell of the confusion: what is stored of them, as PNG files and a table of margins."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from weakspot.addresses import slug
from weakspot.errors import InputError, unknown
from weakspot.outcomes import Outcomes
from weakspot.report.summary import CLEAN, robust_rows
from weakspot.report.thumbnails import drawn, magnified, unit
from weakspot.report.words import printable
from weakspot.store import write_atomically

ROBUST, CORRUPTED = "robust", "corrupted"


@dataclass(frozen=True)
class Kept:
    """One stored image of the cell, and the files made of it."""

    threat: str
    sample: int
    clean_margin: float
    """The true class's logit minus the best other one on the clean image; NaN without a clean row."""
    margin: float
    """The same on the attacked image."""
    confidence: float
    """Softmax probability of the predicted class on the attacked image."""
    distance_linf: float
    distance_l2: float
    found_by: str
    factor: int
    """How much the picture of what was added is magnified."""
    clean: str
    added: str
    attacked: str


@dataclass(frozen=True)
class Behind:
    """What a cell holds, and what of it is stored."""

    source: str
    predicted: str
    threat: str
    images: int
    """Rows of the source class."""
    rows: int
    """Of them, those in the cell."""
    wrong_when_clean: int
    """Of those, the ones that were so before the attack: nothing was added, so nothing is stored."""
    kept: list[Kept]


def class_number(names: Sequence[str], given: str) -> int:
    """The number of the class called `given`; a number itself where no class has that name.

    Raises:
        InputError: there is none, or several.

    """
    found = [c for c, name in enumerate(names) if name == given]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(map(str, found))
        raise InputError(f"{len(found)} classes are called {given!r}; give one's number: {numbers}")
    if given.isdigit() and int(given) < len(names):
        return int(given)
    # Of a thousand classes only the nearest are listed.
    raise unknown("class", given, names if len(names) <= 50 else get_close_matches(given, names, n=5, cutoff=0))


def behind(
    manifest: Mapping[str, Any],
    rows: Outcomes,
    records: Iterable[Mapping[str, Any]],
    cell: tuple[int, int],
    threat: str,
    folder: Path,
    missing: Sequence[str] = (),
) -> Behind:
    """Write the stored images of a cell into `folder`, and tell what there is; nothing is computed again.

    Args:
        manifest: The run's manifest.json.
        rows: All its rows.
        records: The stored images with threat, sample, label, prediction, clean and attacked (C, H, W).
        cell: The numbers of the true and the predicted class, which differ.
        threat: An address of the manifest, "robust" (first radius) or "corrupted".
        folder: Gets three PNG files for each image, and margins.csv.
        missing: Planned files of outcomes that do not exist yet, as for `summary.summarise`.

    Raises:
        InputError: no such threat. SetupError: the folder cannot be written.

    """
    mine, by = _of_threat(manifest, rows, threat, cell[1], missing)
    source = mine.label == cell[0]
    inside = np.flatnonzero(source & (mine.prediction == cell[1]))
    wanted = {(by[i], int(mine.sample[i])): i for i in reversed(inside.tolist())}
    clean = rows.of(CLEAN)
    before = dict(zip(clean.sample.tolist(), clean.margin.tolist(), strict=True))
    kept: dict[tuple[str, int], Kept] = {}
    for record in records:
        key = str(record["threat"]), int(record["sample"])
        if key in wanted and key not in kept and int(record["prediction"]) == cell[1]:
            kept[key] = _write(folder, record, mine, wanted[key], before.get(key[1], float("nan")))
    names = manifest["data"]["classes"]
    found = [kept[key] for key in sorted(kept)]
    if found:
        write_atomically(folder / "margins.csv", lambda aside: aside.write_text(margins(found), encoding="utf-8"))
    return Behind(
        source=names[cell[0]],
        predicted=names[cell[1]],
        threat=threat,
        images=int(source.sum()),
        rows=len(inside),
        wrong_when_clean=int((mine.found_by[inside] == CLEAN).sum()) if threat != CLEAN else len(inside),
        kept=found,
    )


def _of_threat(
    manifest: Mapping[str, Any], rows: Outcomes, threat: str, predicted: int, missing: Sequence[str]
) -> tuple[Outcomes, list[str]]:
    """The rows of a threat, and the address under which each row's image is stored.

    Of a threat that aims at classes, the rows that aim at the predicted one.
    """
    kinds = {each["address"]: each["kind"] for each in manifest["threats"]}
    known = [*kinds]
    corrupting = [address for address, kind in kinds.items() if kind == "corruption"]
    radii = [each["radius"] or "" for each in manifest["threats"] if each["kind"] == "adversarial"]
    known += [CORRUPTED] if corrupting else []
    known += [ROBUST] if radii else []
    if threat not in known:
        raise unknown("threat", threat, known)
    if threat == ROBUST:
        by_threat = {address: rows.of(address) for address in kinds}
        worst = robust_rows(manifest, by_threat, radii[0], missing)
        return worst, worst.found_by.tolist()
    mine = rows.where(np.isin(rows.threat, corrupting)) if threat == CORRUPTED else rows.of(threat)
    mine = mine.where((mine.target < 0) | (mine.target == predicted))
    return mine, mine.threat.tolist()


def _write(folder: Path, record: Mapping[str, Any], rows: Outcomes, at: int, before: float) -> Kept:
    """The three pictures of one stored image."""
    clean, attacked = unit(record["clean"]), unit(record["attacked"])
    added, factor = magnified(clean, attacked)
    start = f"{int(record['sample']):06d}-{slug(str(record['threat']))}"
    files = {f"{start}-clean.png": clean, f"{start}-added-x{factor}.png": added, f"{start}-attacked.png": attacked}
    for name, image in files.items():
        picture = drawn(image)
        write_atomically(folder / name, lambda aside, picture=picture: picture.save(aside, "PNG"))  # type: ignore[misc]
    names = list(files)
    return Kept(
        threat=str(record["threat"]),
        sample=int(record["sample"]),
        clean_margin=before,
        margin=float(rows.margin[at]),
        confidence=float(rows.confidence[at]),
        distance_linf=float(rows.distance_linf[at]),
        distance_l2=float(rows.distance_l2[at]),
        found_by=str(rows.found_by[at]),
        factor=factor,
        clean=names[0],
        added=names[1],
        attacked=names[2],
    )


def margins(kept: Sequence[Kept]) -> str:
    """The table of the stored images as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Kept)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(each) for each in kept)
    return text.getvalue()


def told(found: Behind, per_cell: int, block: int) -> list[str]:
    """What there is and what is stored of it, in sentences."""
    source, predicted = printable(found.source), printable(found.predicted)
    times = "rows" if found.threat == CORRUPTED else "images"
    said = [
        f"{found.rows:,} of {found.images:,} {times} of {source} are seen as {predicted} ({printable(found.threat)})."
    ]
    if found.wrong_when_clean:
        said.append(f"{found.wrong_when_clean:,} of them were so when clean: nothing was added, and nothing is stored.")
    rest = found.rows - found.wrong_when_clean
    if rest or found.kept:
        stored = f"{len(found.kept):,} {'is' if len(found.kept) == 1 else 'are'} stored"
        said.append(
            f"Of the other {rest:,}, {stored}: an audit keeps up to {per_cell} images for each "
            f"threat, class, predicted class and block of {block:,} samples. Nothing was computed again."
        )
    if found.kept:
        said.append("The pictures are rounded to 8 bits; the exact arrays are in the run's folder adversarial.")
    return said
