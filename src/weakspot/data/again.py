"""The data of a run, read again from what its manifest says: for looking at images that the run did not store."""

from collections.abc import Mapping
from typing import Any

from weakspot.contracts import Data
from weakspot.data import READERS, load, with_classes
from weakspot.data.subset import limit
from weakspot.errors import InputError, SetupError


def read_again(manifest: Mapping[str, Any]) -> Data:
    """The very data that a run was made of; no network is touched and no code of the data's author is run.

    Raises:
        InputError: the address is none that can be read again, or there is something else now.

    """
    described = manifest["data"]
    address = str(described["name"])
    word, colon, _ = address.partition(":")
    if colon and word not in READERS:
        raise InputError(f"{address} is a Python function, which is not run to show images")
    try:
        data = load(address, split="test", offline=True, seed=int(manifest["seed"]))
    except (InputError, SetupError) as error:
        raise InputError(f"{address} cannot be read again ({error})") from error
    data = limit(with_classes(data, len(described["classes"])), int(described["samples"]))
    # What is cheap to compare comes first: the digest reads every image.
    found = [data.split, list(data.classes), len(data), list(data.shape)]
    if found != [described[key] for key in ("split", "classes", "samples", "shape")]:
        raise InputError(f"{address} is not what it was at the time of the audit")
    if data.digest() != described["digest"]:
        raise InputError(f"{address} holds other images or labels than at the time of the audit")
    return data
