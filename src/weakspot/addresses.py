"""Addresses name radii and threats: typed, printable, and each reads back as itself.

`linf:8/255`, `l2:0.5`; `apgd-ce@linf:8/255`, `pgd(steps=50)@linf:8/255`, `fog@3`, `clean`.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator

from weakspot.errors import InputError, unknown

Norm = Literal["linf", "l2", "l1"]


def _number(size: Fraction) -> str:
    """A short decimal where there is one, else n/255, else the fraction: 0.5, 8/255, 1/3."""
    rest = size.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1:
        return format(float(size), ".12g")
    if 255 % size.denominator == 0:
        return f"{int(size * 255)}/255"
    return f"{size.numerator}/{size.denominator}"


@dataclass(frozen=True)
class Radius:
    """An lp ball's norm and size; images are in [0, 1], so 8/255 and not 8."""

    norm: Norm
    size: Fraction

    def __post_init__(self) -> None:
        if self.norm not in get_args(Norm):
            raise unknown("norm", self.norm, get_args(Norm))
        if self.size < 0:
            raise InputError(f"a radius must not be negative, got {self.size}")
        if self.norm == "linf" and self.size > 1:
            raise InputError(
                f"an linf radius is at most 1, since images lie in [0, 1], got {self}; 8/255 is linf:8/255"
            )

    @classmethod
    def of(cls, address: "str | Radius") -> "Radius":
        """Read `linf:8/255`; a Radius is returned as it is.

        Raises:
            InputError: it is no radius.

        """
        if isinstance(address, cls):
            return address
        norm, colon, size = str(address).partition(":")
        if not colon:
            raise InputError(f"a radius is written NORM:SIZE, such as linf:8/255 or l2:0.5, got {address!r}")
        if norm not in get_args(Norm):
            raise unknown("norm", norm, get_args(Norm))
        if len(size) > 30 or re.search(r"[eE][+-]?\d{3}", size):  # Fraction would write out 1e99999999
            raise InputError(f"a radius is written NORM:SIZE, such as linf:8/255 or l2:0.5, got {address!r}")
        try:
            value = Fraction(size.replace(" ", ""))
        except (ValueError, ZeroDivisionError):
            raise InputError(f"a radius is written NORM:SIZE, such as linf:8/255 or l2:0.5, got {address!r}") from None
        return cls(norm, value)  # type: ignore[arg-type]  # checked above

    def __float__(self) -> float:
        return float(self.size)

    def __str__(self) -> str:
        return f"{self.norm}:{_number(self.size)}"


RadiusField = Annotated[Radius, BeforeValidator(Radius.of)]
"""A Radius in a configuration; an address is read."""

_THREAT = re.compile(r"(?P<name>[A-Za-z0-9_.:-]+)(\((?P<options>[^()]*)\))?(@(?P<place>[^@]+))?")


@dataclass(frozen=True)
class ThreatAddress:
    """`name(option=value,...)@place`: the place is a radius or a severity; options differ from their defaults."""

    name: str
    options: tuple[tuple[str, str], ...] = ()
    place: str | None = None

    @classmethod
    def of(cls, address: str) -> "ThreatAddress":
        """Read an address.

        Raises:
            InputError: it is no threat address.

        """
        found = _THREAT.fullmatch(address.strip())
        if not found:
            raise InputError(
                f"a threat is written NAME@RADIUS or NAME@SEVERITY, such as pgd@linf:8/255 or fog@3, got {address!r}"
            )
        pairs = [pair.partition("=") for pair in (found["options"] or "").split(",") if pair.strip()]
        if bad := [key for key, equals, _ in pairs if not equals]:
            raise InputError(f"threat options are written key=value, got {bad[0]!r} in {address!r}")
        return cls(found["name"], tuple((key.strip(), value.strip()) for key, _, value in pairs), found["place"])

    def __str__(self) -> str:
        options = f"({','.join(f'{key}={value}' for key, value in self.options)})" if self.options else ""
        return f"{self.name}{options}" + (f"@{self.place}" if self.place is not None else "")


def plain_address(what: str, address: str, example: str) -> ThreatAddress:
    """Read `name(option=value,...)` of anything but a threat: it has no place.

    Raises:
        InputError: it is written otherwise.

    """
    one = f"{'an' if what[0] in 'aeiou' else 'a'} {what}"
    try:
        found = ThreatAddress.of(address)
    except InputError:
        raise InputError(
            f"{one} is written NAME or NAME(OPTION=VALUE,...), such as {example}, got {address!r}"
        ) from None
    if found.place is not None:
        raise InputError(f"{one} has no place, got {address!r}; options stand in brackets, as in {example}")
    return found


def slug(address: str) -> str:
    """The address as a file name: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", address)
