"""`transfer(surrogate=MODEL)`: the threat that attacks another model, made from that model's address."""

from collections.abc import Callable

import torch

from weakspot.addresses import Radius, ThreatAddress
from weakspot.contracts import Data, Threat
from weakspot.errors import InputError
from weakspot.models import load as read_model
from weakspot.threats import parse_threat
from weakspot.threats.transfer import Transfer

OWN = ("surrogate", "weights", "inner", "digest")
"""Options of the transfer itself; all others are the inner threat's."""

INNER = "apgd-ce"
"""What attacks the surrogate where the address does not say."""

DIGITS = 12
"""Of the surrogate's digest, in the address that the transfer prints as."""


def surrogates(data: Data, device: torch.device, trust_pickle: bool) -> Callable[[str, Radius | None], Threat]:
    """`parse_threat`, which makes transfers as well: their surrogate is loaded for the images of `data`."""

    def parse(address: str, radius: Radius | None = None) -> Threat:
        parts = ThreatAddress.of(address)
        if parts.name != Transfer.name:
            return parse_threat(address, radius)
        options = dict(parts.options)
        if "surrogate" not in options:
            raise InputError(
                f"transfer needs the model to attack, such as transfer(surrogate=runs/NAME), got {address!r}; "
                "a model that is an object takes weakspot.threats.transfer.Transfer in Python"
            )
        passed_on = tuple((key, value) for key, value in parts.options if key not in OWN)
        inner = parse_threat(str(ThreatAddress(options.get("inner", INNER), passed_on, parts.place)), radius)
        if inner.kind != "adversarial" or hasattr(inner, "cases"):
            raise InputError(
                f"transfer carries over attacks with one image for each sample, not {inner.name}; try inner={INNER}"
            )
        channels, size, _ = data.shape
        loaded = read_model(
            options["surrogate"],
            weights=options.get("weights"),
            channels=channels,
            classes=len(data.classes),
            size=size,
            trust_pickle=trust_pickle,
        )
        if options.get("digest", loaded.digest[:DIGITS]) != loaded.digest[:DIGITS]:
            raise InputError(
                f"{options['surrogate']} has changed: its digest is {loaded.digest[:DIGITS]}, "
                f"expected {options['digest']}"
            )
        module = loaded.module
        if isinstance(module, torch.nn.Module):
            module = module.to(device).requires_grad_(False)
        return Transfer(inner=inner, surrogate=module, named=options["surrogate"], digest=loaded.digest[:DIGITS])

    return parse
