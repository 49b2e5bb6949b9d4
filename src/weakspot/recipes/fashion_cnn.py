"""The packaged model: the small CNN, adversarially trained on Fashion-MNIST at linf 0.1."""

import sys
from pathlib import Path

from weakspot.data import load
from weakspot.training import train


def run(out: Path) -> Path:
    """Train into the run folder `out`; an unfinished run there is resumed.

    Raises:
        SetupError: Fashion-MNIST's training split is not there and cannot be fetched, or `out` cannot be written.

    """
    return train(
        # Four steps of 0.4 radii reach the whole ball from any start; ten smaller ones cost twice as much.
        "pgd-at(steps=4,step=0.4)",
        load("fashion-mnist", split="train"),
        model="cnn",
        radius="linf:0.1",
        epochs=20,
        batch=128,
        lr=0.1,
        weight_decay=2e-4,
        schedule="one-cycle",
        average=0.999,
        # Shoes all point one way and every image is centred: moved or mirrored ones do not occur in the test split.
        crop=0.0,
        flip=False,
        validation=0.02,
        select="average",
        precision="bf16",
        seed=0,
        device="cpu",
        out=out,
    )


if __name__ == "__main__":
    sys.stdout.write(f"{run(Path(sys.argv[1]))}\n")
