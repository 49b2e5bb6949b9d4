"""Transfer: images made against another model, a surrogate, are shown to this one (Papernot et al., 2017, 1602.02697).

An attacker who cannot see a model attacks one of his own. Where images made elsewhere break more than an attack on the
model itself, that attack was misled by the model's gradients.
"""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, InstanceOf, StringConstraints

from weakspot.addresses import Radius, ThreatAddress
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Threat
from weakspot.threats.naming import address_of
from weakspot.threats.search import Part, Search, run_parts

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]+$")]
"""What an address can hold as the value of an option."""


def ready(surrogate: Classifier) -> Classifier:
    """Refuse a module in training mode, whose answers depend on the batch."""
    if getattr(surrogate, "training", False):
        raise ValueError("the surrogate must be in eval mode; call surrogate.eval()")
    return surrogate


@settings
class Transfer:
    """`inner` run against `surrogate`, and judged here once: the images are shown to the model when they are done.

    Every sample is attacked that this model gets right, whatever the surrogate thinks of it. The row counts what this
    model was asked, not the surrogate. `named` stands for the surrogate in addresses and, with `digest`, decides
    whether a unit of a run is the same: give another model another name or digest. `weakspot.surrogate` makes one from
    an address.
    """

    inner: InstanceOf[Threat]
    surrogate: Annotated[InstanceOf[Classifier], AfterValidator(ready)]
    named: Word
    digest: str = ""
    name: ClassVar[str] = "transfer"
    kind: ClassVar[Kind] = "adversarial"

    @property
    def radius(self) -> Radius | None:
        """The inner threat's."""
        return getattr(self.inner, "radius", None)

    @property
    def address(self) -> ThreatAddress:
        """`transfer(surrogate=NAME,inner=pgd,steps=50)@linf:8/255`: the inner threat's options are its own."""
        inner = address_of(self.inner)
        own = (("surrogate", self.named), ("digest", self.digest), ("inner", inner.name))
        return ThreatAddress(self.name, (*(pair for pair in own if pair[1]), *inner.options), inner.place)

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """The transferred images, or the clean ones where those have the lower margin."""
        search = Search(model, images, labels, sample, seed)
        rows = search.alive()
        if len(rows):
            search.logits(self._against_surrogate(images[rows], labels[rows], sample[rows], seed), rows)
        return search.best

    def _against_surrogate(self, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        if isinstance(self.inner, Part):
            parts = [self.inner]
        elif hasattr(self.inner, "parts"):
            parts = self.inner.parts()
        else:
            return self.inner(self.surrogate, images, labels, sample, seed)
        search = Search(self.surrogate, images, labels, sample, seed)
        # A sample that the surrogate gets wrong is not broken by that: it starts at the boundary instead.
        search.lowest = search.lowest.clamp(min=0)
        return run_parts(parts, search)
