"""Configurations: frozen pydantic dataclasses that refuse unknown keys, written once for Python, flags and YAML."""

from typing import TypeVar, dataclass_transform

import pydantic
from pydantic.dataclasses import dataclass

from weakspot.errors import InputError

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make `cls` a frozen, keyword-only dataclass whose fields are validated; unknown keys are an InputError."""
    made = dataclass(frozen=True, kw_only=True, config=pydantic.ConfigDict(extra="forbid"))(cls)
    construct = made.__init__

    def __init__(self: T, **fields: object) -> None:
        try:
            construct(self, **fields)
        except pydantic.ValidationError as error:
            raise InputError(one_line(cls.__name__, error)) from None

    made.__init__ = __init__  # type: ignore[assignment]  # the same constructor with a one-line error
    return made  # type: ignore[return-value]  # pydantic's dataclass is the class itself


def one_line(what: str, error: pydantic.ValidationError) -> str:
    """Pydantic's findings as one line."""
    found = []
    for detail in error.errors():
        where = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        found.append(f"{where}: {message}, got {detail['input']!r}" if where else message)
    return f"{what}: " + "; ".join(found)
