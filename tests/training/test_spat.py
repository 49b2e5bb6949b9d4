"""What SPAT's docstring says of its self-paced loss."""

import pytest
import torch

from weakspot.training.objectives.spat import Spat


@pytest.mark.parametrize("classes, highest", [(10, 0.68), (100, 0.16)])
def test_attached_weights_bound_the_clean_probability(classes: int, highest: float) -> None:
    """The gradient vanishes at z_y = 0.6, z_j = -0.1, a minimum over all scores in [-1, 1]."""
    labels = torch.tensor([0])
    z = torch.full((1, classes), -0.1, dtype=torch.float64)
    z[0, 0] = 0.6
    z.requires_grad_()
    loss = Spat().accuracy(z, labels)
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    torch.testing.assert_close(gradient, torch.zeros_like(z), atol=1e-12, rtol=0.0)
    assert torch.exp(-loss).item() == pytest.approx(highest, abs=0.005)
    grid = torch.linspace(-1, 1, 201, dtype=torch.float64)
    for entry in (0, 1):
        others = z.detach().repeat(len(grid), 1)
        others[:, entry] = grid
        assert Spat().accuracy(others, labels.repeat(len(grid))).min() >= loss - 1e-12


def test_detached_weights_are_circle_losss_gradient() -> None:
    z = torch.linspace(-0.9, 0.8, 12, dtype=torch.float64).view(3, 4).requires_grad_()
    labels = torch.tensor([2, 0, 3])
    loss = Spat(detach=True).accuracy(z, labels)
    torch.testing.assert_close(loss, Spat().accuracy(z, labels))
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    true = torch.nn.functional.one_hot(labels, 4)
    a = torch.where(true.bool(), 1.2 - z, z + 0.2).detach()
    torch.testing.assert_close(gradient, 8 * a * (torch.softmax(8 * a * z, 1) - true))
    assert not torch.allclose(gradient, torch.autograd.grad(Spat().accuracy(z, labels).sum(), z)[0])
