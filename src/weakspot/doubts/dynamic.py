"""T19: a model that optimises or learns while it answers is a moving target (Croce et al., 2022, arXiv:2202.13711)."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch
from torch import nn

from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding

WATCHED = {function.__code__ for function in (torch.autograd.grad, torch.autograd.backward, torch.Tensor.backward)}


@contextmanager
def counted_gradients() -> Iterator[list[str]]:
    """Collect the names of torch's gradient functions that are called, under whatever name they were imported."""
    calls: list[str] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in WATCHED:
            calls.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def dynamic(context: Context) -> Finding:
    """One forward: no gradient may be taken in it, and no parameter or buffer may change."""
    state = _state(context.model)
    with counted_gradients() as calls:
        context.logits()
    changed = [name for name, value in _state(context.model).items() if not torch.equal(value, state[name])]
    says = f"While it answered, the model took {len(calls)} gradients and changed {len(changed)} parameters or buffers"
    wrong = len(calls) + len(changed)
    if not wrong:
        return Finding("T19", "ok", 0.0, 0.0, says + ".")
    says += f" (first: {changed[0]})" if changed else ""
    says += "; it adapts or optimises at test time, which needs an attack made for it"
    return Finding("T19", "fail", float(wrong), 0.0, says + ".")


def _state(model: object) -> dict[str, torch.Tensor]:
    if not isinstance(model, nn.Module):
        return {}
    held = [*model.named_parameters(), *model.named_buffers()]
    return {name: value.detach().clone() for name, value in held}


CHECK = Check(id="T19", name="dynamic defence", when="audit", cost=1, samples=16, run=dynamic)
