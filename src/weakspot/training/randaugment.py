"""RandAugment (Cubuk et al., 2020, arXiv:1909.13719): two operations out of fourteen on each image, drawn by name.

Ranges are those of the usual 31 levels; AT-BSL (arXiv:2403.10073) takes two operations at level 8.
"""

from weakspot.contracts import Images, Labels
from weakspot.rng import integers, signs
from weakspot.training.operations import NAMES, operate

COUNT, LEVEL, LEVELS = 2, 8, 30
CHOICE = NAMES.index("equalize") + 1
"""Drawn from with equal chances: all operations but "invert"."""


def rand_augment(images: Images, sample: Labels, seed: int, epoch: int) -> Images:
    """Each image after its two operations; what happens to a sample depends on (seed, epoch, sample) alone."""
    which = integers(CHOICE, (COUNT,), sample, seed, "randaugment", epoch)
    share = signs((COUNT,), sample, seed, "randaugment/sign", epoch).double() * (LEVEL / LEVELS)
    values = images * 255
    for place in range(COUNT):
        values = operate(values, which[:, place], share[:, place])
    return values / 255
