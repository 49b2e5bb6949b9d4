"""One attack at rising radii: exact on linear models, and the curve read off its rows."""

import numpy as np
import pytest
import torch

from weakspot.analysis.curves import accuracy_curves, least_distances
from weakspot.maths.balls import distance
from weakspot.maths.losses import margin
from weakspot.threats import parse_threat, threat_address
from weakspot.threats.apgd_mifpe import ApgdMifpe
from weakspot.threats.curve import ATTACKS, AttackName, Curve
from weakspot.threats.measure import measure, tolerance
from weakspot.threats.standard import Standard


def test_address_reads_back():
    threat = parse_threat("curve(attack=pgd,points=4)@linf:8/255")
    assert threat == Curve(radius="linf:8/255", attack="pgd", points=4)
    assert threat_address(threat) == "curve(attack=pgd,points=4)@linf:8/255"
    assert [part.name for part in threat.parts()] == [f"pgd@linf:{k}/255" for k in (2, 4, 6, 8)]
    assert set(ATTACKS) == set(AttackName.__args__)


@pytest.mark.parametrize(("attack", "norm"), [("pgd", "linf"), ("apgd-mifpe", "linf"), ("apgd-mifpe", "l2")])
def test_each_sample_falls_at_the_first_radius_that_can_break_it(attack, norm):
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(2, 48, generator=draw, dtype=torch.float64)
    images = 0.3 + 0.4 * torch.rand(60, 3, 4, 4, generator=draw, dtype=torch.float64)  # the box never binds
    gap = weight[0] - weight[1]

    def model(x):
        return (x - 0.5).flatten(1) @ weight.T

    labels = model(images).argmax(1)
    largest, dual = (0.024, gap.abs().sum()) if norm == "linf" else (0.16, gap.norm())
    threat = Curve(radius=f"{norm}:{largest}", attack=attack, points=6)
    rows, attacked = measure(model, threat, threat_address(threat), images, labels, torch.arange(60), 0)
    exact = (margin(model(images), labels) / dual).numpy()
    grid = largest * np.arange(1, 7) / 6
    sure = (
        np.abs(exact[:, None] - grid).min(1) > 0.01 * largest
    )  # steps of a fixed size need not reach the last hundredth
    first = np.searchsorted(grid, exact)
    expected = ["" if k == 6 else f"{attack}@{part}" for k, part in ((k, _radius(threat, k)) for k in first)]
    assert [f for f, s in zip(rows.found_by, sure, strict=True) if s] == [
        e for e, s in zip(expected, sure, strict=True) if s
    ]
    assert 10 < (first < 6).sum() < 55
    assert len(set(first)) > 4
    curves = accuracy_curves(rows, [threat_address(threat)], norm, 2, radii=[0.0, *map(float, grid)])
    truth = [(exact[sure] > radius).sum() for radius in grid]
    assert np.abs(curves.overall[1:] * 60 - truth).max() <= (~sure).sum()
    assert (distance(attacked - images, norm) <= tolerance(largest)).all()


def _radius(threat, k):
    return threat.parts()[min(k, 5)].radius


def test_no_weaker_at_any_radius_than_a_run_there(digits):
    net, images, labels = digits
    sample, threat = torch.arange(len(images)), Curve(radius="linf:0.15", points=3)
    rows, _ = measure(net, threat, "curve@linf:0.15", images, labels, sample, 0)
    least = least_distances(rows, ["curve@linf:0.15"], "linf").distance
    for radius in (0.05, 0.1, 0.15):
        found = ApgdMifpe(radius=f"linf:{radius}")(net, images, labels, sample, 0)
        alone = (margin(net(found), labels) < 0).numpy()
        assert alone.any()
        assert (least[alone] <= tolerance(radius)).all()
    assert np.isfinite(least).sum() < len(least)
    # Those that stand were attacked at every radius, those that fell early were not.
    assert rows.forwards[rows.correct].min() > rows.forwards[least < 0.06].max()


def test_the_staged_search_at_two_radii():
    names = [part.name for part in Curve(radius="linf:8/255", attack="standard", points=2).parts()]
    alone = [part.name for part in Standard(radius="linf:8/255").parts()]
    assert names == [f"{name}@linf:{k}/255" for k in (4, 8) for name in alone]
