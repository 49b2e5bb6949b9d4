"""`weakspot data list|describe|fetch`: which images there are, what a set holds, and getting one beforehand."""

from typing import Annotated, Literal

from rich.table import Table
from rich.text import Text

from weakspot.cli.options import DEFAULT, Output, Shown
from weakspot.cli.streams import say, say_json

Split = Literal["train", "test"]


def list(*, output: Output = DEFAULT) -> None:
    """Print the named sets, and how to name one's own files.

    Parameters
    ----------
    output
        What is printed, and where.

    """
    from weakspot.data import NAMED, READERS

    if output.json:
        sets = [{"name": one.name, "says": one.says, "classes": len(one.classes), "radius": one.radius}
                for one in NAMED.values()]  # fmt: skip
        say_json({"sets": sets, "readers": [*READERS]})
        return
    table = Table.grid(padding=(0, 2))
    for one in NAMED.values():
        table.add_row(Text(one.name, no_wrap=True), Text(f"{one.says}; radius {one.radius}"))
    say(table)
    say("")
    say("Your own files: " + ", ".join(f"{reader}:PATH" for reader in READERS))
    say("Your own code:  package.module:factory or file.py:factory, which returns (images, labels) or a torch Dataset")
    say("A long tail:    ADDRESS+lt=50 (exponential) or ADDRESS+lt=step:50, of the training split; further:")
    say("                +lt_order=1 other classes, +lt_seed=1 other samples, +lt_test the test split too")
    say("Its control:    ADDRESS+lt=balanced:50, as many samples in all, evenly spread")


def describe(
    address: str,
    /,
    *,
    split: Annotated[Split, Shown] = "test",
    offline: bool = False,
    output: Output = DEFAULT,
) -> None:
    """Print what a set holds: samples per class, shape, customary radius, digest.

    Parameters
    ----------
    address
        A named set, or another address as for `weakspot audit --data`.
    split
        The part to describe: train or test.
    offline
        Touch no network.
    output
        What is printed, and where.

    """
    from weakspot import api
    from weakspot.data import describe as described

    found = described(api.load_data(address, split=split, offline=offline))
    if output.json:
        say_json(found)
        return
    shape = "x".join(str(side) for side in found["shape"])
    say(f"{found['name']}, split {found['split']}: {found['samples']:,} images of {shape}")
    if "+lt" in address and "+lt" not in found["name"]:
        say("the long tail is cut from the training split (--split train); +lt_test cuts this one as well")
    say(f"customary radius: {found['radius'] or 'none, give --radius'}")
    say(f"digest: {found['digest']}")
    table = Table.grid(padding=(0, 2))
    for entry in found["classes"]:
        table.add_row(Text(entry["name"]), Text(f"{entry['samples']:,}", justify="right"))
    say(table)


def fetch(address: str, /, *, output: Output = DEFAULT) -> None:
    """Get a named set now, so that it is there without a network later.

    Parameters
    ----------
    address
        A named set; see `weakspot data list`.
    output
        What is printed, and where.

    """
    from weakspot import api

    sets = [api.load_data(address, split=split) for split in ("train", "test")]
    if output.json:
        say_json({"name": address, "samples": {one.split: len(one) for one in sets}})
    else:
        say(", ".join(f"{len(one):,} images ({one.split})" for one in sets) + f" of {address} are there")
