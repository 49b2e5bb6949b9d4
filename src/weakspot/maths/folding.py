"""Batch norms folded into the convolutions before them, for a search that may round otherwise."""

from collections import Counter
from copy import deepcopy

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

NORMS = {nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d, nn.Conv3d: nn.BatchNorm3d}


def folded(module: nn.Module) -> nn.Module:
    """A copy without the batch norms that directly follow a convolution: in eval mode the same function up to rounding.

    A module that torch.fx cannot trace (control flow that depends on values), or that is not in eval mode, is returned
    as it is. Tracing fixes what Python decides, so the copy is only for searching: the module itself must judge.
    """
    if any(part.training for part in module.modules()):
        return module
    try:
        traced = fx.symbolic_trace(module)
    except Exception:  # the owner's code is called with symbols, and may raise anything
        return module
    traced = deepcopy(traced)  # its submodules were the owner's own
    parts = dict(traced.named_modules())
    calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        first, norm = parts[str(before.target)], parts[str(node.target)]
        once = calls[before.target] == calls[node.target] == 1
        if not once or type(norm) is not NORMS.get(type(first)) or norm.running_mean is None:
            continue
        setattr(_owner(traced, str(before.target)), str(before.target).rpartition(".")[2], _fold(first, norm))
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced.requires_grad_(False).eval()


def _fold(first: nn.Module, norm: nn.Module) -> nn.Module:
    found: nn.Module = fuse_conv_bn_eval(first, norm)  # type: ignore[type-var, arg-type]  # `folded` looked at both
    return found


def _owner(traced: fx.GraphModule, name: str) -> nn.Module:
    return traced.get_submodule(name.rpartition(".")[0])
