"""The packaged experiments by name, and how one is carried out."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from pathlib import Path

import weakspot
from weakspot.data.named import NAMED
from weakspot.errors import InputError, SetupError, unknown
from weakspot.recipes.study import Scale, Sets, Study
from weakspot.store import write_json, write_text

MODULES = {
    "fashion-cnn": "fashion_cnn",
    "fairness": "fairness",
    "classwise": "classwise",
    "classwise-small": "classwise_small",
    "longtail-pilot": "longtail_pilot",
    "longtail": "longtail",
    "longtail-balanced": "longtail_balanced",
    "psi": "psi",
    "published": "published",
}
"""Each holds a `STUDY`; it is imported when it is asked for."""
MARK = "study.json"
"""In a study's folder: whose it is, and of which size."""


@dataclass(frozen=True)
class Reproduced:
    """Which steps are done and which are not, and what was written."""

    folder: Path
    done: tuple[str, ...]
    left: tuple[str, ...]
    begun: tuple[str, ...]
    """Those of `left` that have a folder already: cut off, or in another process's hands."""
    pages: tuple[Path, ...]


def study_of(name: str) -> Study:
    """The study of that name.

    Raises:
        InputError: there is none.

    """
    if name not in MODULES:
        raise unknown("recipe", name, MODULES)
    found: Study = import_module(f"weakspot.recipes.{MODULES[name]}").STUDY
    return found


def reproduce(
    name: str,
    *,
    scale: Scale = "cpu",
    only: Sequence[str] = (),
    sets: Mapping[str, str] | None = None,
    out: str | Path | None = None,
    dry_run: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Reproduced:
    """Carry out a packaged experiment, or go on with it; its pages are written once all steps are done.

    Studies that can say what is missing write them at the end of every call, of what is done.

    Args:
        name: One of `MODULES`.
        scale: "cpu" for two cores and hours, "gpu" for the published sizes, "gpu-wide" for a WRN-34-10, "gpu-100" for
            CIFAR-100.
        only: Names of steps; the others are left, so that several processes can share the work. A dry run speaks of
            these alone.
        sets: Addresses that stand for named data sets, such as {"cifar10": "parquet:shards"}.
        out: The folder; by default runs/NAME-SCALE.
        dry_run: Do nothing but look at the addresses of `sets`; say what is done and what is left.
        tell: Called with a line before each step.

    Raises:
        InputError: no such recipe, scale, step or named data set, a folder of another recipe or size, or an address
            that cannot be read or has other classes; SetupError: the folder cannot be made, or the machine must
            change. What is finished stays.

    """
    study = study_of(name)
    if scale not in study.sets:
        raise InputError(f"{name} has no size {scale!r}; add --scale {' or '.join(study.sets)}")
    if strangers := [each for each in sets or {} if each not in NAMED]:
        raise unknown("data set", strangers[0], NAMED)
    if strangers := [each for each in sets or {} if each not in study.sets[scale]]:
        used = ", ".join(study.sets[scale])
        raise InputError(f"{name} has no use for {strangers[0]} at the size {scale}; it uses {used}")
    steps = study.steps(scale, Sets(sets or {}))
    names = [step.name for step in steps]
    if strangers := [each for each in only if each not in names]:
        raise unknown(f"step of {name}", strangers[0], names)
    folder = Path(out) if out is not None else Path("runs") / f"{name}-{scale}"
    if folder.is_file():
        raise InputError(f"--out must be a folder, {folder} is a file")
    _check_folder(folder, name, scale)
    asked = [step for step in steps if not only or step.name in only]
    if dry_run or not all(step.done(folder) for step in asked):
        _check_sets(sets or {})
    for step in asked:
        if not dry_run and not step.done(folder):
            if tell is not None:
                tell(f"{step.name}: step {names.index(step.name) + 1} of {len(names)}")
            made = _make(folder)
            try:
                step.make(folder)
                write_json(folder / MARK, {"recipe": name, "scale": scale})
            finally:
                _tidy(made)
    left = tuple(step.name for step in steps if not step.done(folder))
    early = left and not (study.partial and len(left) < len(names))
    pages = () if early or dry_run else tuple(_write(folder, study.pages(folder, scale)))
    if dry_run and only:
        names, left = ([each for each in names if each in only], tuple(each for each in left if each in only))
    begun = tuple(each for each in left if (folder / each).exists())
    return Reproduced(folder, tuple(each for each in names if each not in left), left, begun, pages)


def _check_folder(folder: Path, name: str, scale: Scale) -> None:
    """Steps of the sizes have the same names: what is done of one is not done of another."""
    if not (folder / MARK).exists():
        return
    try:
        kept = json.loads((folder / MARK).read_text(encoding="utf-8"))
        held = f"{kept['recipe']} at the size {kept['scale']}"
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / MARK} is damaged; delete it to go on with what the folder holds") from error
    if kept != {"recipe": name, "scale": scale}:
        raise InputError(f"{folder} holds {held}, not {name} at the size {scale}; choose another --out")


def _check_sets(sets: Mapping[str, str]) -> None:
    """Each address can be read and has as many classes as the set that it stands for."""
    for (name, address), split in product(sets.items(), ("train", "test")):
        found, wanted = len(weakspot.load_data(address, split=split).classes), len(NAMED[name].classes)
        if found != wanted:
            raise InputError(f"{name} has {wanted} classes, {address} has {found}; give another address for it")


def _make(folder: Path) -> list[Path]:
    """The folders that were made, the innermost first."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"cannot make the folder {folder}: {error.strerror}; choose another --out") from error
    return missing


def _tidy(made: Sequence[Path]) -> None:
    """A step that failed at once leaves none of the folders that were made for it, if they are empty."""
    with suppress(OSError):
        for folder in made:
            folder.rmdir()


def _write(folder: Path, pages: Mapping[str, str]) -> list[Path]:
    for file, text in pages.items():
        write_text(folder / file, text)
    return [folder / file for file in pages]
