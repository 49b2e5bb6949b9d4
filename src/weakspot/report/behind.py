"""The images behind a cell of the confusion, as PNG files and a table of margins."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from weakspot.addresses import slug
from weakspot.errors import InputError, unknown
from weakspot.outcomes import Outcomes
from weakspot.report.judged import CORRUPTED, rows_of
from weakspot.report.summary import CLEAN
from weakspot.report.thumbnails import drawn, magnified, unit
from weakspot.report.words import printable
from weakspot.store import write_atomically, write_text

MOST = 100
"""How many images are read again from the data at most: of a large cell a folder of thousands would help nobody."""


@dataclass(frozen=True)
class Kept:
    """One image of the cell, and the files made of it."""

    threat: str
    """The threat that the image is of; "clean" where it was wrong already when clean."""
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
    stored: bool
    """Whether the run stored the image; else it was read again from the data."""
    factor: int
    """How much the picture of what was added is magnified; 0 where there is none."""
    clean: str
    added: str
    """Empty where nothing was added, and where the attacked image is not stored."""
    attacked: str
    """Empty where it is not stored; the clean image where nothing was added."""


@dataclass(frozen=True)
class Behind:
    """What a cell holds, and what of it can be shown."""

    source: str
    predicted: str
    threat: str
    images: int
    """Rows of the source class."""
    rows: int
    """Of them, those in the cell."""
    wrong_when_clean: int
    """Of those, the ones that were so before the attack: nothing was added."""
    kept: list[Kept]
    """The images that are shown, those that the run stored first."""
    data: str
    """The address from which images that are not stored are read."""
    unread: str | None
    """Why they could not be read; null where they were, or none was missing."""


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
    again: Callable[[Sequence[int]], np.ndarray],
    cell: tuple[int, int],
    threat: str,
    folder: Path,
    missing: Sequence[str] = (),
) -> Behind:
    """Write the images of a cell into `folder`, and tell what there is; nothing is computed again.

    Args:
        manifest: The run's manifest.json.
        rows: All its rows.
        records: The stored images with threat, sample, label, prediction, clean and attacked (C, H, W).
        again: The clean images of these samples from the data, (n, C, H, W); asked for those that are not stored.
            It raises InputError where the data cannot be read again.
        cell: The numbers of the true and the predicted class, which differ.
        threat: An address of the manifest, "robust" (first radius) or "corrupted".
        folder: Gets up to three PNG files for each image, and margins.csv.
        missing: Planned files of outcomes that do not exist yet, as for `summary.summarise`.

    Raises:
        InputError: no such threat. SetupError: the folder cannot be written.

    """
    mine, by = rows_of(manifest, rows, threat, missing, aimed=cell[1])
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
    lacking = sorted((key for key in wanted if key not in kept), key=lambda key: key[::-1])[: max(0, MOST - len(kept))]
    unread = None
    try:
        images = again([sample for _, sample in lacking]) if lacking else ()
    except InputError as error:
        images, unread = (), str(error)
    read = [
        _write(
            folder,
            {"threat": key[0], "sample": key[1], "clean": image, "attacked": image if key[0] == CLEAN else None},
            mine,
            wanted[key],
            before.get(key[1], float("nan")),
        )
        for key, image in zip(lacking, images, strict=False)
    ]
    names = manifest["data"]["classes"]
    found = [*(kept[key] for key in sorted(kept)), *(replace(each, stored=False) for each in read)]
    if found:
        write_text(folder / "margins.csv", margins(found))
    return Behind(
        source=names[cell[0]],
        predicted=names[cell[1]],
        threat=threat,
        images=int(source.sum()),
        rows=len(inside),
        wrong_when_clean=sum(by[i] == CLEAN for i in inside),
        kept=found,
        data=manifest["data"]["name"],
        unread=unread,
    )


def _write(folder: Path, record: Mapping[str, Any], rows: Outcomes, at: int, before: float) -> Kept:
    """The pictures of one image: clean and, where something was added and is known, what it was and the result."""
    clean, start, factor = unit(record["clean"]), f"{int(record['sample']):06d}", 0
    files = {"clean": f"{start}-clean.png", "added": "", "attacked": ""}
    pictures = {"clean": clean}
    if record["threat"] == CLEAN:
        files["attacked"] = files["clean"]
    elif record["attacked"] is not None:
        attacked = unit(record["attacked"])
        start = f"{start}-{slug(str(record['threat']))}"
        added, factor = magnified(clean, attacked)
        pictures |= {"added": added, "attacked": attacked}
        files |= {"added": f"{start}-added-x{factor}.png", "attacked": f"{start}-attacked.png"}
    for what, image in pictures.items():
        write_atomically(folder / files[what], partial(drawn(image).save, format="PNG"))
    return Kept(
        threat=str(record["threat"]),
        sample=int(record["sample"]),
        clean_margin=before,
        margin=float(rows.margin[at]),
        confidence=float(rows.confidence[at]),
        distance_linf=float(rows.distance_linf[at]),
        distance_l2=float(rows.distance_l2[at]),
        found_by=str(rows.found_by[at]),
        stored=True,
        factor=factor,
        **files,
    )


def margins(kept: Sequence[Kept]) -> str:
    """The table of the stored images as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Kept)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(each) for each in kept)
    return text.getvalue()


def told(found: Behind, per_cell: int, block: int) -> list[str]:
    """What there is and how much of it is shown, and why not all, in sentences."""
    source, predicted = printable(found.source), printable(found.predicted)
    times = "rows" if found.threat == CORRUPTED else "images"
    said = [
        f"{found.rows:,} of {found.images:,} {times} of {source} are seen as {predicted} ({printable(found.threat)})."
    ]
    if not found.rows:
        return said
    if found.wrong_when_clean:
        said.append(f"{found.wrong_when_clean:,} of them were so when clean: nothing was added.")
    stored = sum(each.stored for each in found.kept)
    read = len(found.kept) - stored
    said.append(
        f"Shown: {len(found.kept):,} of {found.rows:,}; {stored:,} as the run stored them (up to {per_cell} for each "
        f"threat, class, predicted class and block of {block:,} samples), {read:,} read again from the data "
        f"{printable(found.data)}."
    )
    if any(not each.attacked for each in found.kept):
        said.append("Where the attacked image is not stored, the clean one stands alone; nothing was computed again.")
    if (rest := found.rows - len(found.kept)) and found.unread is not None:
        said.append(f"The other {rest:,} are not stored, and {printable(found.unread)}.")
    elif rest:
        said.append(f"The other {rest:,} are left out: at most {MOST:,} are shown, those with the lowest numbers.")
    if found.kept:
        said.append("The pictures are rounded to 8 bits; stored arrays are in the run's folder adversarial.")
    return said
