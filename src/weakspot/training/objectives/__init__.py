"""The catalogue of objectives: one file per paper; none imports another."""

import re

from weakspot.addresses import ThreatAddress, plain_address
from weakspot.errors import InputError
from weakspot.registry import find
from weakspot.training.longtail.at_bsl import AtBsl
from weakspot.training.longtail.reat import Reat
from weakspot.training.longtail.robal import RobalN, RobalN100, RobalR, RobalR100
from weakspot.training.longtail.taet import Taet
from weakspot.training.objective import Objective, options_of
from weakspot.training.objectives.awp import Awp
from weakspot.training.objectives.fat import Fat
from weakspot.training.objectives.fgsm_rs import FgsmRs
from weakspot.training.objectives.free import Free
from weakspot.training.objectives.gairat import Gairat
from weakspot.training.objectives.grad_reg import GradReg
from weakspot.training.objectives.mart import Mart
from weakspot.training.objectives.n_fgsm import NFgsm
from weakspot.training.objectives.pgd_at import PgdAt
from weakspot.training.objectives.spat import Spat
from weakspot.training.objectives.standard import Standard
from weakspot.training.objectives.trades import Trades

OBJECTIVES: dict[str, type] = {
    kind.name: kind
    for kind in (
        Standard,
        FgsmRs,
        NFgsm,
        Free,
        PgdAt,
        Trades,
        Mart,
        Fat,
        Gairat,
        GradReg,
        Spat,
        RobalN,
        RobalR,
        RobalN100,
        RobalR100,
        AtBsl,
        Taet,
        Reat,
    )
}
STEPPERS: dict[str, type] = {"awp": Awp}
"""Written behind an objective: `trades+awp`."""
EXAMPLE = "trades(beta=3)"
GROUP = "weakspot.objectives"
"""The entry point group by which an installed package offers more."""


def objective_of(method: str | Objective) -> Objective:
    """The objective at an address such as `trades`, `trades(beta=3,steps=7)` or `trades+awp(gamma=0.005)`.

    An objective is returned as it is.

    Raises:
        InputError: no such method, or an option that it does not have.

    """
    if not isinstance(method, str):
        return method
    if "@" in method:
        raise InputError(f"a training method has no place, got {method!r}; write the radius apart: radius='linf:8/255'")
    first, *around = re.split(r"\+(?![^(]*\))", method)  # a plus in brackets belongs to a number
    address = plain_address("training method", first, EXAMPLE)
    if address.name in STEPPERS:
        raise InputError(f"{address.name} goes around a training method: write pgd-at+{first}, trades+{first}, ...")
    made: Objective = find("training method", address.name, OBJECTIVES, GROUP)(**dict(address.options))
    for part in around:
        address = plain_address("training method", part, EXAMPLE)
        stepper = find("stepper", address.name, STEPPERS, "weakspot.steppers")
        if type(made).update is not Objective.update:
            raise InputError(f"{made.name} takes its own steps, so {address.name} cannot go around it; use pgd-at")
        made = stepper(over=made, **dict(address.options))
    return made


def method_of(objective: Objective) -> str:
    """The address that `objective_of` reads back as an equal objective."""
    options = {name: value for name, value in options_of(objective).items() if not isinstance(value, Objective)}
    address = str(ThreatAddress(objective.name, tuple((name, str(value)) for name, value in options.items())))
    return address if objective.base is objective else f"{method_of(objective.base)}+{address}"
