"""`package.module:factory` and `path/to/file.py:factory`: the user's own code makes the model."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from weakspot.errors import InputError
from weakspot.models.zoo.model import Shape


def make(address: str, shape: Shape) -> nn.Module:
    """The module that `address` names or makes.

    Before the colon stands a module that Python can import, or the path of a `.py` file; behind it an nn.Module, or
    whatever returns one when called: without arguments, or with those of channels, classes and size that it names.

    Raises:
        InputError: nothing is there, its code raises, it wants other arguments, or it returns no nn.Module.

    """
    place, _, name = address.rpartition(":")
    if not place.endswith(".py"):
        return _call(_attribute(_import(place), name, address), address, shape)
    path = Path(place)
    if not path.is_file():
        raise InputError(f"no file at {path}; a model is written path/to/file.py:factory")
    with _importable(path.parent):
        return _call(_attribute(_execute(path), name, address), address, shape)


def _import(place: str) -> ModuleType:
    try:
        with _importable(Path.cwd()):
            return import_module(place)
    except ModuleNotFoundError as error:
        raise InputError(
            f"cannot import {place!r}: {error}; set PYTHONPATH, or give the file: path/to/file.py:factory"
        ) from error
    except Exception as error:  # the user's code may raise anything
        raise InputError(f"importing {place!r} raised {_said(error)}") from error


def _execute(path: Path) -> ModuleType:
    # A name of its own, since two files may share a stem; in sys.modules, where dataclasses, pickle and inspect look.
    name = f"weakspot_model_{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, path)
    assert spec is not None, "a .py file always has a loader"
    assert spec.loader is not None, "a .py file always has a loader"
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's code may raise anything
        del sys.modules[name]
        raise InputError(f"executing {path} raised {_said(error)}") from error
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The file's neighbours can be imported, as if Python had started it as a script."""
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)


def _attribute(module: ModuleType, name: str, address: str) -> Any:
    if not hasattr(module, name):
        public = sorted(
            key for key, value in vars(module).items()
            if callable(value) and not key.startswith("_") and getattr(value, "__module__", None) == module.__name__
        )  # fmt: skip
        raise InputError(f"{address!r}: there is no {name!r}; callables there: {', '.join(public[:8]) or 'none'}")
    return getattr(module, name)


def _call(factory: Any, address: str, shape: Shape) -> nn.Module:
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise InputError(f"{address!r} must be an nn.Module or make one, it is a {type(factory).__name__}")
    arguments = _arguments(factory, address, shape)
    try:
        model = factory(**arguments)
    except Exception as error:  # the user's code may raise anything
        raise InputError(f"{address!r} raised {_said(error)}") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"{address!r} must return an nn.Module, it returned a {type(model).__name__}")
    return model


def _arguments(factory: Callable[..., Any], address: str, shape: Shape) -> dict[str, int]:
    """Those of channels, classes and size that the factory names."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # compiled callables have no signature
        return {}
    ours = {"channels": shape.channels, "classes": shape.classes, "size": shape.size}
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in optional]
    if unmet := [name for name in needed if name not in ours]:
        raise InputError(
            f"{address!r} needs {', '.join(unmet)}; a factory is called without arguments or with channels, classes "
            "and size: write one that fills in the rest"
        )
    return {p.name: ours[p.name] for p in parameters if p.name in ours}


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
