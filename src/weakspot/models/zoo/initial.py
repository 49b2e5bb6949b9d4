"""First weights, drawn by name: they depend on the seed and the parameter's name alone, never on a global stream."""

from math import sqrt

import torch
from torch import Tensor, nn

from weakspot import rng
from weakspot.models.zoo.model import ZooModel


def initialise(model: ZooModel, seed: int) -> None:
    """Draw the weights of all convolutions and linear layers anew, in place; norms keep 1 and 0.

    "fan_in" is torch's default for both kinds of layers: uniform in +-1 / sqrt(fan in), biases too, which most
    reference models use. "he_fan_out" is the variance 2 / fan out for convolutions (He et al., 2015,
    arXiv:1502.01852), which the WideResNets use; uniform here instead of normal, and their last bias is 0.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            draw(module, name, seed, model.initialisation == "he_fan_out")


def draw(layer: nn.Conv2d | nn.Linear, name: str, seed: int, he_fan_out: bool = False) -> None:
    """Draw one layer's weight and bias in place; `name` keeps layers apart."""
    weight, bias = layer.weight, layer.bias
    fan_in, fan_out = weight[0].numel(), weight.numel() // weight.shape[1]
    bound = sqrt(6 / fan_out) if he_fan_out and isinstance(layer, nn.Conv2d) else 1 / sqrt(fan_in)
    _fill(weight, bound, f"init/{name}.weight", seed)
    if bias is not None:
        _fill(bias, 0.0 if he_fan_out else 1 / sqrt(fan_in), f"init/{name}.bias", seed)


def _fill(values: Tensor, bound: float, purpose: str, seed: int) -> None:
    one = torch.zeros(1, dtype=torch.int64)
    with torch.no_grad():
        values.copy_(rng.uniform(tuple(values.shape), one, seed, purpose)[0] * 2 * bound - bound)
