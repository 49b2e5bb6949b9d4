"""Batch norms folded into the convolutions before them, for a search that may round otherwise."""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

NORMS = {nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d, nn.Conv3d: nn.BatchNorm3d}


@dataclass(frozen=True, eq=False)
class Twin:
    """A module in eval mode without the batch norms that directly follow a convolution; it shares all other layers.

    Tracing fixes what Python decides, so it is only for searching: the module itself must judge.
    """

    module: nn.Module
    traced: fx.GraphModule
    pairs: tuple[tuple[str, str], ...]
    """The names of each convolution and of the norm that its copy in `traced` takes in."""

    def current(self) -> nn.Module:
        """The twin with the values that the module has now; up to rounding the same function of the images."""
        for convolution, norm in self.pairs:
            first: Any = self.module.get_submodule(convolution)
            second: Any = self.module.get_submodule(norm)
            copy: Any = self.traced.get_submodule(convolution)
            scaling = (second.running_mean, second.running_var, second.eps, second.weight, second.bias)
            with torch.no_grad():
                weight, bias = fuse_conv_bn_weights(first.weight, first.bias, *scaling)
            copy.weight, copy.bias = weight.requires_grad_(False), bias.requires_grad_(False)
        for node in self.traced.graph.nodes:
            if node.op == "get_attr":  # a buffer may be another tensor by now
                owner, _, name = str(node.target).rpartition(".")
                setattr(self.traced.get_submodule(owner), name, getattr(self.module.get_submodule(owner), name))
        return self.traced


def twin_of(module: nn.Module) -> Twin | None:
    """The twin; None of a module that torch.fx cannot trace (control flow by values) or that is not in eval mode."""
    if any(part.training for part in module.modules()):
        return None
    try:
        traced = fx.symbolic_trace(module)
    except Exception:  # the owner's code is called with symbols, and may raise anything
        return None
    parts = dict(traced.named_modules())
    calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    pairs = []
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        first, norm = parts[str(before.target)], parts[str(node.target)]
        once = calls[before.target] == calls[node.target] == 1
        if not once or type(norm) is not NORMS.get(type(first)) or norm.running_mean is None:
            continue
        traced.set_submodule(str(before.target), deepcopy(first))
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
        pairs.append((str(before.target), str(node.target)))
    traced.delete_all_unused_submodules()
    traced.recompile()
    return Twin(module, traced, tuple(pairs))


def folded(module: nn.Module) -> nn.Module:
    """A copy of the twin as it is now, which shares nothing with the module; the module itself if it has no twin."""
    twin = twin_of(module)
    return module if twin is None else deepcopy(twin.current()).requires_grad_(False).eval()
