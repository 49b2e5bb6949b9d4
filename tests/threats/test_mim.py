"""MIM: iterate by iterate an independent one in linf, and a plain loop over samples in l2."""

import pytest
import torch
import torchattacks

from weakspot.threats.mim import mim
from weakspot.threats.search import Search


class Recorded(torch.nn.Module):
    """A small network in float64 that keeps every batch it is shown."""

    def __init__(self, seed: int):
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.first = torch.nn.Parameter(torch.randn(48, 32, generator=draw, dtype=torch.float64) / 4)
        self.second = torch.nn.Parameter(torch.randn(32, 5, generator=draw, dtype=torch.float64) / 2)
        self.seen: list[torch.Tensor] = []

    def forward(self, images):
        self.seen.append(images.detach().clone())
        return torch.tanh((images - 0.5).flatten(1) @ self.first) @ self.second


def block(seed: int):
    model = Recorded(seed).eval()
    images = torch.rand(20, 3, 4, 4, generator=torch.Generator().manual_seed(10 + seed)).double()
    return model, images, model(images).argmax(1)


@pytest.mark.parametrize("decay", [1.0, 0.5, 0.0])
def test_iterates_equal_torchattacks(decay):
    model, images, labels = block(0)
    reference = torchattacks.MIFGSM(model, eps=0.06, alpha=0.015, steps=20, decay=decay)
    reference.set_model_training_mode(False, False, False)
    model.seen.clear()
    last = reference(images, labels)
    expected = [*model.seen, last]
    search = Search(model, images, labels, torch.arange(20), 0)
    model.seen.clear()
    mim(search, torch.arange(20), torch.full((20,), 0.06, dtype=torch.float64), "linf", 20, 0.25, decay, images)
    assert len(model.seen) == len(expected) == 21
    for ours, theirs in zip(model.seen, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_l2_against_a_plain_loop():
    model, images, labels = block(1)
    radius, step, decay = 0.5, 0.25, 0.9
    search = Search(model, images, labels, torch.arange(20), 0)
    model.seen.clear()
    mim(search, torch.arange(20), torch.full((20,), radius, dtype=torch.float64), "l2", 10, step, decay, images)
    ours = list(model.seen)
    for i in range(3):
        x0, x, velocity = images[i : i + 1], images[i : i + 1], 0
        for count in range(11):
            torch.testing.assert_close(ours[count][i : i + 1], x, rtol=0, atol=1e-9)
            x = x.clone().requires_grad_()
            logits = model(x)[0]
            loss = logits.exp().sum().log() - logits[labels[i]]
            (gradient,) = torch.autograd.grad(loss, x)
            velocity = decay * velocity + gradient / gradient.abs().sum()
            delta = x.detach() - x0 + step * radius * velocity / velocity.norm()
            if delta.norm() > radius:
                delta = delta * radius / delta.norm()
            x = (x0 + delta).clamp(0, 1)
