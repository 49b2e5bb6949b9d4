#!/usr/bin/env python3
"""Make src/weakspot/data/fashion_mnist_mini.npz from Fashion-MNIST's IDX files: the same bytes on every run.

    tools/make_fashion_mini.py [FOLDER_OF_IDX_FILES] [OUT.npz]

From each class 400 training and 200 test images are drawn (weakspot.rng, seed 0). Each run of ten consecutive images
holds every class once, so any prefix is nearly class-balanced. `train_index` and `test_index` hold the images'
positions in the full sets.
"""

import sys
from pathlib import Path

import numpy as np

from weakspot.contracts import Data
from weakspot.data.idx import read_idx
from weakspot.data.subset import class_orders

SEED = 0
PER_CLASS = {"train": 400, "test": 200}


def chosen(data: Data, per_class: int, split: str) -> np.ndarray:
    """Positions: `per_class` rounds, each with one image of every class in the order of their draws."""
    orders = class_orders(data.labels, len(data.classes), SEED, f"fashion-mnist-mini/{split}")
    rounds = np.array([order[:per_class] for order in orders]).T
    # Sorted inside a round, so that the class order differs from round to round as positions do.
    return np.sort(rounds, axis=1).ravel()


def main(folder: Path, out: Path) -> None:
    """Write `out`."""
    arrays = {}
    for split, per_class in PER_CLASS.items():
        data = read_idx(folder, split)
        index = chosen(data, per_class, split)
        arrays[f"{split}_images"] = data.images[index, 0]
        arrays[f"{split}_labels"] = data.labels.numpy()[index].astype(np.uint8)
        arrays[f"{split}_index"] = index.astype(np.int32)
    np.savez_compressed(out, **arrays)
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    ours = Path(__file__).parents[1] / "src/weakspot/data/fashion_mnist_mini.npz"
    given = [Path(argument) for argument in sys.argv[1:]]
    main(given[0] if given else Path("/usr/share/datasets/fashion-mnist"), given[1] if len(given) > 1 else ours)
