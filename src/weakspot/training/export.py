"""A trained run as one file that runs without weakspot."""

from pathlib import Path

import torch

from weakspot.errors import InputError
from weakspot.models import export_pt2, load
from weakspot.models.spec import read_spec


def export(run: str | Path, pt2: str | Path) -> Path:
    """Write the model of a training run as a torch.export program, from images in [0, 1] to logits, for any batch size.

    The file is a model for `audit`, and for `torch.export.load` without weakspot.

    Raises:
        InputError: no zoo model was trained in `run`, or the file's name does not end in .pt2.
        SetupError: the file cannot be written.

    """
    folder, path = Path(run), Path(pt2)
    if path.suffix != ".pt2":
        raise InputError(f"a program's file ends in .pt2, by which audit knows it, got {path}; name it {path}.pt2")
    if not (folder / "model.json").is_file():
        raise InputError(f"{folder} holds no model.json; give the folder of a zoo model that weakspot train finished")
    spec = read_spec(folder / "model.json")
    # By its absolute path: a folder may have the name of a zoo model.
    found = load(str(folder.absolute()), channels=spec.channels, classes=spec.classes, size=spec.size).module
    assert isinstance(found, torch.nn.Module), "a run folder holds a zoo model"
    export_pt2(found, path, (spec.channels, spec.size, spec.size))
    return path
