"""`doctor`: what can be doubted about an evaluation before it is made."""

import copy

from torch import nn

from weakspot.addresses import Radius
from weakspot.contracts import Data
from weakspot.doubts.catalogue import examine
from weakspot.doubts.context import gather
from weakspot.doubts.finding import Finding


def doctor(
    module: nn.Module, data: Data, radius: Radius | None = None, full: bool = False, seed: int = 0
) -> list[Finding]:
    """Examine a model as it is handed over, in the mode it is in; nothing of it is changed.

    Args:
        module: From images in [0, 1] to logits, on the device where it is to be examined.
        data: Images and labels; 256 of them are used.
        radius: The radius to attack with; by default the data set's customary one.
        full: All checks, also the dear ones.
        seed: Names all random draws.

    """
    if radius is None and data.radius is not None:
        radius = Radius.of(data.radius)
    if any(part.training for part in module.modules()):
        module = copy.deepcopy(module)  # in training mode batch norm would learn from the samples
    return examine(gather(module, data, radius, seed), "full" if full else "doctor")
