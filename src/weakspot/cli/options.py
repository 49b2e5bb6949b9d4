"""Options that several verbs share, and the file that holds options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.argument import ArgumentCollection
from cyclopts.config import Dict

from weakspot.errors import InputError, unknown

DERIVED = ("data_digest", "weights", "flip")
"""Keys of a training run's config.yaml that are no options of `weakspot train`."""

Several = Parameter(negative=(), consume_multiple=False)
"""An option that may be given several times."""


Shown = Parameter(show_default=True)
"""An option whose default is worth knowing."""


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class Output:
    """What is printed, and where."""

    json: bool = False
    """Print one JSON object on stdout and nothing else."""
    quiet: Annotated[bool, Parameter(alias="-q")] = False
    """Print no progress and no remarks."""
    verbose: Annotated[bool, Parameter(alias="-v")] = False
    """Print every unit, and a traceback with an error."""


DEFAULT = Output()
"""The table on stdout, progress on stderr."""


def from_file(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take what neither flags nor environment have set from the YAML file that `--config` names.

    Raises:
        InputError: the file is not there, is no mapping in YAML, or has a key that is no option.

    """
    named = [token.value for argument in arguments if argument.name == "--config" for token in argument.tokens]
    if not named:
        return
    content = as_options(read_options(Path(named[-1])))
    known = [argument.name.removeprefix("--") for argument in arguments if argument.name.startswith("--")]
    for key in content:
        if str(key).replace("_", "-") not in known:
            raise unknown(f"key in {named[-1]}", str(key), known)
    # Under the verb's own name: at the root cyclopts skips keys that are also names of verbs, such as `data`.
    nested: dict[str, Any] = content
    for verb in reversed(commands):
        nested = {verb: nested}
    Dict(nested, source=named[-1])(app, commands, arguments)


def as_options(content: dict[str, Any]) -> dict[str, Any]:
    """What a file says, as options; the config.yaml of a training run also holds what follows from them."""
    if "data_digest" not in content:
        return content
    kept = {key: value for key, value in content.items() if key not in DERIVED and value is not None}
    return kept if content.get("flip", True) else kept | {"no_flip": True}


def read_options(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        InputError: the file is not there or holds something else.

    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--config {path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
        ) from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place else ""
        raise InputError(f"--config {path} is no YAML: {getattr(error, 'problem', error)}{where}") from None
    if not isinstance(content, dict):
        raise InputError(f"--config {path} must hold options as `key: value` lines, such as `seed: 3`")
    return content
