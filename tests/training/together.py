"""One of several processes that train together: `torchrun --nproc-per-node 2 together.py OUT`; see test_together.py."""

import os
import sys
from pathlib import Path
from typing import Any

from tests.training.runs import digits, mlp

from weakspot.cli import main
from weakspot.training import Interrupted, Losses, train
from weakspot.training.objectives.pgd_at import PgdAt

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "weights of the whole batch": ("gairat(steps=2,burn_in=0)+awp", "none", {"batch": 33}),
    "the batch's worst class": ("trades(steps=2)", "faal", {}),
    "draws by the batches' errors": ("free(replays=2)", "cfol(eta=100)", {"average": "swa"}),
    "counts of batches and validation": (
        "pgd-at(steps=2)",
        "fair-tat",
        {"batch": 21, "optimizer": "adamw", "lr": 0.01},
    ),
    "weights that depend on the labels": ("trades(steps=2)", "frl", {"precision": "bf16"}),
}
"""Method, policy, options: without batch norm several processes compute what one does."""


def alike(case: str, out: Path) -> Path:
    """One of the cases, in however many processes there are."""
    method, policy, options = CASES[case]
    fixed: dict[str, Any] = {"epochs": 2, "batch": 32, "lr": 0.05, "average": 0.9, "validation_steps": 2}
    data = digits(160, radius="l2:0.5")
    return train(method, data, policy=policy, model=mlp(norm=False), out=out / case, device="cpu", **fixed | options)


def normed(out: Path, objective: PgdAt | None = None) -> Path:
    """Two epochs of a model with batch norm."""
    return train(
        objective or PgdAt(steps=1), digits(160), model=mlp(), epochs=2, batch=33, average="swa", out=out, device="cpu"
    )


class Stopping(PgdAt):
    """PGD-AT that is interrupted in the middle of its second epoch."""

    def __call__(self, *arguments: Any) -> Losses:
        if arguments[5] == 5:
            raise KeyboardInterrupt
        return super().__call__(*arguments)


def ends(out: Path, case: str, **options: Any) -> None:
    """Note how a run that cannot work ends in this process."""
    try:
        train("standard", digits(160), **{"epochs": 1, "out": out / case, "device": "cpu", **options})
    except (Exception, SystemExit) as error:
        (out / f"{case} {os.environ['RANK']}").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    out = Path(sys.argv[1])
    for case in CASES:
        alike(case, out)
    normed(out / "whole")
    try:
        normed(out / "resumed", Stopping(steps=1))
    except Interrupted:
        normed(out / "resumed")
    ends(out, "blown up", lr=1e30, schedule="constant", batch=33, epochs=2)
    ends(out, "whole", epochs=3)
    ends(out, "too small", batch=1)
    ends(out, "unlike", seed=int(os.environ["RANK"]))
    options = [
        "--data",
        f"npz:{out / 'digits.npz'}",
        "--epochs",
        "1",
        "--out",
        str(out / "cli"),
        "--model",
        "resnet18-w4",
    ]
    sys.exit(main(["train", "pgd-at(steps=1)", "--radius", "linf:0.1", "--batch", "64", "--quiet", *options]))
