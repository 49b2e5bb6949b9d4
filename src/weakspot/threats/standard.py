"""Our staged search: AutoAttack's verdict for a fraction of its cost.

AutoAttack spends most of its time on samples that stay robust. Here short attacks with losses that no scale of the
logits can mask clear the easy samples away; survivors get likely targets and another loss; each class's hardest ones
get all targets and long runs. A sentinel then sends attacks of another kind (without gradients; minimum norm) after
a few survivors: random ones, which bound what the search may have missed, and the most promising ones of each class.
Where the sentinel outdoes what came before, the search widens by itself to all survivors of the block.
"""

from math import ceil
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Int
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from weakspot.addresses import Radius, RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, PerSample, Rows
from weakspot.maths.losses import cross_entropy, dlr, margin, probability_margin, scaled_cross_entropy
from weakspot.rng import uniform
from weakspot.threats.apgd import apgd, extreme_start
from weakspot.threats.apgd_t import ranked, towards
from weakspot.threats.fab_t import FabT
from weakspot.threats.search import Loss, Part, Search, attack
from weakspot.threats.square import Square

SENTINEL = 0.05
"""The share of survivors in each of the sentinel's two parts."""

HARD = 0.3
"""The share of each class's survivors that get the longer runs."""

HARDEST = 0.1
"""The share of each class's survivors that get the longest runs."""

TURNS = 3
"""How often gradients and random search take turns, each from the lowest-margin point that the other left."""

GAIN = 0.05
"""A probe that lowers a margin, which all stages before left there, by more than this share of the clean one outdoes
them."""

LossName = Literal["ce", "dlr", "mifpe", "pm"]

LOSSES: dict[LossName, Loss] = {
    "ce": cross_entropy,
    "dlr": dlr,
    "mifpe": scaled_cross_entropy,
    "pm": probability_margin,
}


