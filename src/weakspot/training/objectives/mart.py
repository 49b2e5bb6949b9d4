"""MART (Wang et al., 2020, OpenReview rklOg6EFwS, eq. 11): boosted CE(attacked) + beta KL (1 - p_y(clean))."""

from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels, Logits, PerSample
from weakspot.maths.losses import cross_entropy, kl
from weakspot.training.inner import ascend, attack_mode, near_start
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective


def boosted(logits: Logits, labels: Labels) -> PerSample:
    """BCE = -log p_y - log(1 - max_{k != y} p_k).

    1 - p_r is the sum of the other probabilities: a quotient of exponential sums, exact where p_r is nearly 1 (the
    authors add 1.0001 and 1e-12 instead).
    """
    true = nn.functional.one_hot(labels, logits.shape[1]).bool()
    rival = logits.masked_fill(true, -torch.inf).argmax(1)
    others: Float[Tensor, " batch"] = logits.scatter(1, rival[:, None], -torch.inf).logsumexp(1)
    return cross_entropy(logits, labels) + logits.logsumexp(1) - others


@settings
class Mart(Objective):
    """Minimise BCE(f(x'), y) + beta KL(p(x) || p(x')) (1 - p_y(x)), where x' climbs CE from x + 0.001 N(0, 1).

    Both terms involve x', so `knobs.robust` weighs both. Batch norm is in eval mode inside the attack; the gradient
    flows through the weight 1 - p_y(x) too, as in the authors' code.
    """

    name: ClassVar[str] = "mart"
    adversarial: ClassVar[bool] = True
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust", "beta", "target"})
    smooths: ClassVar[bool] = False
    beta: Annotated[float, Field(ge=0)] = 5.0
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 7 / 31

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """Cross-entropy ascent from small normal noise."""
        radius = knobs.radius[labels]
        start = near_start(images, radius, knobs.norm, sample, seed, step)
        with attack_mode(model) as quiet:
            found = ascend(
                quiet,
                images,
                start,
                radius,
                knobs.norm,
                steps=self.steps,
                share=self.step,
                loss=knobs.aimed(lambda logits: cross_entropy(logits, labels), labels, sample, seed, step),
            )
        return Attacked(found)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """BCE(attacked) + beta KL(clean || attacked) (1 - p_y(clean))."""
        clean, logits = model(images), model(attacked.images)
        doubt = 1 - clean.softmax(1).gather(1, labels[:, None])[:, 0]
        consistency = self.beta * knobs.beta[labels] * kl(clean, logits) * doubt
        return knobs.reduced(knobs.robust[labels] * (boosted(logits, labels) + consistency), logits, labels)
