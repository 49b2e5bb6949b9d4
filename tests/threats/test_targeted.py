"""The targeted attack: the closed form on linear models, what its rows say, and no weaker than an independent one."""

import numpy as np
import pytest
import torch
import torchattacks
from scipy.optimize import linprog

from weakspot.errors import InputError
from weakspot.maths.balls import distance
from weakspot.maths.losses import margin
from weakspot.threats import parse_threat, threat_address
from weakspot.threats.measure import measure, tolerance
from weakspot.threats.targeted import Targeted


def test_address_reads_back():
    threat = parse_threat("targeted(target=3,steps=7)@linf:0.1")
    assert threat == Targeted(radius="linf:0.1", target=3, steps=7)
    assert parse_threat(threat_address(threat)) == threat
    with pytest.raises(InputError, match="target is needed"):
        parse_threat("targeted@linf:0.1")


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_reaches_the_target_exactly_where_a_linear_model_allows_it(norm):
    """With three classes in two directions, class 2 can be reached iff a small linear program says so."""
    draw = torch.Generator().manual_seed(2)
    weight = torch.randn(3, 16, generator=draw, dtype=torch.float64)
    images = 0.3 + 0.4 * torch.rand(60, 1, 4, 4, generator=draw, dtype=torch.float64)
    labels = ((images - 0.5).flatten(1) @ weight.T).argmax(1)
    radius = {"linf": 0.1, "l2": 0.3}[norm]  # [0, 1] never binds

    def model(x):
        return (x - 0.5).flatten(1) @ weight.T

    found = Targeted(radius=f"{norm}:{radius}", target=2, steps=60)(model, images, labels, torch.arange(60), 0)
    hit = (model(found).argmax(1) == 2) & (labels != 2)
    assert (distance(found - images, norm) <= radius * (1 + 1e-9)).all()
    if norm == "linf":
        for i in range(60):
            if labels[i] == 2:
                continue
            # Maximise t with z_2 - z_0 >= t and z_2 - z_1 >= t over the cube: unknowns are delta and t.
            rows = torch.stack([weight[0] - weight[2], weight[1] - weight[2]]).numpy()
            limit = np.c_[rows, np.ones(2)]
            room = -(rows @ (images[i] - 0.5).flatten().numpy())
            best = linprog(
                np.r_[np.zeros(16), -1], A_ub=limit, b_ub=room, bounds=[(-radius, radius)] * 16 + [(None, None)]
            )
            if abs(best.fun) > 0.05:  # nearer to the boundary than that, 60 steps need not get
                assert bool(hit[i]) == (-best.fun > 0)
    else:  # a necessary condition: each of the two boundaries alone lies within the radius
        logits = model(images)
        for rival in (0, 1):
            gap = logits[:, rival] - logits[:, 2] - radius * (weight[2] - weight[rival]).norm()
            assert not hit[gap > 0].any()
    assert 5 < hit.sum() < 55


def test_rows_say_what_happened(digits):
    net, images, labels = digits
    labels = labels.clone()
    labels[0] = (labels[0] + 1) % 10  # wrong when clean
    sample = torch.arange(len(images))
    threat = Targeted(radius="linf:0.15", target=8, steps=20)
    rows, attacked = measure(net, threat, "t", images, labels, sample, 0)
    assert (rows.target == 8).all()
    success = (rows.prediction == 8) & (rows.label != 8) & (rows.found_by != "clean")
    assert 10 < success.sum() < len(images) - 10
    assert not rows.correct[success].any()
    own = labels == 8
    assert torch.equal(attacked[own], images[own])
    assert rows.found_by[0] == "clean"
    assert (net(attacked).argmax(1).numpy() == rows.prediction).all()
    assert ((rows.prediction != 8) & ~rows.correct & (rows.found_by == "targeted")).any()  # a third class on the way
    assert (distance(attacked - images, "linf") <= tolerance(0.15)).all()
    assert (margin(net(attacked), labels) <= margin(net(images), labels)).all()


@pytest.mark.parametrize(("norm", "theirs", "radius"), [("linf", "Linf", 0.15), ("l2", "L2", 0.8)])
def test_hits_no_fewer_than_torchattacks(digits, norm, theirs, radius):
    net, images, labels = digits
    target, sample = torch.full_like(labels, 3), torch.arange(len(images))
    ours = Targeted(radius=f"{norm}:{radius}", target=3, steps=40)(net, images, labels, sample, 0)
    if norm == "linf":
        reference = torchattacks.PGD(net, eps=radius, alpha=radius / 10, steps=80, random_start=False)
    else:
        reference = torchattacks.PGDL2(net, eps=radius, alpha=radius / 10, steps=80, random_start=False)
    reference.set_model_training_mode(False, False, False)
    reference.set_mode_targeted_by_label(quiet=True)
    found = reference(images, target)
    others = labels != 3
    hits = [(net(x).argmax(1) == 3)[others].sum() for x in (ours, found)]
    assert 0 < hits[1] < others.sum()
    assert hits[0] >= hits[1]


def test_same_seed_same_bytes_and_batches_change_nothing(digits):
    net, images, labels = digits
    net, images = (lambda x, net=net: net(x.float()).double()), images.double()
    sample, threat = torch.arange(len(images)), Targeted(radius="linf:0.1", target=1, steps=10)
    whole = threat(net, images, labels, sample, 7)
    assert torch.equal(whole, threat(net, images, labels, sample, 7))
    parts = torch.cat([threat(net, images[part], labels[part], sample[part], 7) for part in sample.flip(0).split(20)])
    assert ((net(parts).argmax(1) == 1).flip(0) == (net(whole).argmax(1) == 1)).all()


@pytest.mark.parametrize("classes", [2, 3, 1000])
def test_any_number_of_classes(classes):
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(27, classes, generator=draw, dtype=torch.float64)
    images = torch.rand(8, 3, 3, 3, generator=draw, dtype=torch.float64)
    labels = (images.flatten(1) @ weight).argmax(1)
    threat = Targeted(radius="l2:0.5", target=1, steps=5)
    attacked = threat(lambda x: x.flatten(1) @ weight, images, labels, torch.arange(8), 0)
    assert (margin(attacked.flatten(1) @ weight, labels) <= margin(images.flatten(1) @ weight, labels)).all()


def test_a_class_that_does_not_exist_is_refused(digits):
    net, images, labels = digits
    threat = Targeted(radius="linf:0.1", target=10)
    with pytest.raises(InputError, match="classes 0 to 9, got target=10"):
        measure(net, threat, "t", images, labels, torch.arange(len(images)), 0)
