"""Directed pairs: for each sample and each other class, does the ball hold an image that is taken for that class.

The runs towards the targets share their work: each image that is evaluated counts for whichever class it is taken for,
so that many pairs are settled by a run that aimed elsewhere.
"""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from weakspot.addresses import RadiusField
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels, Logits, PerSample, Rows
from weakspot.maths.balls import distance, spread
from weakspot.maths.losses import cross_entropy, scaled_cross_entropy
from weakspot.threats.apgd import apgd, extreme_start
from weakspot.threats.apgd_t import ranked
from weakspot.threats.search import Loss, Search

Targets = Int[Tensor, "batch targets"]
Found = Float[Tensor, "batch targets channels height width"]
Cases = Float[Tensor, "cases channels height width"]


class PairSearch(Search):
    """A search that keeps, for each sample and each of its targets, the image that came closest to the target.

    `reached` is the target's logit minus the best other one (above 0: a hit); `found` the image where it was seen.
    """

    def __init__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int, targets: Targets):
        super().__init__(model, images, labels, sample, seed)
        self.targets = targets
        self.reached = _target_margins(self.clean_logits, targets)
        self.found = images[:, None].expand(-1, targets.shape[1], -1, -1, -1).clone()

    def judge(self, x: Images, logits: Logits, rows: Rows) -> PerSample:
        """Let each point of `x` count for all targets of its row."""
        now = _target_margins(logits, self.targets[rows])
        row, column = (now > self.reached[rows]).nonzero(as_tuple=True)
        self.reached[rows[row], column] = now[row, column]
        self.found[rows[row], column] = x[row]
        return super().judge(x, logits, rows)

    def open(self, rows: Rows, column: int) -> Int[Tensor, " open"]:
        """Those of `rows` whose target number `column` has not been hit."""
        return rows[self.reached[rows, column] <= 0]


def _target_margins(logits: Logits, targets: Targets) -> Float[Tensor, "batch targets"]:
    """Each target's logit minus the largest other one."""
    top = logits.topk(2, dim=1)
    rival = torch.where(targets == top.indices[:, :1], top.values[:, 1:], top.values[:, :1])
    return logits.gather(1, targets) - rival


def into(loss: Loss, targets: Labels) -> Loss:
    """Ascend towards the target class: the opposite of leaving it."""

    def towards(logits: Logits, labels: Labels) -> PerSample:
        return -loss(logits, targets)

    return towards


@settings
class Pairs:
    """APGD into each other class (the `likeliest` ones by clean logit), on scaled, then on plain cross-entropy.

    Not on DLR: where the target is third, DLR towards it is constant.

    It gives one row per sample and target. With `bisections`, each hit is then looked for at smaller and smaller radii,
    so that the row's distance tells how near the target class is; the radius is halved that many times at most.
    """

    radius: RadiusField
    steps: PositiveInt = 25
    likeliest: PositiveInt = 20
    bisections: NonNegativeInt = 0
    name: ClassVar[str] = "pairs"
    kind: ClassVar[Kind] = "adversarial"

    def cases(self, logits: Logits, labels: Labels) -> tuple[Rows, Rows]:
        """The rows of the block and the classes that they aim at, from the clean logits, one entry per case."""
        targets = ranked(logits, labels)[:, : self.likeliest]
        rows = torch.arange(len(labels), device=labels.device).repeat_interleave(targets.shape[1])
        return rows, targets.flatten()

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Cases:
        """One image per case of `cases`, in its order: taken for the target where such an image was found."""
        with torch.no_grad():
            clean = model(images)
        _, flat = self.cases(clean, labels)
        targets = flat.view(len(labels), -1)
        search = PairSearch(model, images, labels, sample, seed, targets)
        alive = search.alive()  # a sample that is wrong when clean keeps its clean prediction
        for column in range(targets.shape[1]):
            for name, loss in (("mifpe", scaled_cross_entropy), ("ce", cross_entropy)):
                rows = search.open(alive, column)
                radii = images.new_full((len(rows),), float(self.radius))
                self._aim(search, rows, radii, column, loss, f"pairs/{column}/{name}")
        found = search.found
        if self.bisections:
            found = self._nearer(search, alive, found)
        return found.flatten(0, 1)

    def _aim(self, search: Search, rows: Rows, radii: PerSample, column: int, loss: Loss, purpose: str) -> None:
        assert isinstance(search, PairSearch)
        if len(rows):
            start = extreme_start(
                search.images[rows], radii, self.radius.norm, search.sample[rows], search.seed, purpose
            )
            aimed = into(loss, search.targets[rows, column])
            apgd(search, rows, radii, self.radius.norm, aimed, self.steps, start)

    def _nearer(self, search: PairSearch, alive: Rows, found: Found) -> Found:
        """Bisect the radius of each hit between 0 and the distance of the nearest one so far."""
        best = found.clone()
        for column in range(search.targets.shape[1]):
            rows = alive[search.reached[alive, column] > 0]
            high = distance(best[rows, column] - search.images[rows], self.radius.norm)
            low = torch.zeros_like(high)
            for turn in range(self.bisections):
                middle = (low + high) / 2
                search.reached[rows, column] = -torch.inf
                self._aim(search, rows, middle, column, scaled_cross_entropy, f"pairs/{column}/bisect/{turn}")
                hit = search.reached[rows, column] > 0
                best[rows, column] = torch.where(
                    spread(hit, search.images[rows]), search.found[rows, column], best[rows, column]
                )
                high, low = torch.where(hit, middle, high), torch.where(hit, low, middle)
        return best
