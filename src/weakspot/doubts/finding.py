"""What a check found, as data: the report, the JSON and the terminal show the same finding."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail", "skipped"]
"""`skipped` says nothing of the evaluation: the check does not apply, or there was no room for it."""


@dataclass(frozen=True)
class Finding:
    """One check's result. `fail` means: do not believe the robust accuracy before this is mended."""

    check: str
    """The check's id, a key of `weakspot.doubts.CHECKS`."""
    status: Status
    figure: float | None
    """What was measured; None where the check does not apply or could not run."""
    threshold: float | None
    """What the figure was compared with: beyond it the status is not ok."""
    says: str
    """One sentence for a user, with the numbers in it."""


def grade(check: str, figure: float, says: str, *, warn: float, fail: float | None = None) -> Finding:
    """A finding whose figure is bad when large: above `warn` it warns, above `fail` (None: never) it fails.

    A figure that is NaN warns: it could not be measured, which is no comfort.
    """
    if fail is not None and figure > fail:
        return Finding(check, "fail", figure, fail, says)
    return Finding(check, "ok" if figure <= warn else "warn", figure, warn, says)


def not_checked(check: str, why: str) -> Finding:
    """The finding of a check that does not apply; it is skipped, has no figure, and says why."""
    return Finding(check, "skipped", None, None, f"Not checked: {why}.")
