"""Directed pairs on models whose reachable classes are known exactly."""

import numpy as np
import pytest
import torch

from weakspot.analysis.pairs import pair_success
from weakspot.maths.balls import distance
from weakspot.outcomes import Outcomes
from weakspot.rng import uniform
from weakspot.threats import parse_threat
from weakspot.threats.measure import measure, tolerance


class Line(torch.nn.Module):
    """Classes lie along the mean brightness: class k's logit is -(brightness - k / (K - 1))^2, so neighbours touch."""

    def __init__(self, classes: int):
        super().__init__()
        self.centres = torch.linspace(0, 1, classes)

    def forward(self, images):
        return -((images.flatten(1).mean(1)[:, None] - self.centres.to(images)) ** 2) * 10


def block(classes: int = 5, samples: int = 40):
    sample = torch.arange(samples)
    images = uniform((1, 1, 1), sample, 0, "brightness").expand(-1, 1, 4, 4).contiguous()
    model = Line(classes)
    labels = model(images).argmax(1)
    labels[0] = (labels[0] + 1) % classes
    return model, images, labels, sample


def attack(address: str, classes: int = 5):
    model, images, labels, sample = block(classes)
    rows, attacked = measure(model, parse_threat(address), address, images, labels, sample, 0)
    return model, images, labels, rows, attacked


def test_pairs_are_exactly_the_reachable_ones():
    radius, classes = 0.3, 5
    model, images, labels, rows, attacked = attack(f"pairs@linf:{radius}", classes)
    assert len(rows) == 40 * 4
    edges = (torch.arange(classes - 1) + 0.5) / (classes - 1)
    for i in range(len(rows)):
        brightness, target = float(images[rows.sample[i]].mean()), int(rows.target[i])
        low = edges[target - 1] if target else torch.tensor(-1.0)
        high = edges[target] if target < classes - 1 else torch.tensor(2.0)
        reachable = brightness + radius > low + 1e-3 and brightness - radius < high - 1e-3
        out_of_reach = brightness + radius < low - 1e-3 or brightness - radius > high + 1e-3
        if rows.sample[i] == 0:
            assert rows.found_by[i] == "clean"
        elif reachable:
            assert rows.prediction[i] == target
        elif out_of_reach:
            assert rows.prediction[i] != target
    assert (distance(attacked - images[torch.from_numpy(rows.sample)], "linf") <= tolerance(radius)).all()
    clean, _ = measure(model, parse_threat("clean"), "clean", images, labels, torch.arange(40), 0)
    table = pair_success(clean, rows, classes)
    assert np.nanmax(table.success) == 1
    assert table.samples[labels[0], (labels[0] + 1) % classes] == int((labels == labels[0]).sum())


def test_bisections_find_the_distance_to_the_target_class():
    classes, radius = 3, 0.4
    _, images, labels, rows, _ = attack(f"pairs(bisections=8)@linf:{radius}", classes)
    compared = 0
    for i in range(len(rows)):
        brightness, target, label = float(images[rows.sample[i]].mean()), int(rows.target[i]), int(rows.label[i])
        edge = (target + 0.5) / 2 if target < label else (target - 0.5) / 2
        needed = abs(edge - brightness)
        if rows.sample[i] and 0.01 < needed < radius - 0.01:
            assert rows.prediction[i] == target
            assert rows.distance_linf[i] == pytest.approx(needed, abs=radius / 2**7)
            compared += 1
    assert compared > 10


def test_the_shortlist_takes_the_likeliest_targets():
    model, images, _, rows, _ = attack("pairs(likeliest=2)@linf:0.1", 30)
    assert len(rows) == 40 * 2
    logits = model(images)
    for i in range(len(rows)):
        order = [c for c in logits[rows.sample[i]].argsort(descending=True).tolist() if c != rows.label[i]]
        assert rows.target[i] in order[:2]


def test_costs_are_counted_once_per_sample():
    model, images, labels, sample = block()
    rows, _ = measure(model, parse_threat("pairs@linf:0.05"), "pairs@linf:0.05", images, labels, sample, 0)
    first = np.unique(rows.sample, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(rows)), first)
    assert (rows.forwards[first] > 0).all()
    assert (rows.forwards[others] == 0).all()


def test_same_seed_same_rows_and_two_classes():
    first = attack("pairs@l2:0.5", 2)[3]
    again = attack("pairs@l2:0.5", 2)[3]
    assert isinstance(first, Outcomes)
    assert first.digest() == again.digest()
    assert len(first) == 40
