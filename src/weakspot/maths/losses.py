"""Losses of logits, one value per sample; an attack ascends them, so larger is worse for the model."""

from math import inf

import torch
import torch.nn.functional as F

from weakspot.contracts import Images, Labels, Logits, PerSample

TINY = 1e-12


def margin(logits: Logits, labels: Labels) -> PerSample:
    """The true class's logit minus the best other one: below 0 the sample is misclassified."""
    true = logits.gather(1, labels[:, None]).squeeze(1)
    rival = logits.scatter(1, labels[:, None], -inf).amax(dim=1)
    return true - rival


def cross_entropy(logits: Logits, labels: Labels) -> PerSample:
    """-log of the true class's softmax probability."""
    return F.cross_entropy(logits, labels, reduction="none")


def dlr(logits: Logits, labels: Labels) -> PerSample:
    """Difference of logits ratio (Croce and Hein, 2020, arXiv:2003.01690, eq. 6): -(z_y - max z_j) / (z_(1) - z_(3)).

    Invariant to a shift and a positive scale of the logits. It needs three classes; with two, z_(3) does not exist
    and the margin itself is returned, whose gradient has the same direction.
    """
    if logits.shape[1] < 3:
        return -margin(logits, labels)
    top = logits.topk(3, dim=1).values
    return -margin(logits, labels) / (top[:, 0] - top[:, 2] + TINY)


def kl(reference: Logits, logits: Logits) -> PerSample:
    """D_KL(softmax(reference) || softmax(logits))."""
    return F.kl_div(logits.log_softmax(1), reference.log_softmax(1), reduction="none", log_target=True).sum(1)


def finite_or_zero(gradient: torch.Tensor) -> torch.Tensor:
    """The gradient with 0 for NaN and infinity, so that one bad sample stays where it is and poisons no other."""
    return gradient.nan_to_num(0.0, 0.0, 0.0)


def input_gradient(values: PerSample, x: Images) -> Images:
    """The gradient of each sample's value in its image, detached; entries that are not finite are 0.

    A model that lets no gradient through (a detached or rounded input, a constant) has gradient 0.
    """
    found = torch.autograd.grad(values.sum(), x, allow_unused=True)[0] if values.requires_grad else None
    return torch.zeros_like(x) if found is None else finite_or_zero(found.detach())


def targeted_dlr(logits: Logits, labels: Labels, targets: Labels) -> PerSample:
    """DLR towards a class (Croce and Hein, 2020, eq. 7): -(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2).

    It needs four classes; with three the denominator is z_(1) - z_(3), with two the plain difference is returned.
    """
    gap = (logits.gather(1, labels[:, None]) - logits.gather(1, targets[:, None])).squeeze(1)
    if logits.shape[1] < 3:
        return -gap
    top = logits.topk(min(4, logits.shape[1]), dim=1).values
    return -gap / (top[:, 0] - top[:, 2:].mean(1) + TINY)


def targeted_margin(logits: Logits, labels: Labels, targets: Labels) -> PerSample:
    """z_t - max_{j != t} z_j: above 0 the sample is taken for the target class."""
    return margin(logits, targets)


def probability_margin(logits: Logits, labels: Labels) -> PerSample:
    """max_{j != y} p_j - p_y (PMA, CVPR 2025, arXiv:2411.15210): large steps where the model is unsure already."""
    return -margin(logits.softmax(1), labels)


def scaled_cross_entropy(logits: Logits, labels: Labels) -> PerSample:
    """Cross-entropy of logits divided by their own gap z_(1) - z_(2), which is a constant (MIFPE, CVPR 2023).

    No scale of the logits can make it underflow. The gap is kept above a hundred-millionth of the largest logit.
    """
    top = logits.detach().topk(2, dim=1).values
    gap = (top[:, 0] - top[:, 1]).clamp(min=TINY) + 1e-8 * logits.detach().abs().amax(1)
    return cross_entropy(logits / gap[:, None], labels)
