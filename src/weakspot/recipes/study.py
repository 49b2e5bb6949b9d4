"""A packaged experiment: named steps, each of which can be resumed, and pages that are made of what the steps left."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import weakspot
from weakspot.addresses import ThreatAddress
from weakspot.api import adjust
from weakspot.auditing import Progress
from weakspot.errors import InputError
from weakspot.run import Run

EVERY = 30.0
"""Seconds between two lines of an audit."""
Scale = Literal["cpu", "gpu", "gpu-wide", "gpu-100"]
"""Two cores for hours, or one GPU with the published sizes: a ResNet-18 on CIFAR-10, a WRN-34-10 there, CIFAR-100."""


@dataclass(frozen=True)
class Step:
    """One thing to do in the study's folder. What is finished there is kept, so doing it again goes on."""

    name: str
    make: Callable[[Path], object]
    done: Callable[[Path], bool]


@dataclass(frozen=True)
class Sets:
    """Where the named data sets are: their own names, which are downloaded, or addresses that stand for them."""

    places: Mapping[str, str] = field(default_factory=dict)

    def at(self, name: str) -> str:
        """The address of a named set."""
        return self.places.get(name, name)


@dataclass(frozen=True)
class Study:
    """An experiment by its name; `weakspot reproduce NAME` does its steps and writes its pages."""

    name: str
    says: str
    """What it asks, in one sentence."""
    steps: Callable[[Scale, Sets], tuple[Step, ...]]
    pages: Callable[[Path, Scale], Mapping[str, str]]
    """File names and texts."""
    sets: Mapping[Scale, tuple[str, ...]]
    """The named data sets that it uses, for each size that it has."""
    partial: bool = False
    """Whether the pages can be made while steps are left; they name what is missing."""


@dataclass(frozen=True)
class Trained:
    """A model and its audit."""

    name: str
    method: str
    data: str
    """The named set."""
    training: Mapping[str, Any]
    """Options of `weakspot.train`."""
    audit: Mapping[str, Any]
    """Options of `weakspot.audit`."""
    part: str = ""
    """What is trained on of it, such as "+lt=50"; all of the other split is audited."""
    base: str = ""
    """The run whose model is trained further; "" for a new model."""

    def step(self, sets: Sets) -> Step:
        """Train where it is not finished, audit where it is not finished."""

        def make(out: Path) -> None:
            begun = {"model": str(trained(out, self.base, self.name))} if self.base else {}
            images = weakspot.load_data(sets.at(self.data) + self.part, split="train")
            folder = weakspot.train(self.method, images, out=out / self.name, **{**self.training, **begun})
            weakspot.audit(str(folder), sets.at(self.data), out=self.audited(out), tell=telling(), **self.audit)

        return Step(self.name, make, lambda out: (self.audited(out) / "summary.json").exists())

    def audited(self, out: Path) -> Path:
        """The folder of the audit."""
        return out / f"{self.name}-audit"


@dataclass(frozen=True)
class Adjusted:
    """A trained run's model with another inference adjustment, and its audit; nothing is trained."""

    name: str
    base: str
    """The run."""
    adjustment: str
    data: str
    """The named set that is audited."""
    audit: Mapping[str, Any]
    """Options of `weakspot.audit`."""

    def step(self, sets: Sets) -> Step:
        """Adjust where it is not done, audit where it is not finished."""

        def make(out: Path) -> None:
            base = trained(out, self.base, self.name)
            if not (out / self.name / "model.json").exists():
                adjust(base, self.adjustment, out / self.name)
            weakspot.audit(
                str(out / self.name), sets.at(self.data), out=self.audited(out), tell=telling(), **self.audit
            )

        return Step(self.name, make, lambda out: (self.audited(out) / "summary.json").exists())

    def audited(self, out: Path) -> Path:
        """The folder of the audit."""
        return out / f"{self.name}-audit"


def telling() -> Callable[[Progress], None]:
    """Says on stderr now and then how far an audit is, as a training does epoch by epoch."""
    last = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            sys.stderr.write(f"audit: {progress.done} of {progress.planned} units done, {progress.unit.threat}\n")
            sys.stderr.flush()

    return tell


def trained(out: Path, base: str, name: str) -> Path:
    """The folder of the run `base`, on which the step `name` builds.

    Raises:
        InputError: it is not trained yet.

    """
    # A model is there from the first epoch on; only a finished one is audited.
    if not (out / f"{base}-audit" / "summary.json").exists():
        raise InputError(f"{name} builds on {base}, which is not trained yet; do that step first")
    return out / base


def finished(planned: Sequence[Trained | Adjusted], out: Path) -> tuple[dict[str, Run], list[str]]:
    """The audits that are there, by the run's name, and the names of the runs that have none yet."""
    there = [run for run in planned if (run.audited(out) / "summary.json").exists()]
    left = [run.name for run in planned if run not in there]
    return {run.name: weakspot.open_run(run.audited(out)) for run in there}, left


def threat(run: Run, name: str) -> str:
    """The address of the run's threat of that name, such as `pgd@linf:0.05` of pgd."""
    addresses = [each["address"] for each in run.manifest["threats"]]
    return next(address for address in addresses if ThreatAddress.of(address).name == name)


def cost(found: Mapping[str, Run], out: Path) -> str:
    """What the runs that are there took, and on what, in one sentence."""
    training = sum(trained_for(out / name) for name in found) / 3600
    audits = sum(run.summary["cost"]["seconds"] or 0 for run in found.values()) / 3600
    on = machines(run.manifest["environment"] for run in found.values())
    return f"Time passed: {training:.1f} hours in trainings, {audits:.1f} in audits, each in one process ({on})."


def machines(environments: Iterable[Mapping[str, Any]]) -> str:
    """Each kind of machine once: the runs of a study may be shared out."""
    kinds = {f"{each['device']}, torch {each['torch']}, {each['threads']} thread(s)" for each in environments}
    return "; ".join(sorted(kinds)) or "no machine yet"


def images(planned: Sequence[Trained], found: Mapping[str, Run], out: Path) -> str:
    """Which images the runs that are there had, in one sentence: how many, and the digest of what was audited."""
    seen = {}
    for run in planned:
        if run.name in found:
            had = json.loads((out / run.name / "data.json").read_text(encoding="utf-8"))
            tested = found[run.name].manifest["data"]
            placed = "" if tested["name"] == run.data else " as placed by `--set`"
            seen[
                f"{run.data}{run.part}{placed}, {sum(had['counts']):,} in training and {sum(had['held_out']):,} held "
                f"out, {tested['samples']:,} audited (SHA-256 {tested['digest'][:12]}...)"
            ] = True
    return f"Images: {'; '.join(seen) if seen else 'none yet'}."


def trained_for(folder: Path) -> float:
    """Seconds of all epochs of a training; 0 for a model that was only adjusted."""
    history = folder / "history.jsonl"
    if not history.exists():
        return 0.0
    return float(sum(json.loads(line)["seconds"] for line in history.read_text(encoding="utf-8").splitlines()))
