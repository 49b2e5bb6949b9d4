"""RoBal (Wu et al., 2021, arXiv:2104.02703): a scale-invariant last layer, margins and biases by class size.

With cosines z_k = <phi / |phi|, w_k / (|w_k| + gamma)>, pi_c = n_c / n, n_min the size of the smallest class, x clean
and x' attacked, and the released code's equations where the paper's could not be read:

    m_c  = m0 + (tau_m / s) log(n_c / n_min)            a larger margin for frequent classes
    L_mm = CE(s (z(x') - m_y 1[k = y]) + tau_b log pi_k, y)
    L    = L_mm + beta KL(softmax z(x) || softmax z(x'))

x' climbs CE(z(x'), y) of the plain cosines, without margin and scale. At inference z_k <- scale z_k - tau_p log pi_k:
the boundary adjustment, which belongs to the model that comes out. There are two settings, N for accuracy on clean
images and R under attack, for CIFAR-10-LT (imbalance 50) and, with 100 in their names, CIFAR-100-LT (10). The authors
evaluate R on CIFAR-10-LT at scale 1 and all others at scale 10, so that their PGDs climb logits of other scales.

The paper's two modules can be switched off, each alone. Without `invariant` the last layer is linear and all scales
are 1; without `rebalance` nothing depends on class sizes: tau_m, tau_b and tau_p are 0, and the margin m0 stays.
"""

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from weakspot.config import settings
from weakspot.contracts import Images, Labels, Logits, PerSample
from weakspot.maths.balls import spread, start_noise
from weakspot.maths.losses import cross_entropy, kl
from weakspot.training.inner import ascend, attack_mode
from weakspot.training.objective import Attacked, Knob, Knobs, Losses, Objective, PerClass

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


@settings
class RobalN(Objective):
    """Minimise L_mm(x') + beta KL(x || x'); RoBal-N's settings on CIFAR-10-LT.

    `step` is a share of the radius (0.0078 of 0.031). Batch norm is in eval mode inside the attack. The authors' attack
    starts on one side of the image, at x + eps U[0, 1); `one_sided=False` starts anywhere in the ball, as l2 does.
    """

    name: ClassVar[str] = "robal-n"
    adversarial: ClassVar[bool] = True
    every_class: ClassVar[bool] = True
    smooths: ClassVar[bool] = False
    carries: ClassVar[frozenset[Knob]] = frozenset({"radius", "robust", "beta", "target"})
    m0: NotNegative = 0.1
    s: Positive = 10.0
    tau_b: NotNegative = 1.2
    tau_m: NotNegative = 0.0
    gamma: NotNegative = 1 / 32
    beta: NotNegative = 6.0
    scale: Positive = 10.0
    tau_p: NotNegative = 0.1
    invariant: bool = True
    rebalance: bool = True
    one_sided: bool = True
    steps: Annotated[int, Field(ge=1)] = 5
    step: Positive = 78 / 310

    @property
    def head(self) -> str:
        """The scale-invariant layer."""
        return f"robal(gamma={self.gamma})" if self.invariant else "linear"

    @property
    def adjust(self) -> str:
        """The boundary adjustment."""
        scale, tau = self.scale if self.invariant else 1.0, self.tau_p if self.rebalance else 0.0
        if tau:
            return f"logit-adjustment(tau={tau},scale={scale})"
        return "none" if scale == 1 else f"scale(by={scale})"

    def multi_margin(self, z: Logits, labels: Labels, counts: PerClass) -> PerSample:
        """L_mm of each sample."""
        s = self.s if self.invariant else 1.0
        tau_b, tau_m = (self.tau_b, self.tau_m) if self.rebalance else (0.0, 0.0)
        margins = self.m0 + tau_m / s * (counts / counts.min()).log()
        true = nn.functional.one_hot(labels, z.shape[1]).to(z)
        bias = tau_b * (counts / counts.sum()).log()
        return cross_entropy(s * (z - margins.to(z) * true) + bias.to(z), labels)

    def attack(
        self, model: nn.Module, images: Images, labels: Labels, sample: Labels, seed: int, step: int, knobs: Knobs
    ) -> Attacked:
        """Cross-entropy ascent of the plain cosines."""
        radius = knobs.radius[labels]
        noise = start_noise(images, radius, knobs.norm, sample, seed, step)
        if self.one_sided and knobs.norm == "linf":
            noise = (noise + spread(radius, images)) / 2
        with attack_mode(model) as quiet:
            found = ascend(
                quiet,
                images,
                (images + noise).clamp(0, 1),
                radius,
                knobs.norm,
                steps=self.steps,
                share=self.step,
                loss=knobs.aimed(lambda logits: cross_entropy(logits, labels), labels, sample, seed, step),
            )
        return Attacked(found)

    def losses(self, model: nn.Module, images: Images, labels: Labels, attacked: Attacked, knobs: Knobs) -> Losses:
        """L_mm(attacked) + beta KL(clean || attacked); the gradient also flows through the clean cosines."""
        clean, logits = model(images), model(attacked.images)
        divergence = self.beta * knobs.beta[labels] * kl(clean, logits)
        losses = self.multi_margin(logits, labels, knobs.frequency) + divergence
        return knobs.reduced(knobs.robust[labels] * losses, logits, labels)


@settings
class RobalR(RobalN):
    """RoBal-R's settings on CIFAR-10-LT."""

    name: ClassVar[str] = "robal-r"
    tau_b: NotNegative = 1.5
    tau_m: NotNegative = 0.3
    scale: Positive = 1.0
    tau_p: NotNegative = 0.0


@settings
class RobalN100(RobalN):
    """RoBal-N's settings on CIFAR-100-LT."""

    name: ClassVar[str] = "robal-n-100"
    m0: NotNegative = 0.2
    tau_b: NotNegative = 0.0
    beta: NotNegative = 3.0
    tau_p: NotNegative = 1.5


@settings
class RobalR100(RobalN):
    """RoBal-R's settings on CIFAR-100-LT."""

    name: ClassVar[str] = "robal-r-100"
    m0: NotNegative = 0.3
    tau_b: NotNegative = 0.0
    gamma: NotNegative = 1 / 16
    tau_p: NotNegative = 1.7
