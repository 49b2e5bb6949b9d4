"""What an explanation is asked to do, resolved once and planned: nothing is computed or written here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import nn

import weakspot
from weakspot import auditing
from weakspot.addresses import Radius, slug
from weakspot.config import plain, settings
from weakspot.contracts import Data
from weakspot.data import limit as first_of
from weakspot.data import load as load_data
from weakspot.errors import InputError
from weakspot.landscape.divergence import Divergence
from weakspot.landscape.pairs import Pair
from weakspot.landscape.seen import choose
from weakspot.models import LoadedModel
from weakspot.models import load as read_model
from weakspot.planning import default_data, device_of

SCHEMA = 1


@settings
class ExplainConfig:
    """What an explanation is asked to do."""

    model: str
    weights: str | None = None
    beside: str | None = None
    beside_weights: str | None = None
    data: str
    radius: str
    pairs: tuple[str, ...]
    images: PositiveInt
    steps: PositiveInt
    restarts: PositiveInt = 1
    parameters: bool = False
    limit: PositiveInt | None = None
    seed: NonNegativeInt = 0


@dataclass(frozen=True)
class Plan:
    """An explanation that is planned and not begun."""

    models: tuple[LoadedModel, ...]
    whole: Data
    """The split, on which form B is calibrated."""
    data: Data
    radius: Radius
    pairs: tuple[Pair, ...]
    config: ExplainConfig
    manifest: dict[str, Any]
    folder: Path
    device: torch.device

    @property
    def drawn(self) -> list[int]:
        """The images that surfaces are made of: as many of each class."""
        return choose(self.data.labels, self.config.images, self.config.seed).tolist()


def prepare_explanation(
    model: Any,
    data: Any,
    *,
    weights: str | Path | None,
    beside: Any,
    beside_weights: str | Path | None,
    radius: str | Radius | None,
    pairs: Sequence[str],
    images: int,
    steps: int,
    restarts: int,
    parameters: bool,
    limit: int | None,
    out: str | Path | None,
    device: str,
    seed: int,
    offline: bool,
    trust_pickle: bool,
) -> Plan:
    """Resolve what is asked; nothing is computed or written.

    Raises:
        InputError: a wrong address, data or option. SetupError: a device that is not there.

    """
    for name, value in (("images", images), ("restarts", restarts)):
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
    where, chosen = device_of(device), tuple(dict.fromkeys(Pair.of(pair) for pair in pairs))
    if not chosen:
        raise InputError("at least one pair of directions is needed, got none; give gradient,random")
    if steps < 5 or steps % 2 == 0:
        raise InputError(f"a surface has an odd number of steps, at least 5, got {steps}; the middle is the image")
    if beside is None and beside_weights is not None:
        raise InputError("beside_weights are of the model beside; name it as well")
    whole = load_data(default_data(model) if data is None else data, split="test", offline=offline, seed=seed)
    part = first_of(whole, limit)
    if len(whole.classes) < 2:
        raise InputError(f"{whole.name} has one class only ({whole.classes[0]}); surfaces need at least two")
    for pair in chosen:
        pair.check(whole)
    given = radius if radius is not None else whole.radius
    if given is None:
        raise InputError(f"{whole.name} has no customary radius; give one, such as --radius linf:8/255")
    ball = Radius.of(given)
    if float(ball) == 0:
        raise InputError(f"a ball of radius 0 holds the image alone, got {ball}; give a radius above 0")
    Divergence(radius=ball)  # refuses other norms
    asked = [(model, weights)] + ([] if beside is None else [(beside, beside_weights)])
    channels, size, _ = whole.shape
    loaded = tuple(
        read_model(
            one, weights=file, channels=channels, classes=len(whole.classes), size=size, trust_pickle=trust_pickle
        )
        for one, file in asked
    )
    config = ExplainConfig(
        model=loaded[0].address,
        weights=None if weights is None else str(weights),
        beside=loaded[1].address if len(loaded) > 1 else None,
        beside_weights=None if beside_weights is None else str(beside_weights),
        data=whole.name,
        radius=str(ball),
        pairs=tuple(str(pair) for pair in chosen),
        images=images,
        steps=steps,
        restarts=restarts,
        parameters=parameters,
        limit=limit,
        seed=seed,
    )
    manifest = _manifest(loaded, part, whole, config, where)
    folder = Path(out) if out is not None else Path("runs") / _name(manifest)
    return Plan(loaded, whole, part, ball, chosen, config, manifest, folder, where)


def _manifest(
    models: Sequence[LoadedModel], data: Data, whole: Data, config: ExplainConfig, device: torch.device
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "weakspot": weakspot.__version__,
        "verb": "explain",
        "config": plain(config),
        "model": [
            {
                "address": one.address,
                "class": type(one.module).__qualname__,
                "digest": one.digest,
                "parameters": sum(p.numel() for p in one.module.parameters())
                if isinstance(one.module, nn.Module)
                else None,
            }
            for one in models
        ],
        "data": {
            "name": data.name,
            "split": data.split,
            "classes": list(data.classes),
            "samples": len(data),
            "shape": list(data.shape),
            "digest": data.digest(),
            "whole": len(whole),
        },
        "threats": [],
        "seed": config.seed,
        "environment": auditing.environment(device),
    }


def _name(manifest: dict[str, Any]) -> str:
    identity = json.dumps([manifest[key] for key in auditing.IDENTITY], sort_keys=True)
    words = ["explain", manifest["model"][0]["class"], manifest["data"]["name"]]
    return slug("-".join([*words, sha256(identity.encode()).hexdigest()[:8]])).lower()
