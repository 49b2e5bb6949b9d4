"""A catalogue is a dictionary; what an installed package offers under an entry point group joins it."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from weakspot.errors import InputError, unknown


def find(what: str, name: str, ours: Mapping[str, Any], group: str) -> Any:
    """The entry called `name`: one of `ours`, or one that an installed package offers under `group`.

    Raises:
        InputError: nothing has that name (the nearest one is named), or a package reuses one of our names.

    """
    offered = {entry.name: entry for entry in entry_points(group=group)}
    if clash := sorted(ours.keys() & offered.keys()):
        raise InputError(f"an installed package reuses our names in {group}: {', '.join(clash)}; uninstall it")
    if name in ours:
        return ours[name]
    if name in offered:
        return offered[name].load()
    raise unknown(what, name, ours.keys() | offered.keys())
