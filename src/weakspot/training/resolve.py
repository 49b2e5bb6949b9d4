"""What a call to `train` means on this machine and for these data: device, precision, radius; and what is refused."""

from typing import Literal

import torch

from weakspot.addresses import Radius
from weakspot.contracts import Data
from weakspot.errors import InputError, SetupError, unknown
from weakspot.training.loss import Loss
from weakspot.training.objective import Objective
from weakspot.training.options import Precision, Select
from weakspot.training.policy import Policy

KNOBS = {
    "radius": "the radius",
    "natural": "the weight of clean losses",
    "robust": "the weight of attacked losses",
    "beta": "the trade-off",
    "target": "the target",
}


def device_of(device: str) -> torch.device:
    """The device to train on: `cpu`, `cuda`, `cuda:N`, or `auto`, the GPU where there is one.

    Raises:
        InputError: no such kind of device.
        SetupError: the device is missing.

    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise unknown("device", device, ("auto", "cpu", "cuda", "cuda:0"))
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise SetupError(
            f"device {device!r} is not there: torch {torch.__version__} sees {torch.cuda.device_count()} GPUs; "
            "use device='cpu'"
        )
    return torch.device(device)


def precision_of(precision: Precision | Literal["auto"], device: torch.device) -> Precision:
    """`auto`: bfloat16 on a GPU that computes in it, else float32.

    bfloat16 pays on some CPUs too (1.9 times the speed of the small CNN where there is AVX512-BF16), but a CPU without
    it is slower so, and would train other weights than the one beside it.
    """
    if precision != "auto":
        return precision
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"


def radius_of(objective: Objective, radius: str | Radius | None) -> Radius | None:
    """The radius to train and to validate at; an objective that attacks needs one above 0.

    Raises:
        InputError: it is missing, 0, or in a norm that has no projection.

    """
    found = None if radius is None else Radius.of(radius)
    if found and found.norm == "l1":
        raise InputError(f"training attacks know linf and l2, got {found}; choose one of them")
    if objective.base.adversarial and not (found and float(found)):
        raise InputError(
            f"{objective.base.name} needs a radius above 0, got {found or 'none'}; give one such as linf:8/255, "
            "or train by standard"
        )
    return found if found and float(found) else None


def smoothing_of(objective: Objective, smoothing: float) -> float:
    """The label smoothing.

    Raises:
        InputError: the objective's loss has no place for it.

    """
    if smoothing and not objective.base.smooths:
        raise InputError(f"{objective.base.name} has no cross-entropy to smooth, got {smoothing:g}; use smoothing=0")
    return smoothing


def check_loss(loss: Loss, objective: Objective, smoothing: float) -> None:
    """Refuse a long-tailed loss where the objective has no cross-entropy that it could replace, or labels are smoothed.

    Raises:
        InputError: they do not go together.

    """
    if loss.name == "cross-entropy":
        return
    if not objective.base.smooths:
        raise InputError(
            f"{objective.base.name} has a loss of its own, where {loss.name} has no place; use it with pgd-at or trades"
        )
    if smoothing:
        raise InputError(f"loss {loss.name} knows no smoothed labels, got smoothing={smoothing:g}; use smoothing=0")


def check_select(select: Select, validation: float) -> None:
    """Refuse to look for an epoch where there is nothing to look at; by default the last one is then taken.

    Raises:
        InputError: `select` asks for held-out images, and none are held out.

    """
    if select in ("worst", "sum") and not validation:
        raise InputError(
            f"select={select} compares epochs on held-out images, got validation=0; use validation=0.1 or select=last"
        )


def check_policy(
    policy: Policy, objective: Objective, *, epochs: int, validation: float, average: float | str, sampler: str
) -> None:
    """Refuse a policy that this objective, or this run, cannot carry.

    Raises:
        InputError: it turns a knob that the objective does not have, or lacks epochs, held-out images or the average.

    """
    name = policy.name
    if missing := sorted(policy.needs - objective.base.carries):
        raise InputError(
            f"policy {name} sets {' and '.join(KNOBS[knob] for knob in missing)} of each class, which "
            f"{objective.base.name} does not have; use it over pgd-at, trades or mart"
        )
    if not policy.acts_at_once and epochs < 2:
        raise InputError(f"policy {name} learns in one epoch and acts in the next, got epochs={epochs}; use 2 or more")
    if policy.looks and not validation:
        raise InputError(f"policy {name} looks at held-out images, got validation=0; use validation=0.1")
    if sampler == "class-aware" and type(policy).draw is not Policy.draw:
        raise InputError(f"policy {name} draws the images itself, so --sampler class-aware has no place beside it")
    if policy.averages and average in (0, "swa"):
        raise InputError(
            f"policy {name} averages the weights itself, got average={average}; omit it or use {name}(fawa=False)"
        )


def check_data(data: Data, *, zoo: bool) -> None:
    """Refuse what must not or cannot be trained on; `zoo` says whether the model is one, for square images.

    Raises:
        InputError: a test split, fewer than two classes or samples, oblong images for a zoo model.

    """
    if data.split == "test":
        raise InputError(f"training never reads a test split, got that of {data.name}; load it with split='train'")
    if len(data.classes) < 2 or len(data) < 2:
        raise InputError(
            f"training needs two classes and two samples, got {len(data.classes)} and {len(data)} in {data.name}"
        )
    if zoo and data.shape[1] != data.shape[2]:
        raise InputError(
            f"zoo models take square images, got {data.shape[1]}x{data.shape[2]} in {data.name}; hand over a module"
        )
