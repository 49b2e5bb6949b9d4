"""The features of the same images, clean and attacked: what every latent figure and map is made from."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from weakspot.contracts import Classifier, Data, Images, Threat
from weakspot.errors import InputError
from weakspot.landscape.features import Layer, features_of, find_layer
from weakspot.models import frozen
from weakspot.outcomes import Outcomes
from weakspot.rng import uniform
from weakspot.threats import threat_address
from weakspot.threats.clean import Clean
from weakspot.threats.measure import clean_logits, measure

SAMPLES = 5000
"""Images whose features are read by default: enough for 500 of each of ten classes."""
BATCH = 256


@dataclass(frozen=True, eq=False)
class Seen:
    """What the last layer sees of some images; all arrays are by ascending sample."""

    layer: str
    """The path of the module whose input the features are."""
    classes: tuple[str, ...]
    sample: Int[np.ndarray, " samples"]
    """Positions in the split."""
    label: Int[np.ndarray, " samples"]
    clean: Float[np.ndarray, "samples features"]
    clean_rows: Outcomes
    threat: str | None
    """The threat's address; None where only clean images were looked at."""
    attacked: Float[np.ndarray, "samples features"] | None
    """Of an attack: where the clean image is wrong already, it stands for its attacked one, as in every audit."""
    attacked_rows: Outcomes | None


def choose(labels: Int[Tensor, " samples"], limit: int, seed: int) -> Int[np.ndarray, " chosen"]:
    """At most `limit` positions, ascending: as many of each class as there are, small classes whole.

    Which images of a class are taken depends on their position and on the seed alone.
    """
    drawn = uniform((1,), torch.arange(len(labels)), seed, "latent images")[:, 0].numpy()
    order = np.lexsort((drawn, labels.numpy()))
    label = labels.numpy()[order]
    rank = np.arange(len(label)) - np.searchsorted(label, label)  # of each image within its class
    return np.sort(order[np.lexsort((drawn[order], rank))[:limit]])


def look(
    model: Classifier,
    data: Data,
    threat: Threat | None,
    *,
    layer: str | None = None,
    limit: int = SAMPLES,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Seen:
    """Read the features of at most `limit` images, clean and under `threat`; the model is given back as it was.

    Args:
        model: A module on `device`.
        data: Its images; how many of each class are taken says `choose`.
        threat: An attack or a corruption, which is run here; None for clean images only.
        layer: The path of the module whose input is wanted; the last linear layer by default.
        limit: Of images.
        seed: Of the choice of images and of the threat's draws.
        device: Where the model is.

    Raises:
        InputError: no such layer, a model without layers, or features or logits that are not finite.

    """
    rows = choose(data.labels, limit, seed)
    if not len(rows):
        raise InputError(f"features need at least one image, got {len(data)} in {data.name} and a limit of {limit}")
    address = None if threat is None else threat_address(threat)
    with frozen(model):
        found = find_layer(model, data.batch(rows[:1].tolist()).to(device), len(data.classes), layer)
        parts = [
            _batch(model, data, found, threat, rows[start : start + BATCH], seed, device)
            for start in range(0, len(rows), BATCH)
        ]
    clean, clean_rows, attacked, attacked_rows = zip(*parts, strict=True)
    return Seen(
        layer=found.name,
        classes=tuple(data.classes),
        sample=rows,
        label=data.labels.numpy()[rows],
        clean=np.concatenate(clean),
        clean_rows=Outcomes.join(list(clean_rows)),
        threat=address,
        attacked=None if threat is None else np.concatenate(attacked),
        attacked_rows=None if threat is None else Outcomes.join(list(attacked_rows)),
    )


def _batch(
    model: Classifier,
    data: Data,
    layer: Layer,
    threat: Threat | None,
    rows: Int[np.ndarray, " rows"],
    seed: int,
    device: torch.device | str,
) -> tuple[np.ndarray, Outcomes, np.ndarray | None, Outcomes | None]:
    """Features and rows of one batch, clean and attacked."""
    at = rows.tolist()
    images, labels = data.batch(at).to(device), data.labels[at].to(device)
    sample = torch.tensor(at, device=device)

    def read(batch: Images) -> np.ndarray:
        return features_of(model, layer, batch).numpy()

    clean = clean_logits(model, images, sample)
    clean_rows, _ = measure(model, Clean(), "clean", images, labels, sample, seed, clean)
    if threat is None:
        return read(images), clean_rows, None, None
    attacked_rows, attacked = measure(model, threat, threat_address(threat), images, labels, sample, seed, clean)
    return read(images), clean_rows, read(attacked), attacked_rows
