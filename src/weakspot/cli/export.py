"""`weakspot export`: a trained model as one file that runs without weakspot, or with another inference adjustment."""

from pathlib import Path

from weakspot.cli.options import DEFAULT, Output
from weakspot.cli.printing import pasteable
from weakspot.cli.streams import say, say_json
from weakspot.errors import InputError


def export(
    run: Path,
    /,
    *,
    pt2: Path | None = None,
    adjust: str | None = None,
    out: Path | None = None,
    output: Output = DEFAULT,
) -> None:
    """Write the model of a training run as a torch.export program, or with another inference adjustment.

    The program (--pt2 FILE), from images in [0, 1] to logits, is a model for `weakspot audit`, and for
    torch.export.load without weakspot. A folder with another adjustment (--adjust A --out FOLDER) is a model for
    `weakspot audit` too; nothing is trained again.

    Parameters
    ----------
    run
        The folder of a training run.
    pt2
        The file to write; its name ends in .pt2.
    adjust
        What the last layer does differently at inference: none, scale, tau-norm, cdt, logit-adjustment or tde, in the
        place of the run's own. Options stand in brackets, as in "logit-adjustment(tau=0.5)".
    out
        The folder to write the adjusted model to.
    output
        What is printed, and where.

    """
    from weakspot import api

    if (adjust is None) != (out is None) or (adjust is None and pt2 is None):
        raise InputError("nothing to write: give --pt2 FILE.pt2, or --adjust ADJUSTMENT with --out FOLDER, or all")
    written = {}
    if adjust is not None and out is not None:
        run = api.adjust(run, adjust, out)
        written["run"] = str(run)
    if pt2 is not None:
        written["pt2"] = str(api.export(run, pt2))
    if output.json:
        say_json(written)
    else:
        say(f"weakspot audit {pasteable(Path(written.get('pt2', run)))}")
