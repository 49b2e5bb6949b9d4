"""Images and labels from anywhere, as one `Data`: by address, or from Python objects.

Addresses: a published set (`cifar10`), a reader and a path (`npz:x.npz`, `folder:photos`), or the user's own function
(`package.module:factory`, `path.py:factory`). At the end `+lt=50` or `+lt=step:50` makes a long tail, `+lt=balanced:50`
its control of as many samples, `+lt_order=3` takes the classes in a drawn order, `+lt_seed=1` draws other samples, and
`+lt_test` cuts the test split as well.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from torch.utils.data import DataLoader, Dataset

from weakspot.contracts import Data
from weakspot.data.arrays import ArrayData
from weakspot.data.cifar_binary import read_cifar10, read_cifar100
from weakspot.data.factory import is_module, make
from weakspot.data.folder import read_folder
from weakspot.data.idx import read_idx
from weakspot.data.labels import numbered, numbers
from weakspot.data.longtail import LongTail, long_tail
from weakspot.data.named import NAMED
from weakspot.data.npz import read_npz
from weakspot.data.parquet import read_parquet
from weakspot.data.subset import Subset, limit
from weakspot.data.torch_dataset import DatasetData, from_dataset
from weakspot.errors import InputError, unknown
from weakspot.registry import find

__all__ = [
    "NAMED",
    "READERS",
    "ArrayData",
    "Subset",
    "describe",
    "from_dataset",
    "limit",
    "load",
    "long_tail",
    "with_classes",
]

READERS: dict[str, Callable[[Path, str], Data]] = {
    "idx": read_idx,
    "npz": read_npz,
    "cifar10-bin": read_cifar10,
    "cifar100-bin": read_cifar100,
    "folder": read_folder,
    "parquet": read_parquet,
}
"""By the word before the colon: functions (path, split). An installed package adds some under `weakspot.readers`."""

_TAIL = re.compile(r"(?P<base>.*?)(?P<tail>(\+lt(=[^+]*|_[a-z]+(=[^+]*)?)?)*)", re.DOTALL | re.IGNORECASE)
_SUFFIXES = {"lt": True, "lt_seed": True, "lt_order": True, "lt_test": False}
"""What may stand behind an address, and whether it has a value."""


def load(source: object, *, split: str = "test", offline: bool = False, seed: int = 0) -> Data:
    """The data set that `source` says, of one split.

    A set without splits serves any split and says "all". A long tail is cut from the training split, or from a set
    without splits; the test split of a long-tailed address is the whole, balanced one, unless it says `+lt_test`.

    Args:
        source: an address (see this module's head), a pair (images, labels) of arrays or tensors, a torch Dataset or
            DataLoader, or a Data, which is returned as it is.
        split: "train" or "test".
        offline: touch no network; WEAKSPOT_OFFLINE=1 says the same.
        seed: of a long tail whose address has no `+lt_seed`.

    Raises:
        InputError: nothing has that name, or what was found is unusable.
        SetupError: a published set is not there and cannot be fetched.

    """
    if split not in ("train", "test"):
        raise unknown("split", split, ("train", "test"))
    if not isinstance(source, str):
        return _object(source, type(source).__name__)
    found = _TAIL.fullmatch(source)
    assert found is not None  # `base` takes whatever the rest leaves
    tail = _tail(found["base"], found["tail"], seed)
    data = _at(found["base"], split, offline)
    if tail is None or (data.split == "test" and not tail.test):
        return data
    return long_tail(data, tail)


def _tail(base: str, written: str, seed: int) -> LongTail | None:
    """The long tail of an address, from what stands behind its base."""
    given: dict[str, str] = {}
    for part in written.split("+")[1:]:
        name, equals, value = part.partition("=")
        if name not in _SUFFIXES or bool(equals) != _SUFFIXES[name]:
            known = "+lt=50, +lt=step:50 or +lt=balanced:50, +lt_seed=1, +lt_order=1 and +lt_test"
            raise InputError(f"{base}{written}: +{part} is none of {known}")
        if name in given:
            raise InputError(f"{base}{written}: +{name} stands there twice; give it once")
        given[name] = value
    if not given:
        return None
    if "lt" not in given:
        raise InputError(f"{base}{written}: +{next(iter(given))} goes with +lt, as in {base}+lt=50{written}")
    for name in ("lt_seed", "lt_order"):
        if not re.fullmatch(r"\d{1,18}", given.get(name, "0"), re.ASCII):
            raise InputError(f"{base}{written}: +{name} is a whole number, as in +{name}=1, got {given[name]!r}")
    order = int(given["lt_order"]) if "lt_order" in given else None
    return LongTail.of(given["lt"], int(given.get("lt_seed", seed)), order, "lt_test" in given)


def with_classes(data: Data, count: int) -> Data:
    """`data` with so many classes, where its classes are numbers that were counted from the labels alone.

    A split may lack the highest classes, and nothing but the model knows of them. Named classes stay as they are.
    """
    if isinstance(data, ArrayData | DatasetData) and numbered(data.classes) and count > len(data.classes):
        return replace(data, classes=numbers(count))
    return data


def describe(data: Data) -> dict[str, Any]:
    """What a set holds, as plain values; it reads every image once, for the digest."""
    counts = data.labels.bincount(minlength=len(data.classes)).tolist()
    return {
        "name": data.name,
        "split": data.split,
        "samples": len(data),
        "classes": [{"name": name, "samples": count} for name, count in zip(data.classes, counts, strict=True)],
        "shape": list(data.shape),
        "radius": data.radius,
        "digest": data.digest(),
    }


def _at(address: str, split: str, offline: bool) -> Data:
    """The set at an address without a long tail."""
    word, colon, rest = address.partition(":")
    if not colon:
        if address and address not in NAMED and Path(address).exists():
            raise InputError(
                f"{address!r} is a path; say how to read it, as in folder:{address} ({', '.join(READERS)})"
            )
        return cast(Data, find("data set", address, NAMED, "weakspot.data")(split, offline=offline))
    place = address.rpartition(":")[0]
    if word not in READERS and (place.endswith(".py") or "." in word):
        return _made(address, split)
    try:
        read = find("data reader", word, READERS, "weakspot.readers")
    except InputError:
        if not is_module(word):
            raise
        return _made(address, split)
    return cast(Data, read(Path(rest).expanduser(), split))


def _made(address: str, split: str) -> Data:
    """What the user's own function gives."""
    try:
        returned = make(address, split)
        made = _object(returned, type(returned).__name__)
    except InputError as error:
        said = str(error)
        raise error if said.startswith(address) else InputError(f"{address}: {said}") from None
    return replace(made, name=address) if isinstance(made, ArrayData | DatasetData) else made


def _object(source: object, called: str) -> Data:
    """A Data from a Python object; `called` is what an error calls it."""
    if isinstance(source, Data):
        return source
    if isinstance(source, tuple | list) and len(source) == 2:
        return ArrayData.of(source[0], source[1])
    indexed = (
        hasattr(source, "__len__") and hasattr(source, "__getitem__") and not isinstance(source, list | tuple | dict)
    )
    if indexed or isinstance(source, Dataset | DataLoader):
        return from_dataset(source)
    raise InputError(
        f"expected data as an address, (images, labels), a torch Dataset or DataLoader, got {called}; "
        "collect other things into arrays"
    )
