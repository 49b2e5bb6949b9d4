"""`weakspot export`: a trained model as one file that runs without weakspot."""

from pathlib import Path

from weakspot.cli.options import DEFAULT, Output
from weakspot.cli.printing import pasteable
from weakspot.cli.streams import say, say_json


def export(run: Path, /, *, pt2: Path, output: Output = DEFAULT) -> None:
    """Write the model of a training run as a torch.export program, from images in [0, 1] to logits.

    The file is a model for `weakspot audit`, and for torch.export.load without weakspot.

    Parameters
    ----------
    run
        The folder of a training run.
    pt2
        The file to write; its name ends in .pt2.
    output
        What is printed, and where.

    """
    from weakspot import api

    written = api.export(run, pt2)
    if output.json:
        say_json({"pt2": str(written)})
    else:
        say(f"weakspot audit {pasteable(written)}")
