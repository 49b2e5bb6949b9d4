"""`weakspot import`: predictions that another tool saved, as a run."""

from pathlib import Path
from typing import Annotated

from weakspot.cli.options import DEFAULT, Output, Several
from weakspot.cli.printing import show_run
from weakspot.errors import InputError


def import_run(
    *,
    data: str,
    predictions: Annotated[tuple[str, ...], Several],
    name: str = "imported",
    limit: int | None = None,
    out: Path | None = None,
    offline: bool = False,
    output: Output = DEFAULT,
) -> None:
    """Make a run of predictions that another tool saved, to report and compare.

    Nothing is computed from a model. Each file is an .npz archive (or a folder of them) that holds prediction, the
    predicted class of each sample, or logits, samples x classes; optionally sample, the positions in the split, and
    label, which is compared with the data's. Where the attacked images exist, audit the model with
    --threats 'stored(path=FILE)@RADIUS' instead: then everything is measured.

    Parameters
    ----------
    data
        The images that were predicted, as for `weakspot audit --data`; only labels and class names are used.
    predictions
        THREAT=FILE, such as clean=clean.npz (needed), autoattack@linf:8/255=aa.npz or fog@3=fog.npz. Given once for
        each threat.
    name
        What the model is called in the report.
    limit
        Only the first N samples.
    out
        The run's folder; by default runs/NAME, where the name follows from data and predictions.
    offline
        Touch no network.
    output
        What is printed, and where.

    """
    from weakspot import api

    found: dict[str, Path] = {}
    for each in predictions:
        address, equals, file = each.rpartition("=")  # an address may hold options, which are written key=value
        if not (equals and address and file):
            raise InputError(f"predictions are given as THREAT=FILE, such as clean=clean.npz, got {each!r}")
        if address in found:
            raise InputError(f"the predictions of {address} are given twice; each threat has one file or folder")
        found[address] = Path(file)
    run = api.import_run(found, data, name=name, limit=limit, out=out, offline=offline)
    show_run(run, [run.folder / "report.html"], output)
