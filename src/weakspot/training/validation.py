"""What held-out training samples show per class, clean and under PGD; the test split is never read."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weakspot.addresses import Radius
from weakspot.contracts import Labels
from weakspot.maths.balls import start_noise
from weakspot.maths.losses import cross_entropy, kl
from weakspot.training.counting import pairs, per_class
from weakspot.training.inner import ascend, attack_mode
from weakspot.training.pool import Pool
from weakspot.training.team import ALONE, Team

BATCH = 512
SHARE = 0.25
"""The attack's step as a share of the radius."""


@dataclass(frozen=True)
class Validation:
    """Counts and sums per class; the attacked ones are the clean ones (and the divergence 0) without a radius."""

    cube: Float[Tensor, "two classes classes"]
    """Samples of class i taken for j: clean, then attacked; what is wrong when clean keeps its clean prediction."""
    entropy: Float[Tensor, " classes"]
    """The sum of the clean cross-entropies."""
    divergence: Float[Tensor, " classes"]
    """The sum of KL(p(x) || p(x'))."""
    attacked: bool

    @property
    def samples(self) -> list[int]:
        """Of each class."""
        return [int(n) for n in self.cube[0].sum(1).tolist()]

    @property
    def clean(self) -> list[int]:
        """How many are right."""
        return [int(n) for n in self.cube[0].diagonal().tolist()]

    @property
    def robust(self) -> list[int] | None:
        """How many are right before and after the attack; None without a radius."""
        return [int(n) for n in self.cube[1].diagonal().tolist()] if self.attacked else None

    def score(self, select: str, attacked: bool) -> float:
        """The accuracy by which epochs are compared: mean of the classes, worst class, or both; -inf for "last".

        Under attack, where that was measured, if `attacked`: it is highest in the first epochs of a standard training.
        """
        samples, right = self.samples, self.robust if attacked and self.robust is not None else self.clean
        if select == "last" or not sum(samples):
            return float("-inf")
        rates = [r / n for r, n in zip(right, samples, strict=True) if n]
        mean, worst = sum(rates) / len(rates), min(rates)
        return {"average": mean, "worst": worst, "sum": mean + worst}[select]


def validate(
    model: nn.Module,
    pool: Pool,
    rows: Labels,
    classes: int,
    radius: Radius | None,
    steps: int,
    seed: int,
    team: Team = ALONE,
) -> Validation:
    """Measure the model on `rows`, each process on its part; the attack's start is the same in every epoch."""
    rows = team.part(rows)
    cube = torch.zeros(2, classes, classes, dtype=torch.float64, device=rows.device)
    sums = torch.zeros(2, classes, dtype=torch.float64, device=rows.device)
    with attack_mode(model) as quiet:
        for first in range(0, len(rows), BATCH):
            part = rows[first : first + BATCH]
            images, labels = pool.images(part), pool.labels[part]
            with torch.no_grad():
                clean = quiet(images)
            sums[0] += per_class(cross_entropy(clean, labels), labels, classes)
            before = after = clean.argmax(1)
            if radius:
                size = images.new_full((len(images),), float(radius))
                start = (images + start_noise(images, size, radius.norm, part, seed)).clamp(0, 1)
                attacked = ascend(
                    quiet,
                    images,
                    start,
                    size,
                    radius.norm,
                    steps=steps,
                    share=SHARE,
                    loss=lambda logits, labels=labels: cross_entropy(logits, labels),  # type: ignore[misc]
                )
                with torch.no_grad():
                    found = quiet(attacked)
                sums[1] += per_class(kl(clean, found), labels, classes)
                after = torch.where(before == labels, found.argmax(1), before)
            cube += torch.stack([pairs(labels, before, classes), pairs(labels, after, classes)])
    cube, sums = team.sum(cube), team.sum(sums)
    return Validation(cube, sums[0], sums[1], radius is not None)
