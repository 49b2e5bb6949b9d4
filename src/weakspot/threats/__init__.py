"""The catalogue of threats, and their addresses: `pgd@linf:8/255`, `apgd-ce(steps=50)@l2:0.5`, `fog@3`, `clean`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

from weakspot.addresses import Radius, ThreatAddress
from weakspot.contracts import Threat
from weakspot.errors import InputError, unknown
from weakspot.registry import find
from weakspot.threats.apgd import ApgdCe, ApgdDlr
from weakspot.threats.apgd_mifpe import ApgdMifpe
from weakspot.threats.apgd_t import ApgdT
from weakspot.threats.autoattack import AutoAttack
from weakspot.threats.clean import Clean
from weakspot.threats.corruptions import CORRUPTIONS, Corruption, StoredCorruption, suite
from weakspot.threats.curve import Curve
from weakspot.threats.cw_pgd import CwPgd
from weakspot.threats.eot import Rand
from weakspot.threats.fab_t import FabT
from weakspot.threats.fgsm import Fgsm
from weakspot.threats.mim import Mim
from weakspot.threats.naming import address_of
from weakspot.threats.pairs import Pairs
from weakspot.threats.pgd import Pgd
from weakspot.threats.pma import Pma
from weakspot.threats.square import Square
from weakspot.threats.standard import Standard
from weakspot.threats.stored import Stored
from weakspot.threats.targeted import Targeted

THREATS: Mapping[str, type[Threat]] = {
    "clean": Clean,
    "fgsm": Fgsm,
    "pgd": Pgd,
    "apgd-ce": ApgdCe,
    "apgd-dlr": ApgdDlr,
    "apgd-t": ApgdT,
    "apgd-mifpe": ApgdMifpe,
    "pma": Pma,
    "mim": Mim,
    "cw-pgd": CwPgd,
    "fab-t": FabT,
    "square": Square,
    "pairs": Pairs,
    "targeted": Targeted,
    "stored": Stored,
    "curve": Curve,
    "autoattack": AutoAttack,
    "rand": Rand,
    "standard": Standard,
}
"""Our threats by name; installed packages add theirs under the entry point group `weakspot.threats`."""

MADE_IN_PYTHON: Mapping[str, str] = {
    "custom": "weakspot.threats.custom.Custom",
    "transfer": "weakspot.threats.transfer.Transfer",
}
"""Threats that hold a model or a function, which this floor cannot load; `weakspot.surrogate` can, for transfer."""

GROUPS: Mapping[str, tuple[str, ...]] = {"corruptions": suite("15"), "corruptions-extra": suite("extra")}
"""Addresses that stand for many: the 15 published corruptions, and the four extra ones, at five severities each."""

PRESETS: Mapping[str, tuple[str, ...]] = {
    "standard": ("standard",),
    "autoattack": ("autoattack",),
    "rand": ("rand",),
    "quick": ("fgsm", "pgd", "apgd-ce", "apgd-dlr"),
}
"""Named lists of threats that are run at each radius; `clean` always runs."""


def threat_address(threat: Threat) -> str:
    """The address of a threat: its name, the options that differ from their defaults, and its radius or severity."""
    return str(address_of(threat))


def parse_threat(address: str, radius: Radius | None = None) -> Threat:
    """The threat at `address`; one that needs a radius and names none takes `radius`.

    Raises:
        InputError: no such threat (the nearest is named), an unknown option, or no radius to take.

    """
    parts = ThreatAddress.of(address)
    if parts.name in CORRUPTIONS:
        return Corruption.of(address)
    if parts.name.startswith("stored:"):
        return StoredCorruption.of(address)
    if parts.name in GROUPS:
        raise InputError(f"{parts.name} stands for many threats; one of them is {GROUPS[parts.name][0]}")
    if parts.name in MADE_IN_PYTHON:
        raise InputError(f"{parts.name} holds an object of yours; make it in Python: {MADE_IN_PYTHON[parts.name]}")
    made = find(
        "threat", parts.name, {**dict.fromkeys((*CORRUPTIONS, *GROUPS, *MADE_IN_PYTHON)), **THREATS}, "weakspot.threats"
    )
    known = {field.name for field in fields(made)}
    options: dict[str, object] = dict(parts.options)
    if wrong := [key for key in options if key not in known - {"radius"}]:
        raise unknown(f"option of {parts.name}", wrong[0], known - {"radius"})
    if "radius" in known:
        if parts.place is None and radius is None:
            raise InputError(
                f"{parts.name} needs a radius and the data set has no customary one; "
                f"give --radius linf:8/255 or write {parts.name}@linf:8/255"
            )
        options["radius"] = Radius.of(parts.place) if parts.place is not None else radius
        _check_norm(parts.name, getattr(made, "norms", ("linf", "l2")), options["radius"])
    elif parts.place is not None:
        raise InputError(f"{parts.name} takes no radius, got {address!r}; write {parts.name}")
    return made(**options)


def _check_norm(name: str, norms: Sequence[str], radius: object) -> None:
    """Refuse a ball that the threat does not have; one that has others than linf and l2 says so in `norms`."""
    if isinstance(radius, Radius) and radius.norm not in norms:
        raise InputError(f"{name} works in {' and '.join(norms)}, got {radius}; give a radius in one of these norms")


def plan_threats(
    addresses: Sequence[str | Threat],
    radii: Sequence[Radius],
    parse: Callable[[str, Radius | None], Threat] = parse_threat,
) -> list[Threat]:
    """`clean`, then each address at each radius (once, if it names its own or needs none), without repetitions.

    A threat that was made in Python stands among the addresses as it is; `parse` makes the others.

    Raises:
        InputError: an address is wrong, or needs a radius where there is none.

    """
    planned: dict[str, Threat] = {"clean": Clean()}
    each: list[Radius | None] = [*radii] or [None]
    for radius in each:
        for address in addresses:
            for one in GROUPS.get(address, (address,)) if isinstance(address, str) else (address,):
                threat = parse(one, radius) if isinstance(one, str) else one
                planned.setdefault(threat_address(threat), threat)
    return list(planned.values())
