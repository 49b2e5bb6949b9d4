"""How a threat prints: `pgd(steps=50)@linf:8/255`, `fog@3`, `clean`."""

from dataclasses import MISSING, fields

from weakspot.addresses import ThreatAddress
from weakspot.contracts import Threat


def address_of(threat: Threat) -> ThreatAddress:
    """A threat's name, the options that differ from their defaults, and its radius; fields without repr stay out.

    A threat whose fields do not say it (a severity, another threat) has an `address` of its own.
    """
    own = getattr(threat, "address", None)
    if isinstance(own, ThreatAddress):
        return own
    options, place = [], None
    for field in fields(threat):  # type: ignore[arg-type]  # every threat is a settings dataclass
        value = getattr(threat, field.name)
        if field.name == "radius":
            place = str(value)
        elif field.repr and (field.default is MISSING or value != field.default):
            options.append((field.name, str(value)))
    return ThreatAddress(threat.name, tuple(options), place)
