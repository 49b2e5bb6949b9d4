"""`weakspot reproduce`: the packaged experiments."""

from pathlib import Path
from typing import Annotated, Literal

from rich.table import Table

from weakspot.cli.options import DEFAULT, Output, Several, Shown
from weakspot.cli.printing import pasteable
from weakspot.cli.streams import hushed, say, say_json, warn
from weakspot.errors import InputError


def reproduce(
    recipe: str | None = None,
    /,
    *,
    scale: Annotated[Literal["cpu", "gpu", "gpu-wide", "gpu-100"], Shown] = "cpu",
    only: Annotated[tuple[str, ...], Several] = (),
    set: Annotated[tuple[str, ...], Several] = (),
    out: Path | None = None,
    dry_run: bool = False,
    output: Output = DEFAULT,
) -> None:
    """Carry out a packaged experiment again: trainings, audits, tables.

    It takes hours and can be interrupted: what is finished is kept, and the same command goes on.

    Parameters
    ----------
    recipe
        The experiment; without one, all are listed.
    scale
        cpu: two cores and hours. For one GPU the published sizes: gpu, a ResNet-18 on CIFAR-10 above all; gpu-wide, a
        WRN-34-10; gpu-100, CIFAR-100.
    only
        Do this step only, so that several processes can share the work. May be given several times.
    set
        NAME=ADDRESS: where a named data set is, such as cifar10=parquet:shards. May be given several times.
    out
        The folder; by default runs/RECIPE-SCALE.
    dry_run
        Print which steps are done, begun and left, of those that --only names if there are any; do nothing but open
        the addresses of --set.
    output
        What is printed, and where.

    """
    from weakspot.recipes import catalogue

    if recipe is None:
        if only or set or out or dry_run:
            raise InputError("which experiment? weakspot reproduce NAME ...; weakspot reproduce alone lists them")
        _list(output)
        return
    places = {}
    for each in set:
        name, equals, address = each.partition("=")
        if not (name and equals and address):
            raise InputError(f"a data set is placed by NAME=ADDRESS, such as cifar10=parquet:shards, got {each!r}")
        places[name] = address
    with hushed(output.quiet):
        found = catalogue.reproduce(
            recipe,
            scale=scale,
            only=only,
            sets=places,
            out=out,
            dry_run=dry_run,
            tell=None if output.json else warn,
        )
    if output.json:
        pages = [str(page) for page in found.pages]
        steps = {"done": found.done, "left": found.left, "begun": found.begun}
        say_json({"folder": str(found.folder), **steps, "pages": pages})
        return
    done = len(found.done)
    say(f"{pasteable(found.folder)}: {done} {'step' if done == 1 else 'steps'} done, {len(found.left)} left")
    if found.left:
        say("left: " + ", ".join(f"{name} (begun)" if name in found.begun else name for name in found.left))
    for page in found.pages:
        say(pasteable(page))


def _list(output: Output) -> None:
    from weakspot.recipes import catalogue

    studies = [catalogue.study_of(name) for name in catalogue.MODULES]
    if output.json:
        say_json({study.name: study.says for study in studies})
        return
    table = Table.grid(padding=(0, 2))
    for study in studies:
        table.add_row(study.name, study.says, ", ".join(study.sets))
    say(table)
