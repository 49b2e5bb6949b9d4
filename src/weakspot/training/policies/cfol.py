"""CFOL (Pethick et al., TMLR 2023): classes are drawn by EXP3, those in error more often."""

from typing import Annotated, ClassVar

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from weakspot.config import settings
from weakspot.contracts import Labels
from weakspot.training.counting import Sums, per_class
from weakspot.training.objective import Knob, Knobs
from weakspot.training.policy import Batch, Given, Policy, State


@settings
class Cfol(Policy):
    """p = gamma / K + (1 - gamma) softmax(w); for each drawn sample that the model gets wrong, w_y += step / p_y.

    A batch draws classes by p, then samples of the class alike, with replacement. step is `eta` over the number of all
    draws of the run, so that short runs learn as much: 1 is the authors' 1e-7 in 200 epochs of 50,000 images, 100 the
    1e-5 of their configuration. Errors are those on attacked images before the update.
    """

    name: ClassVar[str] = "cfol"
    paper: ClassVar[frozenset[str]] = frozenset({"pgd-at"})
    acts_at_once: ClassVar[bool] = True
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.5
    eta: Annotated[float, Field(ge=0)] = 1.0

    @property
    def needs(self) -> frozenset[Knob]:
        """Nothing of the objective."""
        return frozenset()

    def start(self, given: Given) -> State:
        """All alike."""
        return {"w": given.zeros(given.classes)}

    def chances(self, state: State) -> Sums:
        """The probability p of each class."""
        return self.gamma / len(state["w"]) + (1 - self.gamma) * state["w"].softmax(0)

    def draw(self, state: State, given: Given) -> Float[Tensor, " classes"] | None:
        """By p."""
        return self.chances(state)

    def knobs(self, state: State, given: Given, epoch: int, labels: Labels) -> Knobs:
        """Those of the run."""
        return given.base

    def after_batch(self, state: State, given: Given, seen: Batch) -> State:
        """Add what the errors weigh."""
        wrong = (seen.logits.argmax(1) != seen.labels).to(seen.per_sample)
        errors = per_class(wrong, seen.labels, given.classes)
        return {"w": state["w"] + self.eta / given.draws * errors / self.chances(state)}
