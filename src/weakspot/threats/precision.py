"""Searching in bfloat16, judging in float32: a wrong image found cheaply is as wrong, once float32 has confirmed it."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from torch import nn

from weakspot.contracts import Classifier, Images, Logits
from weakspot.errors import reason, unknown
from weakspot.maths.folding import folded
from weakspot.maths.mixed import ChannelsLast, Mixed

Precision = Literal["fp32", "bf16"]

AGREE = 0.9
"""The share of clean predictions that bfloat16 must leave as they are, or it searches on another model."""


@dataclass(frozen=True, eq=False)
class TwoPrecisions:
    """A classifier that answers in float32, and has a `rough` twin for threats that search in bfloat16."""

    exact: Classifier
    rough: Classifier

    def __call__(self, images: Images) -> Logits:
        """The float32 logits."""
        return self.exact(images)


def search_precision(asked: str, device: torch.device) -> Precision:
    """`auto`: bfloat16 where the device has units for it (AVX512-BF16, AMX, CUDA from capability 8), else float32.

    Raises:
        InputError: it is neither auto, fp32 nor bf16.

    """
    if asked not in ("auto", *get_args(Precision)):
        raise unknown("precision", asked, ("auto", *get_args(Precision)))
    if asked != "auto":
        return cast(Precision, asked)
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    has_units = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if has_units else "fp32"


def with_rough(module: Classifier, images: Images) -> tuple[Classifier, str | None]:
    """`module` with a bfloat16 twin, or as it is with the reason; `images` are clean ones to try the twin on.

    On a CPU both get their images in channels-last order.

    A model of the user's own may fail in bfloat16 or channels-last (a fixed dtype, `view` of a strided tensor), or
    answer otherwise (a threshold, a custom rounding): then float32 searches.
    """
    if not isinstance(module, nn.Module):
        return module, "it is no torch module"
    twin = Mixed(folded(module))
    try:
        with torch.no_grad():
            exact = module(images)
        tried = images.clone().requires_grad_()
        with torch.enable_grad():
            rough = twin(tried)
            torch.autograd.grad(rough.sum(), tried, allow_unused=True)
    except Exception as error:  # the user's code may raise anything, such as numpy's TypeError for bfloat16
        return module, reason(error)
    agreed = float((exact.argmax(1) == rough.argmax(1)).float().mean())
    if not torch.isfinite(rough).all() or agreed < AGREE:
        return module, f"it changes {1 - agreed:.0%} of {len(images)} clean predictions"
    return TwoPrecisions(ChannelsLast(module) if images.device.type == "cpu" else module, twin), None
