"""T10: what fools a plain copy of the model must not break more than attacking the model itself does.

The copy is a small network fitted to the model's own answers on noisy images. IoAF's indicator 5 asks how much of an
attack on a substitute fails to transfer; Carlini et al. (2019) ask that transfer be the weaker attack. The finding
counts the second and tells the first.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weakspot.doubts.attack import ascend
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, not_checked
from weakspot.doubts.hits import judge_hits
from weakspot.maths.balls import start_noise
from weakspot.maths.losses import margin
from weakspot.models.zoo.initial import draw

SIDE = 32
HIDDEN = 256
FITTING = 200
STEPS = 50
WARN, FAIL = 0.005, 0.02


class Copy(nn.Module):
    """One hidden layer on the image, pooled to at most 32 x 32."""

    def __init__(self, shape: torch.Size, classes: int):
        super().__init__()
        channels, height, width = shape
        self.size = (min(height, SIDE), min(width, SIDE))
        with torch.random.fork_rng(devices=[]):  # torch draws weights when layers are made; they are replaced
            self.hidden = nn.Linear(channels * self.size[0] * self.size[1], HIDDEN)
            self.last = nn.Linear(HIDDEN, classes)
        draw(self.hidden, "hidden", 0)
        draw(self.last, "last", 0)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of shape (B, K)."""
        return self.last(F.relu(self.hidden(F.adaptive_avg_pool2d(images, self.size).flatten(1))))


def fitted_copy(context: Context) -> Copy:
    """A copy that agrees with the model's predictions on the context's images with noise of up to the radius."""
    assert context.radius is not None
    radii = context.images.new_full((len(context),), float(context.radius))
    copy = Copy(context.images.shape[1:], len(context.classes)).to(context.images.device)
    optimiser = torch.optim.Adam(copy.parameters(), lr=3e-3)
    for step in range(FITTING):
        norm = context.radius.norm
        noise = start_noise(context.images, radii, norm, context.sample, context.seed, step, purpose="doubts/T10")
        images = (context.images + noise).clamp(0, 1)
        answers = context.logits(images).argmax(1)
        with torch.enable_grad():
            loss = F.cross_entropy(copy(images), answers)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return copy.requires_grad_(False).eval()


def transfer(context: Context) -> Finding:
    """Attack the copy white-box and ask the model about the images, on the audit's survivors."""
    assert context.radius is not None
    survivors = context.survivors()
    if not len(survivors):
        return not_checked("T10", "no sample survived the audit")
    standing = Context(
        fitted_copy(context), survivors.images, survivors.labels, survivors.sample, context.classes, context.radius,
        context.seed,
    )  # fmt: skip
    search = ascend(standing, float(context.radius), STEPS)
    fooled = search.lowest < 0
    broken = fooled & (margin(survivors.logits(search.best), survivors.labels) < 0)
    return judge_hits(
        "T10",
        survivors,
        broken,
        f"Images made against a plain copy of the model, which fool that copy on {int(fooled.sum())} samples,",
        "an attack on a copy should be the weaker one, so the model's own gradients mislead",
        warn=WARN,
        fail=FAIL,
    )


CHECK = Check(
    id="T10",
    name="transfer",
    when="full",
    cost=FITTING + 2,
    samples=256,
    run=transfer,
    rows=True,
    radius=True,
)
