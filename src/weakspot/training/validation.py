"""Accuracy per class on held-out training samples, clean and under PGD; the test split is never read."""

from dataclasses import dataclass

import torch
from torch import nn

from weakspot.addresses import Radius
from weakspot.contracts import Labels
from weakspot.maths.balls import start_noise
from weakspot.maths.losses import cross_entropy
from weakspot.training.inner import ascend, attack_mode
from weakspot.training.pool import Pool

BATCH = 512
SHARE = 0.25
"""The attack's step as a share of the radius."""


@dataclass(frozen=True)
class Validation:
    """Counts per class; `robust` (correct when clean and after the attack) is None without a radius."""

    samples: list[int]
    clean: list[int]
    robust: list[int] | None

    def score(self, select: str) -> float:
        """The accuracy by which epochs are compared: of all classes alike, or of the worst one; -inf for "last"."""
        if select == "last" or not sum(self.samples):
            return float("-inf")
        right = self.clean if self.robust is None else self.robust
        rates = [r / n for r, n in zip(right, self.samples, strict=True) if n]
        return min(rates) if select == "worst" else sum(rates) / len(rates)


def validate(
    model: nn.Module, pool: Pool, rows: Labels, classes: int, radius: Radius | None, steps: int, seed: int
) -> Validation:
    """Count what the model gets right among `rows`; the attack's start is the same in every epoch."""
    counts = torch.zeros(3, classes, dtype=torch.int64, device=rows.device)
    with attack_mode(model) as quiet:
        for first in range(0, len(rows), BATCH):
            part = rows[first : first + BATCH]
            images, labels = pool.images(part), pool.labels[part]
            with torch.no_grad():
                clean = quiet(images).argmax(1) == labels
            robust = clean
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
                    robust = clean & (quiet(attacked).argmax(1) == labels)
            for count, hit in zip(counts, (torch.ones_like(clean), clean, robust), strict=True):
                count.index_add_(0, labels, hit.long())
    samples, right, held = counts.tolist()
    return Validation(samples, right, held if radius else None)
