"""A user's own loss, and a stand-in for what has no gradient."""

import pytest
import torch

from weakspot.errors import InputError
from weakspot.maths.balls import distance
from weakspot.maths.losses import cross_entropy, margin
from weakspot.threats import parse_threat, threat_address
from weakspot.threats.apgd import ApgdCe
from weakspot.threats.custom import Custom, straight_through


def staircase(x):
    return (x * 16).round() / 16


class Masked(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(staircase(images) + 0 * images)


def broken(model, threat, images, labels):
    return margin(model(threat(model, images, labels, torch.arange(len(images)), 0)), labels) < 0


def test_with_our_loss_it_is_our_attack(digits):
    net, images, labels = digits
    sample = torch.arange(len(images))

    class Renamed(ApgdCe):  # starts are drawn by the threat's name
        name = "custom"

    ours = Renamed(radius="linf:0.08", steps=20)(net, images, labels, sample, 2)
    custom = Custom(radius="linf:0.08", steps=20, named="ce", loss=cross_entropy)
    assert torch.equal(custom(net, images, labels, sample, 2), ours)


def test_a_straight_through_layer_is_exact_forward_and_smooth_backward():
    x = torch.linspace(0, 1, 7).view(1, 1, 1, 7).requires_grad_()
    layer = straight_through(staircase, lambda x: x**2)
    torch.testing.assert_close(layer(x), staircase(x), rtol=0, atol=1e-7)
    (gradient,) = torch.autograd.grad(layer(x).sum(), x)
    torch.testing.assert_close(gradient, 2 * x.detach())


@pytest.mark.parametrize("radius", ["linf:0.1", "l2:0.5"])
def test_a_stand_in_breaks_what_has_no_gradient(digits, radius):
    net, images, labels = digits
    masked = Masked(net).eval()
    right = masked(images).argmax(1) == labels
    images, labels = images[right], labels[right]
    smooth = straight_through(staircase, lambda x: x)
    blind = broken(masked, Custom(radius=radius, named="blind", steps=30), images, labels)
    bpda = Custom(radius=radius, named="bpda", steps=30, stand_in=lambda x: net(smooth(x)))
    seeing = broken(masked, bpda, images, labels)
    open_model = broken(net, Custom(radius=radius, named="open", steps=30), images, labels)
    assert blind.sum() <= 3
    assert seeing.sum() >= open_model.sum() - 3
    assert seeing.sum() >= 20


@pytest.mark.parametrize("radius", ["linf:0.1", "l2:0.5"])
def test_what_every_threat_must_do(digits, radius):
    """The set, the margin, the seed and the batches; a stand-in that is another model altogether."""
    net, images, labels = digits
    wrong = labels.clone()
    wrong[:5] = (labels[:5] + 1) % 10
    sample, weight = torch.arange(len(images)), torch.randn(64, 10, generator=torch.Generator().manual_seed(0))
    threat = Custom(radius=radius, named="x", steps=8, restarts=2, stand_in=lambda x: x.flatten(1) @ weight)
    attacked = threat(net, images, wrong, sample, 0)
    assert torch.equal(attacked, threat(net, images, wrong, sample, 0))
    assert not torch.equal(attacked, threat(net, images, wrong, sample, 1))
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert (distance(attacked - images, radius.split(":")[0]) <= float(radius.split(":")[1]) + 1e-6).all()
    assert (margin(net(attacked), wrong) <= margin(net(images), wrong)).all()
    assert torch.equal(attacked[:5], images[:5])
    assert (attacked[5:] != images[5:]).any()


def test_addresses():
    threat = Custom(radius="linf:8/255", named="my.loss", loss=cross_entropy, steps=50)
    assert threat_address(threat) == "custom(named=my.loss,steps=50)@linf:8/255"
    with pytest.raises(InputError, match=r"make it in Python: weakspot\.threats\.custom\.Custom"):
        parse_threat("custom(named=x)@linf:0.1")


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (lambda logits, labels: logits.sum(), r"one value per sample, shape \(\d+,\), got \(\)"),
        (lambda logits, labels: 3.0, "got float"),
        (lambda logits, labels: logits.detach().sum(1), "does not depend on the logits"),
    ],
)
def test_a_wrong_loss_is_one_clear_line(digits, loss, says):
    net, images, labels = digits
    threat = Custom(radius="linf:0.1", named="wrong", loss=loss)
    with pytest.raises(InputError, match=says):
        threat(net, images, labels, torch.arange(len(images)), 0)


def test_a_loss_must_be_callable():
    with pytest.raises(InputError, match="loss"):
        Custom(radius="linf:0.1", named="x", loss="ce")