@settings
class Stage:
    """One APGD run on the hardest share of each class's rows, with a loss or towards each of the likeliest classes."""

    radius: RadiusField
    steps: PositiveInt
    loss: LossName | None = None
    targets: NonNegativeInt = 0
    share: PositiveFloat = 1.0
    rough: bool = False
    """Search in bfloat16 where the model has a twin of that precision; float32 judges what it finds."""
    near: bool = False
    """Start from the lowest-margin point so far, and not from a random one."""

    @property
    def name(self) -> str:
        """What `found_by` says."""
        return f"apgd-{self.loss or 't'}-{self.steps}"

    def run(self, search: Search, rows: Rows) -> None:
        """Attack the hardest of these rows; fooled samples leave between batches of targets."""
        rows = hardest(search, rows, self.share)
        if self.loss is not None:
            self._ascend(search, rows, LOSSES[self.loss], [self.name])
        likely = ranked(search.clean_logits, search.labels)
        left = list(range(min(self.targets, likely.shape[1])))
        while left and len(rows := search.alive(rows)):
            abreast = max(len(search.images) // len(rows), 1)  # a batch is never larger than the block
            ranks, left = left[:abreast], left[abreast:]
            loss = towards(torch.cat([likely[rows, rank] for rank in ranks]))
            self._ascend(search, rows, loss, [f"{self.name}/{rank}" for rank in ranks])

    def _ascend(self, search: Search, rows: Rows, loss: Loss, runs: list[str]) -> None:
        """One run for each name, all in one batch."""
        if not len(rows):
            return
        norm, size = self.radius.norm, float(self.radius)
        side = (search.rough() if self.rough else search).abreast(rows, len(runs))
        radii = side.images.new_full((len(side.images),), size)
        if self.near:
            start = side.best.clone()
        else:
            x0, sample = search.images[rows], search.sample[rows]
            start = torch.cat([extreme_start(x0, radii[: len(rows)], norm, sample, search.seed, run) for run in runs])
        apgd(side, torch.arange(len(radii), device=rows.device), radii, norm, loss, self.steps, start)
        search.collect(side, rows)


@settings
class Sentinel:
    """Attacks of another kind on a few survivors; where one outdoes the gradient stages, on all of the block.

    It does where it breaks a sample, or lowers a margin by more than GAIN of the clean one. All then get what the few
    got, and each class's hardest ones the attack at AutoAttack's length. The few are a random part and the part with
    the lowest margins, each SENTINEL of the survivors, and in both the classes take turns, so that none is left out.
    The random part bounds what the search may have missed.
    """

    radius: RadiusField
    name: ClassVar[str] = "sentinel"

    def run(self, search: Search, rows: Rows) -> None:
        """Probe, and widen where a probe outdoes what came before."""
        radius = self.radius
        wide: list[tuple[Part, list[tuple[Part, float]]]] = [
            (FabT(radius=radius, targets=3, steps=40), [(FabT(radius=radius), HARD)]),
            (Square(radius=radius, queries=500), [(Square(radius=radius), HARD), *in_turns(radius)]),
        ]
        drawn = random_part(search.labels[rows], search.sample[rows], search.seed)
        chosen = rows[(drawn | lowest_part(search.labels[rows], search.lowest[rows])).nonzero().squeeze(1)]
        for probe, fulls in wide:
            probed = search.alive(chosen)
            if not len(probed):
                break
            before = search.lowest[probed]
            probe.run(search, probed)
            now = search.lowest[probed]
            search.oracle.credit(probed[now < 0], f"sentinel:{probe.name}")
            clean = margin(search.clean_logits[probed], search.labels[probed])
            if ((now < 0) | (before - now > GAIN * clean)).any():
                left = search.alive(rows)
                fresh = left[~torch.isin(left, probed)]
                if len(fresh):
                    probe.run(search, fresh)
                for full, share in fulls:
                    full.run(search, hardest(search, search.alive(left), share))
                search.oracle.credit(left[search.lowest[left] < 0], f"widened:{probe.name}")


def in_turns(radius: Radius) -> list[tuple[Part, float]]:
    """Gradients where random search stopped, with each loss, and random search with small windows where they stopped.

    Where random search outdoes gradients, they lead nowhere from random starts; from its points they often do.
    """
    made: list[tuple[Part, float]] = []
    for turn in range(1, TURNS + 1):
        made += [(Stage(radius=radius, loss=loss, steps=100, near=True), HARDEST) for loss in LOSSES]
        made += [(Square(radius=radius, queries=1000, first=0.05, restart=turn, near=True), HARDEST)]
    return made


def turns(labels: Labels, keys: PerSample) -> Int[Tensor, " batch"]:
    """Each sample's place when the classes take turns, every class in the order of its keys (smallest first)."""
    order = keys.argsort(stable=True)
    round_of = torch.empty_like(order)
    for label in torch.unique(labels):
        mine = order[labels[order] == label]
        round_of[mine] = torch.arange(len(mine), device=labels.device)
    places = torch.empty_like(order)
    by_round = order[round_of[order].argsort(stable=True)]
    places[by_round] = torch.arange(len(order), device=labels.device)
    return places


def random_part(labels: Labels, sample: Labels, seed: int) -> Bool[Tensor, " batch"]:
    """The survivors that the sentinel draws at random (stratified by class); a function of their numbers alone."""
    places = turns(labels, uniform((1,), sample, seed, "sentinel")[:, 0])
    return places < ceil(SENTINEL * len(labels))


def lowest_part(labels: Labels, margins: PerSample) -> Bool[Tensor, " batch"]:
    """The survivors with the lowest margins, the classes taking turns."""
    return turns(labels, margins) < ceil(SENTINEL * len(labels))


def hardest(search: Search, rows: Rows, share: float) -> Int[Tensor, " kept"]:
    """The share of each class's rows with the lowest margins, at least one sample of each class."""
    if share >= 1:
        return rows
    kept = torch.zeros_like(rows, dtype=torch.bool)
    for label in torch.unique(search.labels[rows]):
        mine = (search.labels[rows] == label).nonzero().squeeze(1)
        kept[mine[search.lowest[rows[mine]].argsort(stable=True)[: ceil(share * len(mine))]]] = True
    return rows[kept]


@settings
class Standard:
    """The default search; see the module's text. Its verdict is compared with AutoAttack's in `benchmarks/`."""

    radius: RadiusField
    name: ClassVar[str] = "standard"
    kind: ClassVar[Kind] = "adversarial"
    rough: ClassVar[bool] = True

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """Each image's lowest-margin point over all stages, the clean image included."""
        return attack(self.parts(), model, images, labels, sample, seed)

    def parts(self) -> list[Part]:
        """The stages in their order."""
        radius = self.radius
        return [
            Stage(radius=radius, loss="dlr", steps=10, rough=True),
            Stage(radius=radius, loss="mifpe", steps=20, rough=True),
            Stage(radius=radius, targets=3, steps=20, rough=True),
            Stage(radius=radius, loss="pm", steps=30, rough=True),
            Stage(radius=radius, targets=9, steps=25, share=HARD, rough=True),
            Stage(radius=radius, loss="dlr", steps=10, near=True),
            Stage(radius=radius, loss="ce", steps=100, share=HARDEST),
            Sentinel(radius=radius),
        ]
