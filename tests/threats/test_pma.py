"""PMA: its schedule, its losses and its iterates against a plain loop over samples."""

from math import cos, pi

import pytest
import torch

from weakspot.maths.balls import start_noise
from weakspot.maths.losses import margin
from weakspot.threats.pgd import Pgd
from weakspot.threats.pma import Pma, away, own, rival, shares


def test_steps_fall_along_a_cosine_in_each_half():
    steps = shares(100)
    assert len(steps) == 100
    assert steps[:50] == steps[50:] == [2 * 0.5 * (1 + cos(pi * k / 50)) for k in range(50)]
    assert steps[0] == 2
    assert 0 < steps[49] < 0.01
    assert [len(shares(n)) for n in (1, 2, 3, 7)] == [1, 2, 3, 7]
    assert all(0 < share <= 2 for n in (1, 2, 3, 7) for share in shares(n))


def test_the_terms_of_the_margin():
    logits, labels = torch.tensor([[1.0, 2, 3], [5, 0, 0]]), torch.tensor([1, 0])
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    torch.testing.assert_close(own(logits, labels), torch.stack([p[0, 1], p[1, 0]]))
    torch.testing.assert_close(away(logits, labels), -own(logits, labels))
    torch.testing.assert_close(rival(logits, labels), torch.stack([p[0, 2], p[1, 1]]))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_iterates_equal_a_plain_loop(norm):
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(48, 5, generator=draw, dtype=torch.float64) / 8
    seen = []

    def model(x):
        seen.append(x.detach().clone())
        return torch.sin((x - 0.5).flatten(1) @ weight)

    images, sample = torch.rand(4, 3, 4, 4, generator=draw, dtype=torch.float64), torch.arange(4)
    radius, steps = {"linf": 0.001, "l2": 0.01}[norm], 6  # too small to break anything: both runs keep all samples
    labels = model(images).argmax(1)
    seen.clear()
    Pma(radius=f"{norm}:{radius}", steps=steps)(model, images, labels, sample, 1)
    ours, count = seen[1:], 0
    assert len(ours) == 2 * (steps + 1)
    for run in (0, 1):
        noise = start_noise(
            images, torch.full((4,), radius, dtype=torch.float64), norm, sample, 1, purpose=f"pma/{run}"
        )
        x = (images + noise).clamp(0, 1)
        for step in range(steps + 1):
            torch.testing.assert_close(ours[count], x, rtol=0, atol=1e-9)
            count += 1
            moved = []
            for i in range(4):
                at = x[i : i + 1].clone().requires_grad_()
                p = model(at)[0].softmax(0)
                mine, other = p[labels[i]], max(p[j] for j in range(5) if j != labels[i])
                term = mine if step == 0 else (-mine, other)[run] if step < 3 else other - mine
                (gradient,) = torch.autograd.grad(term, at)
                unit = gradient.sign() if norm == "linf" else gradient / gradient.norm()
                delta = at.detach() - images[i] + radius * (1 + cos(pi * (step % 3) / 3)) * unit
                delta = delta.clamp(-radius, radius) if norm == "linf" else delta * min(1, radius / delta.norm())
                moved.append((images[i] + delta).clamp(0, 1))
            x = torch.cat(moved)


def test_no_weaker_than_pgd_on_a_trained_model(digits):
    net, images, labels = digits
    sample = torch.arange(len(images))
    broken = [
        (margin(net(threat(net, images, labels, sample, 0)), labels) < 0).sum()
        for threat in (Pma(radius="linf:0.1"), Pgd(radius="linf:0.1", steps=100))
    ]
    assert 0 < broken[0] < len(images)
    assert broken[0] >= broken[1] - 1
