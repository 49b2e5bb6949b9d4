"""The catalogue of long-tailed losses: one file per paper; none imports another."""

from weakspot.addresses import ThreatAddress, plain_address
from weakspot.registry import find
from weakspot.training.longtail.cdt import Cdt
from weakspot.training.longtail.class_balanced import ClassBalanced
from weakspot.training.longtail.cosine import Cosine
from weakspot.training.longtail.cosine_margin import CosineMargin
from weakspot.training.longtail.cross_entropy import CrossEntropy
from weakspot.training.longtail.focal import Focal
from weakspot.training.longtail.ldam import Ldam
from weakspot.training.longtail.logit_adjustment import LogitAdjustment
from weakspot.training.loss import Loss
from weakspot.training.objective import options_of

LOSSES: dict[str, type] = {
    kind.name: kind for kind in (CrossEntropy, Ldam, Cosine, CosineMargin, Cdt, LogitAdjustment, Focal, ClassBalanced)
}
GROUP = "weakspot.losses"
"""The entry point group by which an installed package offers more."""


def loss_of(address: str | Loss) -> Loss:
    """The loss at an address such as `ldam` or `logit-adjustment(tau=1.5)`; a loss is returned as it is.

    Raises:
        InputError: no such loss, or an option that it does not have.

    """
    if not isinstance(address, str):
        return address
    found = plain_address("loss", address, "ldam(drw=True)")
    made: Loss = find("loss", found.name, LOSSES, GROUP)(**dict(found.options))
    return made


def address_of(loss: Loss) -> str:
    """The address that `loss_of` reads back as an equal loss."""
    options = tuple((name, str(value)) for name, value in options_of(loss).items())
    return str(ThreatAddress(loss.name, options))
