"""The catalogue of class policies: one file per paper; none imports another."""

from typing import Literal

from weakspot.addresses import ThreatAddress, plain_address
from weakspot.registry import find
from weakspot.training.objective import Objective, options_of
from weakspot.training.policies.cfa import Cfa
from weakspot.training.policies.cfol import Cfol
from weakspot.training.policies.confusion import Confusion
from weakspot.training.policies.dafa import Dafa
from weakspot.training.policies.faal import Faal
from weakspot.training.policies.fair_tat import FairTat
from weakspot.training.policies.frl import Frl
from weakspot.training.policies.none import Uniform
from weakspot.training.policies.robust_lt import RobustLt
from weakspot.training.policies.wat import Wat
from weakspot.training.policy import Policy

POLICIES: dict[str, type] = {
    kind.name: kind for kind in (Uniform, Cfa, Dafa, Frl, Wat, FairTat, Faal, Cfol, RobustLt, Confusion)
}
GROUP = "weakspot.policies"
"""The entry point group by which an installed package offers more."""


def policy_of(address: str | Policy) -> Policy:
    """The policy at an address such as `dafa` or `cfa(fawa=False,lambda_1=0.4)`; a policy is returned as it is.

    Raises:
        InputError: no such policy, or an option that it does not have.

    """
    if not isinstance(address, str):
        return address
    found = plain_address("policy", address, "dafa(lam=1.5)")
    made: Policy = find("policy", found.name, POLICIES, GROUP)(**dict(found.options))
    return made


def address_of(policy: Policy) -> str:
    """The address that `policy_of` reads back as an equal policy."""
    options = tuple((name, str(value)) for name, value in options_of(policy).items())
    return str(ThreatAddress(policy.name, options))


def origin(policy: Policy, objective: Objective) -> Literal["paper", "ours"]:
    """Whether the policy's paper defines it over this objective, or the combination is one of ours."""
    base = objective.base
    method = base.name if base is objective else f"{base.name}+{objective.name}"
    return "paper" if method in policy.paper else "ours"
