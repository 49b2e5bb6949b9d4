"""A trained run as one file that runs without weakspot, and a trained run with another inference adjustment."""

from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import torch
import yaml

from weakspot.errors import InputError, SetupError
from weakspot.models import export_pt2, load
from weakspot.models.adjustments import adjustment_address, adjustment_of
from weakspot.models.checkpoints import write
from weakspot.models.spec import ModelSpec, read_spec, write_spec
from weakspot.training.folder import CONFIG, DATA, read_config, read_counts

KEPT = ("model.safetensors", DATA)
"""What an adjusted folder has of the run it was made from, beside the configuration and the description."""


def export(run: str | Path, pt2: str | Path) -> Path:
    """Write the model of a training run as a torch.export program, from images in [0, 1] to logits, for any batch size.

    The inference adjustment is part of the program. The file is a model for `audit`, and for `torch.export.load`
    without weakspot.

    Raises:
        InputError: no zoo model was trained in `run`, or the file's name does not end in .pt2.
        SetupError: the file cannot be written.

    """
    folder, path = Path(run), Path(pt2)
    if path.suffix != ".pt2":
        raise InputError(f"a program's file ends in .pt2, by which audit knows it, got {path}; name it {path}.pt2")
    spec = described(folder)
    # By its absolute path: a folder may have the name of a zoo model.
    found = load(str(folder.absolute()), channels=spec.channels, classes=spec.classes, size=spec.size).module
    assert isinstance(found, torch.nn.Module), "a run folder holds a zoo model"
    export_pt2(found, path, (spec.channels, spec.size, spec.size))
    return path


def adjust(run: str | Path, adjustment: str, out: str | Path) -> Path:
    """A new folder with the model of a training run and another inference adjustment; nothing is trained.

    It takes the place of the one that the run was made with. `out` is a model for `audit`, and for `export`; its
    `config.yaml` is the run's with the other adjustment.

    Raises:
        InputError: no zoo model was trained in `run`, `out` exists, there is no such adjustment, it does not fit the
            model's head, or it needs class counts that the run does not have.
        SetupError: `out` cannot be written.

    """
    folder, made = Path(run), Path(out)
    address = adjustment_address(adjustment_of(adjustment))
    spec = described(folder)
    noted = read_counts(folder, spec.classes)
    counts = spec.counts or (tuple(float(n) for n in noted["counts"]) if noted else ())
    spec = replace(spec, adjust=address, counts=counts)
    spec.adjusted(spec.build())
    if made.exists():
        raise InputError(f"{made} exists already; choose another --out")
    try:
        made.mkdir(parents=True)
        for name in KEPT:
            if (folder / name).is_file():
                copyfile(folder / name, made / name)
    except OSError as error:
        raise SetupError(f"cannot write {made}: {error.strerror}; free space or choose another --out") from error
    if (folder / CONFIG).is_file():
        config = read_config(folder / CONFIG) | {"adjust": address}
        write(made / CONFIG, yaml.safe_dump(config, sort_keys=False).encode())
    write_spec(spec, made)
    return made


def described(folder: Path) -> ModelSpec:
    """The description of the zoo model in a run's folder.

    Raises:
        InputError: there is none.

    """
    if not (folder / "model.json").is_file():
        raise InputError(f"{folder} holds no model.json; give the folder of a zoo model that weakspot train finished")
    return read_spec(folder / "model.json")
