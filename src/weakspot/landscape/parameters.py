"""The loss over two directions in the space of a model's parameters, for contrast with the surfaces of its input.

Filter-normalised directions (Li et al., 2018, Visualizing the Loss Landscape of Neural Nets, arXiv:1712.09913, section
4): normal draws, each filter scaled to the length of the model's own filter; biases and the parameters of normalisation
stay. The source of psi argues that this surface does not follow adversarial robustness.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from weakspot.contracts import Images, Labels
from weakspot.landscape.surfaces import ELSEWHERE, NUMBERS, First, Second, Surface
from weakspot.maths.losses import cross_entropy, margin
from weakspot.rng import normal

TINY = 1e-12


def filter_normalised(model: nn.Module, seed: int, purpose: str) -> dict[str, Tensor]:
    """A random direction for each parameter, of the length of the parameter filter by filter."""
    found = {}
    for name, weight in model.named_parameters():
        if weight.ndim < 2:
            found[name] = torch.zeros_like(weight)
            continue
        filters = torch.arange(len(weight), device=weight.device)
        drawn = normal(tuple(weight.shape[1:]), filters, seed, f"{purpose}/{name}").to(weight)
        own, length = (each.flatten(1).norm(dim=1) for each in (weight.detach(), drawn))
        found[name] = drawn * (own / length.clamp(min=TINY)).view(-1, *[1] * (weight.ndim - 1))
    return found


def parameter_surface(
    model: nn.Module, images: Images, labels: Labels, offsets: tuple[First, Second], seed: int
) -> Surface:
    """Mean cross-entropy and mean margin of these images at theta + i a + j b, as one grid.

    A step of 1 along a direction changes each filter by its own length. The model is left as it was. Large images pass
    through it a few at a time.
    """
    first, second = (filter_normalised(model, seed, f"parameter surface/{which}") for which in ("first", "second"))
    rows, columns = offsets
    entropy, decision = torch.empty(2, 1, len(rows), len(columns))
    numbers = NUMBERS if images.device.type == "cpu" else ELSEWHERE
    parts = torch.split(images, max(1, numbers // images[0].numel()))
    for at, i in enumerate(rows.tolist()):
        for place, j in enumerate(columns.tolist()):
            moved = {
                name: weight.detach() + i * first[name] + j * second[name] for name, weight in model.named_parameters()
            }
            with torch.no_grad():
                logits = torch.cat([functional_call(model, moved, (part,)) for part in parts])
            entropy[0, at, place] = cross_entropy(logits, labels).mean()
            decision[0, at, place] = margin(logits, labels).mean()
    return Surface(rows, columns, entropy, decision)
