"""A model with an inference adjustment in the place of its last layer."""

from collections.abc import Sequence
from copy import copy

from torch import Tensor, nn

from weakspot.contracts import Logits
from weakspot.errors import InputError
from weakspot.models.adjustments import Adjustment, PerClass, Unadjusted, adjustment_address, adjustment_of
from weakspot.models.zoo.model import Features, ZooModel


class AdjustedHead(nn.Module):
    """A last layer with an adjustment, in the place of the layer."""

    counts: Tensor

    def __init__(self, head: nn.Module, adjustment: Adjustment, counts: PerClass) -> None:
        super().__init__()
        self.head = head
        self.adjustment = adjustment
        self.address = adjustment_address(adjustment)  # a plain attribute, so that digests tell models apart
        self.register_buffer("counts", counts)

    def forward(self, features: Features) -> Logits:
        """The adjusted logits."""
        return self.adjustment(self.head, features, self.counts)


def adjusted(model: ZooModel, address: str, counts: Sequence[float]) -> ZooModel:
    """A model that shares all layers with `model` and answers with the adjustment; `none` is the model itself.

    Args:
        model: not changed; training it further also changes what comes back.
        address: of the adjustment.
        counts: training images of each class; may be empty where the adjustment does not depend on them.

    Raises:
        InputError: no such adjustment, it is not defined for the model's head, or a class has no training images.

    """
    adjustment, head = adjustment_of(address), model.head
    if isinstance(adjustment, Unadjusted):
        return model
    assert isinstance(head, nn.Linear), "every zoo model ends in a linear layer or a kind of it"
    adjustment.check(head)
    if adjustment.counts and (len(counts) != head.out_features or min(counts) <= 0):
        what = f"classes {[c for c, n in enumerate(counts) if n <= 0]} have none" if counts else "none are known"
        raise InputError(
            f"adjustment {adjustment.name} needs training images of each of the {head.out_features} classes, {what}; "
            "leave those classes out of the data, or use --adjust none"
        )
    known = tuple(counts) or (1.0,) * head.out_features
    found = copy(model)
    found._modules = dict(model._modules)
    setattr(found, model.head_name, AdjustedHead(head, adjustment, head.weight.new_tensor(known)))
    return found
