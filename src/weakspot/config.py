"""Configurations: frozen pydantic dataclasses that refuse unknown keys, written once for Python, flags and YAML."""

import re
from dataclasses import asdict, fields
from typing import Any, ClassVar, Literal, TypeVar, dataclass_transform

import pydantic
import yaml
from pydantic.dataclasses import dataclass

from weakspot.errors import InputError, unknown

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make `cls` a frozen, keyword-only dataclass whose fields are validated; unknown keys are an InputError."""
    made = dataclass(frozen=True, kw_only=True, config=pydantic.ConfigDict(extra="forbid"))(cls)
    construct = made.__init__

    def __init__(self: T, **given: object) -> None:
        try:
            construct(self, **given)
        except pydantic.ValidationError as error:
            raise InputError(one_line(cls, error)) from None

    made.__init__ = __init__  # type: ignore[assignment]  # the same constructor with a one-line error
    return made  # type: ignore[return-value]  # pydantic's dataclass is the class itself


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain values for JSON and YAML; fields that are None or empty are left out."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(config).items()
        if value is not None and value != ()
    }


def to_yaml(config: Any) -> str:
    """A configuration as YAML that `--config` reads back."""
    return yaml.safe_dump(plain(config), sort_keys=False)


def one_line(config: type, error: pydantic.ValidationError) -> str:
    """Pydantic's findings about this configuration as one line."""
    found, known = [], [field.name for field in fields(config)]
    for detail in error.errors():
        # Of a union pydantic also names the branch, such as "constrained-float": that is its own affair.
        where = ".".join(part for part in map(str, detail["loc"]) if re.fullmatch(r"\w+", part))
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "missing":  # pydantic's input is then its own record of all arguments
            found.append(f"{where} is needed")
        elif detail["type"] == "unexpected_keyword_argument":
            found.append(str(unknown("option", where, known)))
        else:
            found.append(f"{where}: {message}, got {detail['input']!r}" if where else message)
    name = getattr(config, "name", None)
    return f"{name if isinstance(name, str) else config.__name__}: " + "; ".join(found)


@settings
class AuditConfig:
    """What an audit is asked to do; `weakspot audit --config RUN/config.yaml` reads it back."""

    name: ClassVar[str] = "audit"
    model: str
    """The model's address; an object handed over in Python is named by its class and cannot be repeated from here."""
    weights: str | None = None
    data: str
    radius: tuple[str, ...] = ()
    preset: str | None = None
    threats: tuple[str, ...] = ()
    """Instead of the preset."""
    limit: pydantic.PositiveInt | None = None
    """The first N samples of the split."""
    precision: Literal["fp32", "bf16"] | None = None
    """What the stages search in that may be rough; float32 judges. None: no threat has such stages."""
    latent: str | None = None
    """Look at feature space before this layer, "auto" for the last one; it changes no row, so it is no part of what a
    run is."""
    seed: pydantic.NonNegativeInt = 0
    block: pydantic.PositiveInt = 256
    """Samples in a unit of work; it takes part in what a run is, since sums over a batch round differently."""
