"""The fingerprint of a data set: what a model sees of it, whatever the format it was stored in."""

import json
from collections.abc import Iterator
from hashlib import sha256

from weakspot.contracts import Data

ROWS = 1024
"""Images read at once by whatever passes over a whole set."""


def blocks(samples: int, rows: int = ROWS) -> Iterator[range]:
    """The positions 0 to `samples` - 1 in consecutive ranges of at most `rows`."""
    for start in range(0, samples, rows):
        yield range(start, min(start + rows, samples))


def digest(data: Data) -> str:
    """SHA-256 (hex) of class names, shape, float32 images in (N, C, H, W) order and int64 labels, read batch by batch.

    The float images are hashed and not the stored bytes, so that equal digests mean equal inputs to a model: a set of
    uint8 arrays, its PNG files and the same images as float tensors have one digest.
    """
    head = {"classes": list(data.classes), "shape": list(data.shape), "samples": len(data)}
    found = sha256(json.dumps(head).encode())
    for rows in blocks(len(data)):
        found.update(data.batch(rows).numpy().data)
    found.update(data.labels.numpy().data)
    return found.hexdigest()
