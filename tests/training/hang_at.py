"""A process that trains until a given step and then waits there, to be killed: `python hang_at.py OUT STEP`."""

import sys
import time
from pathlib import Path
from typing import Any

from tests.training.runs import short_run

from weakspot.training import Losses
from weakspot.training.objectives.pgd_at import PgdAt


class Hanging(PgdAt):
    """PGD-AT under its own address, until the step."""

    def __call__(self, *arguments: Any) -> Losses:
        if arguments[5] == int(sys.argv[2]):
            (Path(sys.argv[1]).parent / "hanging").touch()
            time.sleep(600)
        return super().__call__(*arguments)


if __name__ == "__main__":
    short_run(Path(sys.argv[1]), Hanging(steps=1))
