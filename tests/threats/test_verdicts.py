"""`autoattack` against an independent one on images near the boundary, and against images known to be wrong."""

import numpy as np
import pytest
import torch
import torchattacks

from weakspot.maths.balls import distance
from weakspot.threats import parse_threat
from weakspot.threats.fab_t import FabT
from weakspot.threats.measure import measure, tolerance
from weakspot.threats.stored import Stored


@pytest.fixture(scope="module")
def near(digits):
    """(images, labels, radius, wrong ones found by FAB): least radii from 0.7 to 1.4 times the radius."""
    net, images, labels = digits[0], digits[1][:50], digits[2][:50]
    found = FabT(radius="linf:0.5", steps=40)(net, images, labels, torch.arange(len(images)), 0)
    least = distance(found - images, "linf")
    radius = round(float(least.median()), 3)
    close = (least > 0.7 * radius) & (least < 1.4 * radius)
    assert 15 <= int(close.sum()) < len(images)
    return images[close], labels[close], radius, found[close]


@pytest.fixture(scope="module")
def ours(digits, near):
    """Whether each survives `autoattack`, and the images that came back."""
    images, labels, radius, _ = near
    address = f"autoattack@linf:{radius}"
    rows, attacked = measure(digits[0], parse_threat(address), address, images, labels, torch.arange(len(images)), 0)
    return torch.from_numpy(rows.correct), attacked


def test_verdicts_are_those_of_torchattacks_parts(digits, near, ours):
    net, (images, labels, radius, _) = digits[0], near
    common = {"norm": "Linf", "eps": radius, "n_restarts": 1}
    robust = torch.ones(len(images), dtype=torch.bool)
    for attack in (
        torchattacks.APGD(net, steps=100, loss="ce", **common),
        torchattacks.APGDT(net, steps=100, n_classes=10, **common),
        torchattacks.FAB(net, steps=100, multi_targeted=True, n_classes=10, **common),
        torchattacks.Square(net, n_queries=5000, resc_schedule=False, **common),
    ):
        rows = robust.nonzero().squeeze(1)
        attacked = attack(images[rows], labels[rows])
        inside = distance(attacked - images[rows], "linf") <= tolerance(radius)
        robust[rows[inside & (net(attacked).argmax(1) != labels[rows])]] = False
    share = float(robust.float().mean())
    assert 0.2 < share < 0.8, "neither broken by anything nor far from breaking"
    assert int((robust ^ ours[0]).sum()) <= 1


def test_no_image_is_robust_that_a_stored_one_breaks(digits, near, ours, tmp_path):
    net, (images, labels, radius, found) = digits[0], near
    np.savez(tmp_path / "found.npz", attacked=found.numpy(), label=labels.numpy())
    stored = Stored(radius=f"linf:{radius}", path=tmp_path / "found.npz")
    rows, _ = measure(net, stored, "stored", images, labels, torch.arange(len(images)), 0)
    known = torch.from_numpy(~rows.correct)
    assert 3 <= int(known.sum()) < len(images)
    # FAB looks for the least distance, so some of these lie on the very boundary of the ball.
    least = distance(found - images, "linf")
    assert not (ours[0] & known & (least < 0.99 * radius)).any()
    assert int((ours[0] & known).sum()) <= 1
