"""What a check is: a function from a context to a finding, with what it needs and what it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding

When = Literal["doctor", "audit", "full"]
"""`doctor` checks are cheap and always run; `audit` ones run after every audit; `full` ones in `doctor --full` only."""

LEVELS: tuple[When, ...] = ("doctor", "audit", "full")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One entry of the catalogue."""

    id: str
    """As in the findings: T0, T1, ..."""
    name: str
    when: When
    cost: int
    """Model evaluations per sample, a backward counted as two; 0 for a check that reads rows."""
    samples: int
    """How many samples it uses at most."""
    run: Callable[[Context], Finding]
    rows: bool = False
    """Whether it reads the audit's rows; without rows it is left out, since nothing was audited."""
    radius: bool = False
    """Whether it needs a radius; without one it says that it was not checked."""
    gradient: bool = False
    """Whether it needs a gradient at the input; without one T5 fails and this says that it was not checked."""
