"""AutoAugment for CIFAR (Cubuk et al., 2019, arXiv:1805.09501, Table 7): one of 25 found pairs of operations per image.

AT-BSL (arXiv:2403.10073) reports its best results with it, on CIFAR-10 and, with this same table, on CIFAR-100. Its
released code takes torchvision's AutoAugment as it comes, and so its conventions hold here: index i of 0..9 is i / 9 of
each operation's range, in a direction drawn anew; brightness, colour, contrast and sharpness change by the factor
1 +- 0.9 i / 9; posterising drops round(4 i / 9) of 8 bits; a shift is at most 150 / 331 of the side; and what moves in
from outside is 0, black. The paper's own ranges (its Table 6) differ: there index 9 of those four is the factor 1.9 and
index 0 the factor 0.1, without a drawn direction, and its authors' code shifts CIFAR images by at most 10 pixels;
another widely used implementation fills with grey (128).
"""

import torch

from weakspot.contracts import Images, Labels
from weakspot.rng import integers, signs, uniform
from weakspot.training.operations import NAMES, operate

TOP = 9
"""The highest index of a magnitude."""
Use = tuple[str, float, int]
"""An operation, its probability, and the index of its magnitude; 0 where it has none."""
POLICY: tuple[tuple[Use, Use], ...] = (
    (("invert", 0.1, 0), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("auto_contrast", 0.5, 0), ("equalize", 0.9, 0)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("color", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 0), ("equalize", 0.5, 0)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("color", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, 0), ("auto_contrast", 0.4, 0)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("color", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 0)),
    (("equalize", 0.2, 0), ("auto_contrast", 0.6, 0)),
    (("equalize", 0.2, 0), ("equalize", 0.6, 0)),
    (("color", 0.9, 9), ("equalize", 0.6, 0)),
    (("auto_contrast", 0.8, 0), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("color", 0.7, 0)),
    (("solarize", 0.4, 5), ("auto_contrast", 0.9, 0)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("auto_contrast", 0.9, 0), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 0), ("invert", 0.1, 0)),
    (("translate_y", 0.7, 9), ("auto_contrast", 0.9, 0)),
)
"""Drawn from with equal chances; the two operations of a pair come in this order, each or neither."""


def auto_augment(images: Images, sample: Labels, seed: int, epoch: int) -> Images:
    """Each image after its pair of operations; what happens to a sample depends on (seed, epoch, sample) alone."""
    pair = integers(len(POLICY), (1,), sample, seed, "autoaugment", epoch)[:, 0]
    sign = signs((2,), sample, seed, "autoaugment/sign", epoch)
    chance = uniform((2,), sample, seed, "autoaugment/chance", epoch)
    values = images * 255
    for place in range(2):
        names, probabilities, indices = zip(*(uses[place] for uses in POLICY), strict=True)
        which = torch.tensor([NAMES.index(name) for name in names], device=images.device)[pair]
        used = chance[:, place] < chance.new_tensor(probabilities)[pair]
        share = sign[:, place].double() * torch.tensor(indices, device=images.device)[pair] / TOP
        values = operate(values, torch.where(used, which, NAMES.index("identity")), share)
    return values / 255
