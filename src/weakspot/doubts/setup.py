"""T0: is the model set up as the audit assumes? Most audits that go wrong go wrong here."""

import torch
from torch import nn

from weakspot.contracts import Logits
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding

ROUNDING = 1e-4
"""How far the sum of a row of float32 (or half precision) probabilities may be from 1."""


def setup(context: Context) -> Finding:
    """Eval mode, images in [0, 1], labels in range, logits finite, of the right shape and no probabilities.

    Whether parameters require gradients is no doubt: it costs memory and changes no number.
    """
    wrong = _mode(context) + _data(context)
    with torch.no_grad():
        logits = context.model(context.images)
    wrong += _outputs(logits, len(context), len(context.classes))
    if wrong:
        return Finding("T0", "fail", float(len(wrong)), 0.0, f"The set-up is wrong: {'; '.join(wrong)}.")
    says = (
        f"On {len(context)} samples the images lie in [0, 1] and the model, in eval mode, returns finite logits of "
        f"{logits.shape[1]} classes."
    )
    return Finding("T0", "ok", 0.0, 0.0, says)


def _mode(context: Context) -> list[str]:
    if not isinstance(context.model, nn.Module):
        return []
    training = [name or "the model itself" for name, module in context.model.named_modules() if module.training]
    if not training:
        return []
    return [f"{len(training)} modules are in training mode (first: {training[0]}); call model.eval()"]


def _data(context: Context) -> list[str]:
    wrong = []
    low, high = context.images.amin().item(), context.images.amax().item()
    if not (low >= 0 and high <= 1):  # also true for NaN
        wrong.append(f"images span [{low:.3g}, {high:.3g}] instead of [0, 1]; normalisation belongs into the model")
    top = len(context.classes)
    if context.labels.amin() < 0 or context.labels.amax() >= top:
        wrong.append(
            f"labels span {int(context.labels.amin())} to {int(context.labels.amax())}, but there are {top} classes"
        )
    return wrong


def _outputs(logits: Logits, samples: int, classes: int) -> list[str]:
    if logits.ndim != 2 or tuple(logits.shape) != (samples, classes):
        return [f"the model returns shape {tuple(logits.shape)} where ({samples}, {classes}) was expected"]
    if not logits.is_floating_point():
        return [f"the model returns {logits.dtype} instead of floating point logits"]
    broken = int((~torch.isfinite(logits)).any(1).sum())
    if broken:
        return [f"the logits of {broken} of {samples} samples are NaN or infinite"]
    if (logits >= 0).all() and ((logits.float().sum(1) - 1).abs() <= ROUNDING).all():
        return ["the model returns probabilities instead of logits, which weakens attacks; remove its softmax"]
    return []


CHECK = Check(id="T0", name="set-up", when="doctor", cost=1, samples=64, run=setup)
