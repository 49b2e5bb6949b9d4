"""What a check is: a function from a context to a finding, with what it needs and what it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding

When = Literal["doctor", "audit", "full"]
"""`doctor` checks are cheap and always run; `audit` ones run after every audit; `full` ones in `doctor --full` only."""

LEVELS: tuple[When, ...] = ("doctor", "audit", "full")

Pool = Literal["all", "correct", "survivors"]
"""Which samples a check looks at: all, those that are correct as they are, those that no threat of the rows broke."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One entry of the catalogue."""

    id: str
    """As in the findings: T0, T1, ..."""
    name: str
    when: When
    cost: int | Callable[[Context], int]
    """Model evaluations per sample, a backward counted as two; a function where that depends on the audit's threats."""
    samples: int
    """How many samples it uses at most; 0 for a check that reads rows alone."""
    run: Callable[[Context], Finding]
    steps: int | Callable[[Context], int] | None = None
    """How many of those evaluations must wait for each other, whatever the number of samples; None: all of them."""
    of: Pool = "all"
    rows: bool = False
    """Whether it reads the audit's rows; without rows it is left out, since nothing was audited."""
    radius: bool = False
    """Whether it needs a radius (linf or l2); without one it says that it was not checked."""
    gradient: bool = False
    """Whether it needs a gradient at the input; without one T5 fails and this says that it was not checked."""

    def price(self, context: Context) -> int:
        """Its cost per sample after the audit that `context` is of."""
        return self.cost(context) if callable(self.cost) else self.cost

    def length(self, context: Context) -> int:
        """How many calls of the model it makes one after the other, in the same unit."""
        if self.steps is None:
            return self.price(context)
        return self.steps(context) if callable(self.steps) else self.steps
