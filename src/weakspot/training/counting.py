"""Sums per class and per pair of classes, in float64, as policies keep them."""

import torch
from jaxtyping import Float
from torch import Tensor

from weakspot.contracts import Labels, PerSample

Sums = Float[Tensor, " classes"]
Matrix = Float[Tensor, "classes classes"]


def per_class(values: PerSample, labels: Labels, classes: int) -> Sums:
    """The sum of `values` in each class."""
    return values.new_zeros(classes, dtype=torch.float64).index_add_(0, labels, values.double())


def rows_per_class(values: Float[Tensor, "batch columns"], labels: Labels, classes: int) -> Float[Tensor, "classes _"]:
    """The sum of the rows of each class."""
    return values.new_zeros(classes, values.shape[1], dtype=torch.float64).index_add_(0, labels, values.double())


def pairs(labels: Labels, predictions: Labels, classes: int) -> Matrix:
    """How many samples of class i are taken for class j."""
    return torch.bincount(labels * classes + predictions, minlength=classes**2).double().view(classes, classes)


def share(parts: Tensor, whole: Tensor, otherwise: float) -> Tensor:
    """`parts` / `whole`, and `otherwise` where the whole is 0."""
    return torch.where(whole > 0, parts / whole.clamp(min=1e-300), torch.full_like(parts, otherwise))


def false_positives(confusion: Matrix) -> Sums:
    """The class false positive score: the share of all errors that predict this class (arXiv:2411.19853).

    Where nothing is wrong, which leaves it undefined, each class gets the same share.
    """
    wrong = confusion - confusion.diagonal().diag()
    return share(wrong.sum(0), wrong.sum().expand(len(wrong)), 1 / len(wrong))
