"""No policy: every class alike."""

from typing import ClassVar

from weakspot.config import settings
from weakspot.contracts import Labels
from weakspot.training.objective import Knob, Knobs
from weakspot.training.policy import Given, Policy, State


@settings
class Uniform(Policy):
    """The objective as its paper has it."""

    name: ClassVar[str] = "none"
    paper: ClassVar[frozenset[str]] = frozenset()
    acts_at_once: ClassVar[bool] = True

    @property
    def needs(self) -> frozenset[Knob]:
        """Nothing."""
        return frozenset()

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """Those of the run."""
        return given.base
