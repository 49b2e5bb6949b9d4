"""`model.json`: what a zoo model is made of, beside `model.safetensors`, so that a run folder is a model."""

import json
from dataclasses import asdict
from pathlib import Path

from weakspot.config import settings
from weakspot.errors import InputError
from weakspot.models import checkpoints
from weakspot.models.adjusted import adjusted
from weakspot.models.adjustments import adjustment_of
from weakspot.models.heads import head_of, set_head
from weakspot.models.zoo import build
from weakspot.models.zoo.model import ZooModel


@settings
class ModelSpec:
    """A zoo model without its weights. Unknown keys are refused: one that was ignored might change the logits."""

    zoo: str
    channels: int
    classes: int
    size: int
    head: str = "linear"
    """An address in `weakspot.models.heads`."""
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    adjust: str = "none"
    """What the last layer does differently at inference: an address in `weakspot.models.adjustments`."""
    counts: tuple[float, ...] = ()
    """Training images of each class, where known."""

    def __post_init__(self) -> None:
        head_of(self.head)
        adjustment_of(self.adjust)
        if self.counts and len(self.counts) != self.classes:
            raise InputError(f"counts needs a number for each of the {self.classes} classes, got {len(self.counts)}")

    def build(self, seed: int = 0) -> ZooModel:
        """The model with first weights drawn by `seed`, on the CPU, in training mode, without the adjustment.

        Raises:
            InputError: there is no such model or head, or the model cannot take that shape.

        """
        model = build(
            self.zoo,
            channels=self.channels,
            classes=self.classes,
            size=self.size,
            mean=self.mean,
            std=self.std,
            seed=seed,
        )
        if self.head != "linear":
            set_head(model, self.head, seed=seed)
        return model

    def adjusted(self, model: ZooModel) -> ZooModel:
        """`model` as it answers at inference: sharing its layers where there is an adjustment, else itself.

        Raises:
            InputError: the adjustment does not fit the head, or needs counts that are not there.

        """
        return adjusted(model, self.adjust, self.counts)


def save_model(spec: ModelSpec, model: ZooModel, folder: Path, name: str = "model") -> None:
    """Write `NAME.safetensors`, then `NAME.json`: a folder with the latter is complete.

    Raises:
        SetupError: a file cannot be written.

    """
    checkpoints.save(model, folder / f"{name}.safetensors")
    write_spec(spec, folder, name)


def write_spec(spec: ModelSpec, folder: Path, name: str = "model") -> None:
    """Write `NAME.json`.

    Raises:
        SetupError: it cannot be written.

    """
    text = json.dumps(asdict(spec), indent=2) + "\n"
    checkpoints.write(folder / f"{name}.json", text.encode())


def read_spec(path: Path) -> ModelSpec:
    """The description at `path`.

    Raises:
        InputError: it is absent, no JSON, or has missing, unknown or unfit keys.

    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a model's description: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object with zoo, channels, classes and size")
    try:
        return ModelSpec(**content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
