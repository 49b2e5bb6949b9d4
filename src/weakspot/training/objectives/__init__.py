"""The catalogue of objectives: one file per paper; none imports another."""

from weakspot.addresses import ThreatAddress
from weakspot.errors import InputError
from weakspot.registry import find
from weakspot.training.objective import Objective, options_of
from weakspot.training.objectives.n_fgsm import NFgsm
from weakspot.training.objectives.pgd_at import PgdAt
from weakspot.training.objectives.standard import Standard
from weakspot.training.objectives.trades import Trades

OBJECTIVES: dict[str, type] = {kind.name: kind for kind in (Standard, NFgsm, PgdAt, Trades)}
GROUP = "weakspot.objectives"
"""The entry point group by which an installed package offers more."""


def objective_of(method: "str | Objective") -> Objective:
    """The objective at an address such as `trades` or `trades(beta=3,steps=7)`; an objective is returned as it is.

    Raises:
        InputError: no such method, or an option that it does not have.

    """
    if not isinstance(method, str):
        return method
    address = ThreatAddress.of(method)
    if address.place is not None:
        raise InputError(f"a training method has no place, got {method!r}; write the radius apart: radius='linf:8/255'")
    kind = find("training method", address.name, OBJECTIVES, GROUP)
    return kind(**dict(address.options))


def method_of(objective: Objective) -> str:
    """The address that `objective_of` reads back as an equal objective."""
    return str(ThreatAddress(objective.name, tuple((k, str(v)) for k, v in options_of(objective).items())))
