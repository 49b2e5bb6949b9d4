"""One attack at rising radii, for curves of accuracy against radius; `analysis/curves.py` reads them off the rows.

A sample leaves at the first radius that breaks it, so its row tells the radius (`found_by`: "apgd-ce@linf:2/255") and
the distance at which it fell, and only those that stand are attacked further. What a smaller radius found is kept, so
the curve cannot rise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import PositiveInt

from weakspot.addresses import Radius, RadiusField
from weakspot.analysis.curves import radii_up_to
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Rows
from weakspot.threats.apgd import ApgdCe, ApgdDlr
from weakspot.threats.apgd_mifpe import ApgdMifpe
from weakspot.threats.apgd_t import ApgdT
from weakspot.threats.pgd import Pgd
from weakspot.threats.search import Part, Search, attack
from weakspot.threats.standard import Standard

AttackName = Literal["pgd", "apgd-ce", "apgd-dlr", "apgd-mifpe", "apgd-t", "standard"]
ATTACKS: Mapping[AttackName, Callable[[Radius], list[Part]]] = {
    "pgd": lambda radius: [Pgd(radius=radius)],
    "apgd-ce": lambda radius: [ApgdCe(radius=radius)],
    "apgd-dlr": lambda radius: [ApgdDlr(radius=radius)],
    "apgd-mifpe": lambda radius: [ApgdMifpe(radius=radius)],
    "apgd-t": lambda radius: [ApgdT(radius=radius)],
    "standard": lambda radius: Standard(radius=radius).parts(),
}
"""The attacks that a curve can be drawn with, by name: their parts at a radius."""


@dataclass(frozen=True)
class AtRadius:
    """A part that is credited with its radius."""

    part: Part
    radius: Radius

    @property
    def name(self) -> str:
        """`apgd-ce@linf:2/255`."""
        return f"{self.part.name}@{self.radius}"

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows."""
        self.part.run(search, rows)


@settings
class Curve:
    """`attack` with its default settings at `points` radii in equal steps up to `radius`, the smallest one first."""

    radius: RadiusField
    attack: AttackName = "apgd-mifpe"
    points: PositiveInt = 8
    name: ClassVar[str] = "curve"
    kind: ClassVar[Kind] = "adversarial"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point at the first radius that broke it, or over all radii where none did."""
        return attack(self.parts(), model, images, labels, sample, seed)

    def parts(self) -> list[Part]:
        """The attack at each radius, in their order."""
        radii = radii_up_to(self.radius, self.points)
        return [AtRadius(part, radius) for radius in radii for part in ATTACKS[self.attack](radius)]
