"""The scaled cross-entropy: a scale of the logits changes nothing, where cross-entropy goes blind."""

import torch

from weakspot.maths.losses import margin
from weakspot.threats.apgd import ApgdCe
from weakspot.threats.apgd_mifpe import ApgdMifpe


def test_a_scale_of_the_logits_changes_no_image(digits):
    net, images, labels = digits
    sample, threat = torch.arange(len(images)), ApgdMifpe(radius="linf:0.1", steps=20)
    plain = threat(net, images, labels, sample, 0)
    # A power of two scales every float exactly, so not one bit of the search may differ.
    assert torch.equal(threat(lambda x: 1024 * net(x), images, labels, sample, 0), plain)
    blind = ApgdCe(radius="linf:0.1", steps=20)(lambda x: 1024 * net(x), images, labels, sample, 0)
    assert (margin(net(plain), labels) < 0).sum() > (margin(net(blind), labels) < 0).sum() + 5


def test_is_no_weaker_than_cross_entropy_on_an_honest_model(digits):
    net, images, labels = digits
    sample = torch.arange(len(images))
    broken = [
        (margin(net(kind(radius="linf:0.1", steps=20)(net, images, labels, sample, 0)), labels) < 0).sum()
        for kind in (ApgdMifpe, ApgdCe)
    ]
    assert broken[0] >= broken[1] - 1
