"""Class-aware re-sampling (Shen et al., 2016, arXiv:1512.05830), as the long-tailed study has it (arXiv:2104.02703).

The study trains so for 25 epochs, as each shows K n_max images, and divides the rate by ten after 15 and 20 of them:
`--epochs 25 --schedule robal-resampled`.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from weakspot.contracts import Labels
from weakspot.rng import bits
from weakspot.training.pool import order


def class_aware(
    rows: Labels, labels: Labels, seed: int, epoch: int
) -> tuple[Int[Tensor, " draws"], Int[Tensor, " draws"]]:
    """An epoch in which every class with images comes n_max times: positions, and how often each was drawn before.

    Each of n_max rounds goes once through the classes, in an order of its own; each class goes through its images,
    in a new order once all were drawn. `labels` are those of `rows`. An image that comes again should be cropped,
    mirrored and attacked by other draws, which is what the second number is for.
    """
    members = [rows[labels == c] for c in torch.unique(labels).tolist()]
    rounds = max(len(one) for one in members)
    drawn, before = [], []
    for own in members:
        passes = -(-rounds // len(own))
        drawn.append(torch.cat([order(own, seed, f"class-aware/{p}", epoch) for p in range(passes)])[:rounds])
        before.append(torch.arange(rounds, device=rows.device) // len(own))
    turn = torch.arange(rounds, device=rows.device)
    classes = bits((len(members),), turn, seed, "class-aware/classes", epoch).argsort(dim=1, stable=True)
    return torch.stack(drawn, 1).gather(1, classes).flatten(), torch.stack(before, 1).gather(1, classes).flatten()
