"""A run folder as an object: its rows, its numbers, its report."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from weakspot.addresses import slug
from weakspot.analysis.cka import Looked
from weakspot.auditing import Unit
from weakspot.data.again import read_again
from weakspot.errors import InputError, reason
from weakspot.outcomes import Outcomes
from weakspot.report.behind import Behind, behind, class_number
from weakspot.report.html import write_html
from weakspot.report.judged import images_of_headline, judged_by
from weakspot.report.latex import to_latex
from weakspot.report.markdown import to_markdown
from weakspot.report.schema import Cell, ClassEntry, Summary, WorstClass
from weakspot.report.summary import summarise
from weakspot.report.values import to_csv
from weakspot.report.words import headline
from weakspot.store import read_json, read_units, write_json, write_text

LATENT = "latent.json"
FEATURES = "features.npz"


def open_run(folder: str | Path) -> "Run":
    """The run in `folder`.

    Raises:
        InputError: there is no manifest.json, or it is none of an audit.

    """
    run = Run(Path(folder))
    if run.manifest.get("verb") != "audit":
        raise InputError(f"{folder} is no audit: its manifest says {run.manifest.get('verb')!r}")
    return run


@dataclass(frozen=True)
class Run:
    """What an audit left in its folder. Numbers are computed from the stored rows on first use."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the run is made of, and its planned units."""
        return read_json(self.folder / "manifest.json")

    @cached_property
    def rows(self) -> Outcomes:
        """All outcomes that exist, threat by threat in the manifest's order, samples in theirs.

        Raises:
            InputError: a stored file is damaged.

        """
        order = {threat["address"]: place for place, threat in enumerate(self.manifest["threats"])}
        units = sorted((unit for unit in self._units if self._exists(unit)), key=lambda u: (order[u.threat], u.block))
        return read_units([self.folder / unit.file for unit in units])

    @property
    def missing(self) -> list[str]:
        """The planned files that do not exist yet."""
        return [unit.file for unit in self._units if not self._exists(unit)]

    @cached_property
    def doubts(self) -> list[dict[str, Any]]:
        """What the evaluation found about itself; empty before the first block is done."""
        path = self.folder / "doubts.json"
        return read_json(path) if path.exists() else []

    @cached_property
    def latent(self) -> dict[str, Any] | None:
        """The content of latent.json, with maps and all distances; None where the run was not asked for it."""
        path = self.folder / LATENT
        return read_json(path) if path.exists() else None

    @cached_property
    def summary(self) -> Summary:
        """The numbers of `summary.json`."""
        return summarise(self.manifest, self.rows, self.doubts, self._cost(), self.missing, self.latent)

    @property
    def features(self) -> Looked | None:
        """The features of the clean images behind latent.json; None where the run was not asked for them.

        Raises:
            InputError: the file is damaged.

        """
        path = self.folder / FEATURES
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                return Looked(stored["sample"], stored["label"], stored["features"])
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise InputError(f"{path} cannot be read ({reason(error)}); delete it and audit again") from error

    @property
    def classes(self) -> list[ClassEntry]:
        """One entry per class under what the run is judged by, as in the report.

        That is the worst case over all attacks; without attacks the mean over corruptions; without either clean images.
        """
        return self._judged_by["classes"]

    @property
    def worst(self) -> WorstClass | None:
        """The weakest class of `classes`: its name, accuracy and interval."""
        return self._judged_by["worst_class"]

    @property
    def robust(self) -> Cell:
        """Accuracy under the worst case over all attacks of the first radius; without attacks, on clean images."""
        return self.summary["robust"] or self.summary["threats"]["clean"]

    @property
    def _judged_by(self) -> Cell:
        _, cell = headline(self.summary)
        return self.summary["threats"]["clean"] if cell is None else cell

    def report(
        self,
        html: str | Path | None = None,
        *,
        latex: str | Path | None = None,
        csv: str | Path | None = None,
        markdown: str | Path | None = None,
    ) -> Path:
        """Write summary.json, and the report to `html` (in the run folder by default); returns the page's path."""
        write_json(self.folder / "summary.json", self.summary)
        page = Path(html) if html is not None else self.folder / "report.html"
        found = images_of_headline(self.manifest, self.rows, self.found_images(), self.missing)
        write_html(page, self.summary, self.manifest, found, self.latent)
        for path, make in ((latex, to_latex), (csv, to_csv), (markdown, to_markdown)):
            if path is not None:
                text = make(self.summary)
                write_text(Path(path), text)
        return page

    def show(
        self, source: str, predicted: str, *, threat: str | None = None, out: str | Path | None = None
    ) -> tuple[Behind, Path]:
        """Write the images behind a cell of the confusion as PNG files with a table of their margins.

        Images that the run did not store are taken from its data, as they are when clean, where its data's address
        still holds the very same images; no code of the data's author is run.

        Args:
            source: The true class, by name or number.
            predicted: The class that its images are seen as.
            threat: An address of this run, "robust" or "corrupted"; by default what the run is judged by.
            out: The folder for the files; by default one for each cell in the run's folder `shown`.

        Returns:
            What the cell holds and what of it is shown, and the folder.

        Raises:
            InputError: no such class or threat, or the two classes are the same.

        """
        names = self.manifest["data"]["classes"]
        cell = class_number(names, source), class_number(names, predicted)
        if cell[0] == cell[1]:
            raise InputError(f"images of {source} that are seen as {source} are not shown; give two classes")
        chosen = threat or judged_by(self.manifest)
        place = f"{slug(chosen)}-{slug(names[cell[0]])}-{cell[0]}-as-{slug(names[cell[1]])}-{cell[1]}"
        folder = Path(out) if out is not None else self.folder / "shown" / place
        found = behind(self.manifest, self.rows, self.found_images(), self._again, cell, chosen, folder, self.missing)
        return found, folder

    def _again(self, samples: Sequence[int]) -> np.ndarray:
        """The clean images of these samples from the run's data, float32 (n, C, H, W)."""
        return read_again(self.manifest).batch(samples).numpy()

    def found_images(self) -> Iterator[dict[str, Any]]:
        """The stored images that a threat got wrong, one record each: threat, sample, label, prediction, images."""
        for unit in self._units:
            path = self.folder / "adversarial" / Path(unit.file).parent.name / f"{Path(unit.file).stem}.npz"
            if path.exists() and self._exists(unit):
                with np.load(path, allow_pickle=False) as stored:
                    columns = {key: stored[key] for key in stored.files}
                for i in range(len(columns["sample"])):
                    yield {"threat": unit.threat, **{key: values[i] for key, values in columns.items()}}

    @cached_property
    def _units(self) -> Sequence[Unit]:
        return [Unit(**unit) for unit in self.manifest["units"]]

    def _exists(self, unit: Unit) -> bool:
        return (self.folder / unit.file).exists()

    def _cost(self) -> dict[str, float]:
        """Evaluations from the rows; seconds from the log, the last entry of each unit."""
        seconds: dict[str, float] = {}
        log = self.folder / "run.log"
        for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a line cut by a kill
            if entry.get("event") == "unit":
                seconds[entry["file"]] = entry["seconds"]
        samples = max(len(np.unique(self.rows.sample)), 1)
        return {
            "forwards_per_sample": float(self.rows.forwards.sum()) / samples,
            "backwards_per_sample": float(self.rows.backwards.sum()) / samples,
            "seconds": sum(seconds.values()),
        }
