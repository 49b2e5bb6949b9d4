"""CW-PGD: its loss, and its iterates against a plain loop."""

import pytest
import torch

from weakspot.maths.balls import start_noise
from weakspot.maths.losses import margin
from weakspot.threats.cw_pgd import CwPgd, hinge
from weakspot.threats.pgd import Pgd


def test_the_loss_stops_once_a_wrong_class_leads_by_kappa():
    logits = torch.tensor([[3.0, 1, 0], [0, 4, 0], [0, 60, 0]], requires_grad=True)
    labels = torch.tensor([0, 0, 0])
    values = hinge(50.0)(logits, labels)
    assert values.tolist() == [-52.0, -46.0, 0.0]
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    assert gradient.tolist() == [[-1, 1, 0], [-1, 1, 0], [0, 0, 0]]
    assert hinge(3.0)(logits, labels).tolist() == [-5.0, 0.0, 0.0]


class Sharp(torch.nn.Module):
    """A network so sure of itself that cross-entropy has no gradient in float32: margins above 1,000."""

    def __init__(self, seen=None):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.first = torch.nn.Parameter(torch.randn(48, 32, generator=draw) / 4)
        self.second = torch.nn.Parameter(2000 * torch.randn(32, 5, generator=draw))
        self.seen = seen

    def forward(self, images):
        if self.seen is not None:
            self.seen.append(images.detach().clone())
        return torch.tanh((images - 0.5).flatten(1) @ self.first) @ self.second


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_iterates_equal_a_plain_loop(norm):
    seen: list[torch.Tensor] = []
    model, radius, sample = Sharp(seen), {"linf": 0.05, "l2": 0.3}[norm], torch.arange(6)
    images = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(3))
    labels = model(images).argmax(1)
    noise = start_noise(images, torch.full((6,), radius), norm, sample, 5, purpose="cw-pgd")
    seen.clear()
    CwPgd(radius=f"{norm}:{radius}", steps=8)(model, images, labels, sample, 5)
    ours = seen[1:]  # the first batch is the clean one
    assert len(ours) == 9
    x = (images + noise).clamp(0, 1)
    for expected in ours:
        torch.testing.assert_close(expected, x, rtol=0, atol=1e-6)
        x = x.clone().requires_grad_()
        logits = model(x)
        true = logits[torch.arange(6), labels]
        wrong = torch.stack([row[[j for j in range(5) if j != y]].max() for row, y in zip(logits, labels, strict=True)])
        (gradient,) = torch.autograd.grad((wrong - true)[true - wrong > -50].sum(), x)
        flat = gradient.flatten(1)
        unit = gradient.sign() if norm == "linf" else gradient / flat.norm(dim=1).clamp(min=1e-9)[:, None, None, None]
        delta = x.detach() + radius / 4 * unit - images
        if norm == "linf":
            delta = delta.clamp(-radius, radius)
        else:
            delta = delta * (radius / delta.flatten(1).norm(dim=1)).clamp(max=1)[:, None, None, None]
        x = (images + delta).clamp(0, 1)


def test_breaks_what_cross_entropy_cannot_see():
    model, sample = Sharp(), torch.arange(30)
    images = torch.rand(30, 3, 4, 4, generator=torch.Generator().manual_seed(4))
    labels = model(images).argmax(1)
    assert margin(model(images), labels).median() > 200
    blind = margin(model(Pgd(radius="linf:0.05")(model, images, labels, sample, 0)), labels) < 0
    seeing = margin(model(CwPgd(radius="linf:0.05")(model, images, labels, sample, 0)), labels) < 0
    assert seeing.sum() > blind.sum() + 5
