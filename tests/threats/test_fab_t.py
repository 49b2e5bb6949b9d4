"""FAB-T: exact on linear models, as near as an independent FAB on a trained one, and silent outside the radius."""

from math import inf

import pytest
import torch
import torchattacks

from weakspot.maths.balls import distance
from weakspot.maths.hyperplane import to_hyperplane
from weakspot.maths.losses import margin
from weakspot.threats.apgd_t import ranked
from weakspot.threats.fab_t import FabT, fab
from weakspot.threats.search import Search


def linear(seed: int = 0):
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(2, 48, generator=draw, dtype=torch.float64)
    images = torch.rand(20, 3, 4, 4, generator=draw, dtype=torch.float64)

    def model(x):
        return (x - 0.5).flatten(1) @ weight.T

    return model, weight, images, model(images).argmax(1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_finds_the_least_distance_of_a_linear_model(norm):
    model, weight, images, labels = linear()
    search = Search(model, images, labels, torch.arange(20), 0)
    rows = torch.arange(20)
    best, least = fab(search, rows, torch.full((20,), 9.0), norm, 1 - labels, 50)
    towards = (weight[1 - labels] - weight[labels]).view_as(images)
    optimum = distance(to_hyperplane(images, towards, margin(model(images), labels), norm), norm)
    assert (model(best).argmax(1) != labels).all()
    torch.testing.assert_close(distance(best - images, norm), least)
    assert (least >= optimum * (1 - 1e-9)).all()
    # After a success 0.9 of the way is left, and the next step goes 1.05 of the remaining tenth: at best 1.005.
    assert (least <= optimum * 1.01).all()


@pytest.mark.parametrize(("norm", "theirs"), [("linf", "Linf"), ("l2", "L2")])
def test_as_near_as_torchattacks(digits, norm, theirs):
    net, images, labels = digits
    rows = torch.arange(len(images))
    reference = torchattacks.FAB(net, norm=theirs, eps=9.0, steps=100, multi_targeted=True, n_classes=10)
    reference.set_model_training_mode(False, False, False)
    for rank in (0, 3):
        search = Search(net, images, labels, rows, 0)
        targets = ranked(search.clean_logits, labels)[:, rank]
        _, least = fab(search, rows, torch.full((len(rows),), 9.0), norm, targets, 100)
        reference.target_class = rank + 2  # counted from 1, the true class being the first
        found = reference.attack_single_run_targeted(images, labels)
        nearest = distance(found - images, norm)
        nearest[net(found).argmax(1) == labels] = inf
        ratio = least / nearest
        assert torch.isfinite(nearest).all()
        assert ratio.median() == pytest.approx(1, abs=0.002)
        assert ((ratio - 1).abs() < 0.01).float().mean() > 0.9
        assert ratio.max() < 1.05
        # A radius at which half of the images fall: the verdicts agree on all but those within a percent of it.
        assert ((least <= nearest.median()) == (nearest <= nearest.median())).float().mean() > 0.97


@pytest.mark.parametrize(("norm", "theirs", "radius"), [("linf", "Linf", 0.1), ("l2", "L2", 0.5)])
def test_verdicts_of_all_targets_equal_torchattacks(digits, norm, theirs, radius):
    net, images, labels = digits
    ours = FabT(radius=f"{norm}:{radius}", steps=20)(net, images, labels, torch.arange(len(images)), 0)
    reference = torchattacks.FAB(net, norm=theirs, eps=radius, steps=20, multi_targeted=True, n_classes=10)
    reference.set_model_training_mode(False, False, False)
    with torch.random.fork_rng():
        theirs_found = reference.perturb(images, labels)
    broken = net(ours).argmax(1) != labels
    assert 0.2 < broken.float().mean() < 0.8
    assert (broken != (net(theirs_found).argmax(1) != labels)).sum() <= 2


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_nothing_outside_the_radius_is_kept(digits, norm):
    net, images, labels = digits
    radius = {"linf": 0.02, "l2": 0.1}[norm]
    attacked = FabT(radius=f"{norm}:{radius}", steps=10, targets=2)(net, images, labels, torch.arange(len(images)), 0)
    assert (distance(attacked - images, norm) <= radius).all()


def test_each_point_is_evaluated_once(digits):
    net, images, labels = digits
    search = Search(net, images, labels, torch.arange(len(images)), 0)
    fab(search, torch.arange(len(images)), torch.full((len(images),), 0.1), "linf", (labels + 1) % 10, 30)
    assert (search.oracle.forwards == 1 + 31).all()
    assert (search.oracle.backwards == 30).all()
