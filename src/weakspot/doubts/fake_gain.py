"""scale: accuracy under PGD that depends on the scale of the logits is no robustness ("fake gain", AT-BSL's authors).

A large scale makes the gradient of the cross-entropy vanish, a small one spreads it over all wrong classes; both weaken
PGD and neither changes a decision. The sweep attacks the cross-entropy of the logits times 0.01, ..., 100.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from weakspot.analysis.arrays import ClassCounts, Labels, ratio
from weakspot.analysis.fake_gain import FAKE
from weakspot.analysis.paired import mcnemar
from weakspot.contracts import Labels as TensorLabels
from weakspot.contracts import Logits, PerSample
from weakspot.doubts.attack import ascend
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding
from weakspot.maths.losses import cross_entropy
from weakspot.threats.pgd import pgd
from weakspot.threats.search import Loss, Search

SCALES = (0.01, 0.1, 1.0, 10.0, 100.0)
STEPS, STEP = 20, 0.1
ALPHA = 0.05


@dataclass(frozen=True)
class Sweep:
    """Which samples are right under PGD-20 at each scale of the logits, and under APGD-DLR, which knows no scale."""

    scales: tuple[float, ...]
    robust: Bool[np.ndarray, "scales samples"]
    scale_free: Bool[np.ndarray, " samples"]
    label: Labels
    classes: tuple[str, ...]

    def samples(self) -> ClassCounts:
        """How many samples each class has."""
        return np.bincount(self.label, minlength=len(self.classes))

    def per_class(self) -> Float[np.ndarray, "scales classes"]:
        """Accuracy at each scale; NaN for a class without samples."""
        counts = [np.bincount(self.label[right], minlength=len(self.classes)) for right in self.robust]
        return ratio(np.array(counts), self.samples()[None])

    def fake(self) -> Float[np.ndarray, " classes"]:
        """Per class: accuracy at scale 1 minus the lowest over the scales."""
        each = self.per_class()
        return each[self.scales.index(1.0)] - each.min(axis=0)

    def overall(self) -> Float[np.ndarray, " scales"]:
        """Accuracy at each scale."""
        return self.robust.mean(axis=1)


def scaled(scale: float) -> Loss:
    """The cross-entropy of `scale` times the logits."""

    def loss(logits: Logits, labels: TensorLabels) -> PerSample:
        return cross_entropy(scale * logits, labels)

    return loss


def sweep(context: Context, scales: tuple[float, ...] = SCALES) -> Sweep:
    """Attack the samples with PGD-20 at each scale, from the same starts; `scales` must hold 1."""
    assert context.radius is not None
    radii = context.images.new_full((len(context),), float(context.radius))
    rows = torch.arange(len(context), device=context.images.device)
    robust = []
    for scale in scales:
        search = Search(context.model, context.images, context.labels, context.sample, context.seed)
        pgd(search, rows, radii, context.radius.norm, scaled(scale), STEPS, STEP, "pgd/0")
        robust.append((search.lowest >= 0).cpu().numpy())
    free = ascend(context, float(context.radius), STEPS).lowest >= 0
    return Sweep(scales, np.array(robust), free.cpu().numpy(), context.labels.cpu().numpy(), context.classes)


def fake_gain(context: Context) -> Finding:
    """Warn if another scale lowers the accuracy under PGD by more than a point, beyond chance (exact McNemar)."""
    made = sweep(context)
    accuracy = made.overall()
    one, lowest = made.scales.index(1.0), int(accuracy.argmin())
    gain = float(accuracy[one] - accuracy[lowest])
    says = (
        f"Accuracy of {len(context)} samples under PGD-{STEPS} is {accuracy[one]:.1%}, and {accuracy[lowest]:.1%} with "
        f"the logits times {made.scales[lowest]:g}; under APGD-DLR, which knows no scale, it is "
        f"{made.scale_free.mean():.1%}"
    )
    kept, lost = made.robust[one], made.robust[lowest]
    if gain > FAKE and mcnemar(int((kept & ~lost).sum()), int((lost & ~kept).sum())) < ALPHA:
        differences = made.fake()
        most = int(np.nanargmax(differences))
        says += (
            f"; the difference comes from the scale alone (most in {made.classes[most]}: {differences[most]:.1%}), so "
            "judge by scale-free losses"
        )
        return Finding("scale", "warn", gain, FAKE, says + ".")
    return Finding("scale", "ok", gain, FAKE, says + ".")


CHECK = Check(
    id="scale",
    name="fake gain by logit scale",
    when="full",
    cost=(len(SCALES) + 1) * (3 * STEPS + 5),
    samples=256,
    run=fake_gain,
    radius=True,
    gradient=True,
)
