"""Accuracy against radius, read off rows: against plain loops and what must hold for any rows."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.addresses import Radius
from weakspot.analysis.curves import accuracy_curves, least_distances, radii_up_to, within
from weakspot.analysis.intervals import wilson
from weakspot.analysis.rates import by_class
from weakspot.outcomes import Outcomes

SMALL, LARGE, ROUND = "pgd@linf:0.1", "pgd(steps=50)@linf:0.2", "pgd@l2:1"


def rows_of(threat, sample, label, distance, **columns):
    """Rows of a threat: broken where a distance (linf) is given, robust where it is inf."""
    distance = np.asarray(distance, float)
    correct = np.isinf(distance)
    label = np.asarray(label)
    return Outcomes.build(
        sample=sample, label=label, threat=threat, correct=correct, prediction=np.where(correct, label, label + 1),
        distance_linf=np.where(correct, 0.05, distance), distance_l2=np.where(correct, 0.3, 4 * distance), **columns,
    )  # fmt: skip


@pytest.fixture
def rows():
    """Five samples of the classes 0 and 1 (2 has none): wrong when clean, broken early, broken late, twice, never."""
    sample, label, inf = np.arange(5), [0, 0, 0, 1, 1], np.inf
    return Outcomes.join(
        [
            rows_of("clean", sample, label, [0, inf, inf, inf, inf]),
            rows_of(SMALL, sample, label, [0, 0.08, inf, 0.1, inf]),
            rows_of(LARGE, sample, label, [0, 0.19, 0.2, inf, inf]),
            rows_of(ROUND, sample, label, [0, inf, 0.15, inf, inf]),
        ]
    )


def test_least_distances(rows):
    least = least_distances(rows, ["clean", SMALL, LARGE], "linf")
    np.testing.assert_array_equal(least.sample, np.arange(5))
    np.testing.assert_array_equal(least.label, [0, 0, 0, 1, 1])
    np.testing.assert_allclose(least.distance, [0, 0.08, 0.2, 0.1, np.inf], rtol=1e-6)
    # An l2 attack's image counts on the linf curve, and the other way round.
    assert least_distances(rows, [SMALL, ROUND], "linf").distance[2] == pytest.approx(0.15)
    assert least_distances(rows, [SMALL], "l2").distance[1] == pytest.approx(0.32)
    with pytest.raises(ValueError, match="linf and l2, got l1"):
        least_distances(rows, [SMALL], "l1")


def test_curves_by_hand(rows):
    curves = accuracy_curves(rows, ["clean", SMALL, LARGE], "linf", 3)
    np.testing.assert_allclose(curves.radius, [0, 0.1, 0.2])
    np.testing.assert_array_equal(curves.samples, [3, 2, 0])
    np.testing.assert_allclose(curves.accuracy, [[2 / 3, 1, np.nan], [1 / 3, 0.5, np.nan], [0, 0.5, np.nan]])
    np.testing.assert_allclose(curves.overall, [0.8, 0.4, 0.2])
    np.testing.assert_allclose(curves.area, [(0.5 * 2 / 3 + 1 / 3) / 2, (0.75 + 0.5) / 2, np.nan])
    limits = wilson(1, 3)
    assert (curves.low[1, 0], curves.high[1, 0]) == (limits.low, limits.high)
    finer = accuracy_curves(rows, ["clean", SMALL, LARGE], "linf", 3, radii=[0.0, 0.05, 0.09, 0.2])
    np.testing.assert_allclose(finer.overall, [0.8, 0.8, 0.6, 0.2])
    with pytest.raises(ValueError, match=r"beyond linf:0\.2, got the radius 0\.3"):
        accuracy_curves(rows, ["clean", SMALL, LARGE], "linf", 3, radii=[0.3])
    with pytest.raises(ValueError, match=r"beyond l2:0, got"):
        accuracy_curves(rows, [SMALL], "l2", 3, radii=[0.3])


samples = st.lists(
    st.tuples(st.integers(0, 3), *[st.sampled_from([np.inf, 0.0, 0.02, 0.05, 0.1])] * 2), min_size=1, max_size=30
)


@given(samples=samples, order=st.randoms(use_true_random=False))
def test_curves_against_a_plain_loop(samples, order):
    label = [y for y, _, _ in samples]
    first, second = ([sample[i] for sample in samples] for i in (1, 2))
    number = np.arange(len(samples)) + 100
    threats = ["pgd@linf:0.05", "fab-t@linf:0.1"]
    first = [d if d <= 0.05 else np.inf for d in first]
    made = Outcomes.join([rows_of(t, number, label, d) for t, d in zip(threats, (first, second), strict=True)])
    shuffled = list(range(len(made)))
    order.shuffle(shuffled)
    curves = accuracy_curves(made.where(np.array(shuffled)), threats, "linf", 4)
    for i, radius in enumerate([0, 0.05, 0.1]):
        for c in range(4):
            mine = [k for k, y in enumerate(label) if y == c]
            standing = [k for k in mine if min(first[k], second[k]) > radius]
            if mine:
                assert curves.accuracy[i, c] == pytest.approx(len(standing) / len(mine))
            else:
                assert np.isnan(curves.accuracy[i, c])
    known = ~np.isnan(curves.accuracy)
    assert (np.diff(np.where(known, curves.accuracy, 0), axis=0) <= 0).all()
    assert ((curves.low <= curves.accuracy) & (curves.accuracy <= curves.high))[known].all()


def test_one_threat_at_its_own_radius_gives_its_rates():
    draw = np.random.default_rng(0)
    label, radius = draw.integers(0, 5, 400), np.float32(8 / 255) * (1 + 1e-7)  # as float32 images measure it
    made = rows_of("pgd@linf:8/255", np.arange(400), label, np.where(draw.random(400) < 0.4, radius, np.inf))
    curves = accuracy_curves(made, ["pgd@linf:8/255"], "linf", 5)
    np.testing.assert_allclose(curves.accuracy[1], by_class(label, made.prediction, 5).accuracy)
    assert (curves.accuracy[0] == 1).all()


def test_radii_are_exact_fractions():
    assert [str(r) for r in radii_up_to(Radius.of("linf:8/255"), 4)] == [f"linf:{k}/255" for k in (2, 4, 6, 8)]
    assert [r.size for r in radii_up_to(Radius.of("l2:1"), 3)] == [Fraction(1, 3), Fraction(2, 3), Fraction(1)]


def test_within_is_the_audits_tolerance():
    from weakspot.threats.measure import tolerance

    for radius in (1e-4, 8 / 255, 0.3, 3.0):
        assert within(np.array([tolerance(radius)]), radius).all()
        assert not within(np.array([tolerance(radius) * (1 + 1e-9)]), radius).any()
