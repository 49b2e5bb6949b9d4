"""Whether two runs may be compared: same data, same threats, same protocol, by their manifests."""

from collections.abc import Mapping, Sequence
from typing import Any

from weakspot.errors import InputError

NAMED = 3
"""At most so many threats that differ are named, the others counted."""

_DATA = (("split", "split"), ("samples", "number of samples"), ("classes", "class names"), ("digest", "data digest"))
_REMARKED = (("weakspot", "version of weakspot"), ("seed", "seed of the attacks"))


def differences(first: Mapping[str, Any], last: Mapping[str, Any]) -> list[str]:
    """In which respects two manifests differ so that their rows are not paired; empty where they may be compared."""
    found = []
    if first["schema"] != last["schema"]:
        found.append(f"schema of the rows: {first['schema']} and {last['schema']}")
    for key, says in _DATA:
        one, two = first["data"][key], last["data"][key]
        if one != two:
            found.append(f"{says}: {_short(one)} and {_short(two)}")
    one, two = (_threats(manifest) for manifest in (first, last))
    threats = [f"threat {address} is in the first run only" for address in one if address not in two]
    threats += [f"threat {address} is in the last run only" for address in two if address not in one]
    threats += [
        f"threat {address}: {one[address]} and {two[address]}"
        for address in one
        if address in two and one[address] != two[address]
    ]
    if not found and not threats and list(one) != list(two):
        # Ties between threats go to the first, and `robust` belongs to the first radius.
        at, first_one, first_two = next((at, a, b) for at, (a, b) in enumerate(zip(one, two, strict=True), 1) if a != b)
        found.append(f"order of the threats: number {at} is {first_one} and {first_two}")
    more = len(threats) - NAMED
    return found + threats[:NAMED] + ([f"{more} more threat{'s' if more > 1 else ''}"] if more > 0 else [])


def remarks(first: Mapping[str, Any], last: Mapping[str, Any]) -> list[str]:
    """Differences that do not forbid a comparison but belong beside it: version, seed, device."""
    found = [
        f"{says}: {first.get(key)} and {last.get(key)}" for key, says in _REMARKED if first.get(key) != last.get(key)
    ]
    one, two = (manifest.get("environment", {}).get("device") for manifest in (first, last))
    return found + ([f"device: {one} and {two}"] if one != two else [])


def refuse_different(manifests: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Check that all runs can be compared with the first.

    Raises:
        InputError: one cannot; the message names the runs and the differences.

    """
    for manifest, name in zip(manifests[1:], names[1:], strict=True):
        if found := differences(manifests[0], manifest):
            raise InputError(
                f"{names[0]} and {name} cannot be compared, they differ in {'; '.join(found)}; "
                "audit both with the same data and threats"
            )


def _threats(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {
        threat["address"]: " at ".join(str(threat[key]) for key in ("kind", "radius") if threat[key] is not None)
        for threat in manifest["threats"]
    }


def _short(value: Any) -> str:
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
