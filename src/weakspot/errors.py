"""What can go wrong for a user, as exceptions that carry the exit code of the command line."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """A user can mend it by changing what was given: exit code 2.

    The message is one line: what was expected, what came, what to do.
    """

    exit_code = 2


class SetupError(RuntimeError):
    """The machine must change: a full disk, an unwritable folder, a missing extra: exit code 3."""

    exit_code = 3


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a `name` that is none of `known`; it names the nearest right one."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return InputError(f"unknown {what} {name!r}; {hint}known: {', '.join(names) or 'none'}")


def reason(error: BaseException) -> str:
    """What an exception says, cut to the first line; its type's name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
