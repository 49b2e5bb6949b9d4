"""AT-BSL (CVPR 2024, arXiv:2403.10073): adversarial training by the balanced softmax (Ren et al., 2020, 2007.10740)."""

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels
from weakspot.maths.losses import cross_entropy
from weakspot.training.inner import ascend, attack_mode, near_start
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective


@settings
class AtBsl(Objective):
    """Minimise CE(z_k(x') + log n_k, y), where x' climbs the plain cross-entropy from x + 0.001 N(0, 1).

    n_k are the training images of class k. `step` is a share of the radius (2/255 of 8/255). Batch norm is in eval mode
    inside the attack. Unlike `--loss logit-adjustment`, the last bias learns. The authors' best results are with
    AutoAugment or RandAugment: `--augment autoaugment` or `randaugment`, before crop and flip as there.
    """

    name: ClassVar[str] = "at-bsl"
    adversarial: ClassVar[bool] = True
    every_class: ClassVar[bool] = True
    smooths: ClassVar[bool] = False
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust", "target"})
    steps: Annotated[int, Field(ge=1)] = 10
    step: Annotated[float, Field(gt=0)] = 0.25

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
        """The balanced softmax at the attacked images."""
        logits = model(attacked.images)
        shifted = logits + knobs.frequency.log().to(logits)
        return knobs.reduced(knobs.robust[labels] * cross_entropy(shifted, labels), logits, labels)
