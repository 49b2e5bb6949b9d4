"""A data set made by the user's own code: `package.module:factory` or `path.py:factory`."""

import inspect
import sys
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from weakspot.errors import InputError, reason


def make(address: str, split: str) -> object:
    """What the factory returns; it is called with `split` when it has a parameter of that name, else with nothing.

    Something that cannot be called, such as a data set, is returned as it is. Modules are looked up in the current
    folder as well.

    Raises:
        InputError: no such module, file or function, or it fails.

    """
    place, _, name = address.rpartition(":")
    module = _from_file(Path(place), address) if place.endswith(".py") else _from_package(place, address)
    if not hasattr(module, name):
        raise InputError(f"{address}: there is no {name!r} in {place}; name a function that returns the data")
    factory = getattr(module, name)
    if not callable(factory):
        return factory
    try:
        if "split" in inspect.signature(factory).parameters:
            return factory(split=split)
        return factory()
    except Exception as error:
        raise _failed(address, error) from error


def is_module(name: str) -> bool:
    """Whether a module of that plain name is installed or lies in the current folder."""
    return name.isidentifier() and (find_spec(name) is not None or Path(f"{name}.py").is_file() or Path(name).is_dir())


def _from_file(path: Path, address: str) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{address}: no file {path}")
    # A name of its own, since two files may share a stem; in sys.modules, where dataclasses and pickle look.
    own = f"weakspot_data_{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(own, path)
    assert spec is not None  # the name ends with .py
    assert spec.loader is not None
    module = module_from_spec(spec)
    beside = str(path.resolve().parent)
    if beside not in sys.path:  # its neighbours can be imported, as if Python had started it as a script
        sys.path.insert(0, beside)
    sys.modules[own] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[own]
        raise _failed(address, error) from error
    return module


def _from_package(place: str, address: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return import_module(place)
    except Exception as error:
        raise _failed(address, error) from error


def _failed(address: str, error: Exception) -> InputError:
    return InputError(f"{address}: {type(error).__name__}: {reason(error)}")
