"""What a run begins from: a zoo model with drawn weights, the model of an earlier run, or a module handed over."""

from dataclasses import replace
from pathlib import Path

from torch import nn

from weakspot.contracts import Data
from weakspot.errors import InputError
from weakspot.models import ModelSpec, checkpoints
from weakspot.models.heads import head_address, head_of
from weakspot.models.spec import read_spec
from weakspot.models.zoo import is_zoo_name
from weakspot.models.zoo.model import ZooModel
from weakspot.training.loss import Loss
from weakspot.training.objective import Objective
from weakspot.training.options import Tune

WEIGHTS = "model.safetensors"


def earlier(model: str | nn.Module) -> Path | None:
    """The folder of an earlier run, where `model` is one; a zoo name comes before a folder of that name."""
    if isinstance(model, nn.Module) or is_zoo_name(model) or not (Path(model) / "model.json").is_file():
        return None
    return Path(model)


def refuse_untrained_body(tune: Tune, model: str | nn.Module) -> None:
    """Raise InputError where only the last layer would learn, over a network that nothing trained."""
    if tune == "head" and isinstance(model, str) and earlier(model) is None:
        raise InputError("--tune head trains the last layer of a trained network; give an earlier run: --model RUN")


def head_for(head: str, model: str | nn.Module, objective: Objective, loss: Loss) -> str:
    """The address of the last layer; "auto" is the loss's own, else an earlier run's, else the objective's.

    Raises:
        InputError: there is no such head, it has no such option, or it scales weights that nothing trained.

    """
    before = earlier(model)
    if head == "auto":
        head = loss.head or (read_spec(before / "model.json").head if before else objective.base.head)
    found = head_address(head_of(head))
    if found == "lws" and before is None:
        raise InputError("head lws scales the weights of a trained layer; give an earlier run: --model RUN")
    return found


def spec_of(model: str, head: str, data: Data) -> ModelSpec:
    """The description of what is trained on these data, without adjustment and counts.

    Raises:
        InputError: an earlier run's model does not fit the data.

    """
    channels, size, _ = data.shape
    classes, before = len(data.classes), earlier(model)
    if before is None:
        return ModelSpec(zoo=model, channels=channels, classes=classes, size=size, head=head)
    spec = read_spec(before / "model.json")
    if (spec.channels, spec.classes) != (channels, classes):
        raise InputError(
            f"the model at {before} takes {spec.channels} channels and knows {spec.classes} classes, the data has "
            f"{channels} and {classes}; choose other data or another model"
        )
    return replace(spec, head=head, adjust="none", counts=())


def build(model: str, spec: ModelSpec, seed: int) -> ZooModel:
    """The model that a run begins with; of an earlier one everything is kept that the head has a place for.

    Raises:
        InputError: no such model, or weights that do not fit.

    """
    made, before = spec.build(seed), earlier(model)
    if before is None:
        return made
    old = read_spec(before / "model.json").build()
    checkpoints.load_into(old, before / WEIGHTS)
    fits = made.state_dict()
    made.load_state_dict(fits | {name: value for name, value in old.state_dict().items() if name in fits})
    return made


def keep_all_but_head(model: nn.Module) -> None:
    """Let the last layer alone learn, in place; batch norm still follows the batches, as in the study's released code.

    Raises:
        InputError: the model is not of the zoo, so which layer is the last is not known.

    """
    if not isinstance(model, ZooModel):
        raise InputError(f"only of a zoo model it is known which layer is the last, got {type(model).__name__}")
    last = {id(parameter) for parameter in model.head.parameters()}
    for parameter in model.parameters():
        if id(parameter) not in last:
            parameter.requires_grad_(False)
