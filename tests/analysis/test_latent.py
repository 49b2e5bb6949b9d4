"""Class geometry against plain loops and leave-one-out by hand; its intervals by coverage; what must not change it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import t as student

from weakspot.analysis.latent import between, cosines, crossing, geometry, moments, shift
from weakspot.analysis.scatter import scatter

SIZES = (11, 13, 7, 1, 0, 17)


def drawn(
    sizes: tuple[int, ...] = SIZES, dimensions: int = 5, seed: int = 0, apart: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    label = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = apart * random.standard_normal((len(sizes), dimensions)) + 0.5
    return (centres[label] + random.standard_normal((len(label), dimensions))).astype(np.float32), label


def variance(group: list[np.ndarray]) -> float:
    centre = sum(group) / len(group)
    return sum(float(((x - centre) ** 2).sum()) for x in group) / (len(group) - 1)


def squared(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The unbiased squared distance of two means, as an average over pairs of distinct images."""
    dots = lambda g: np.mean([a @ b for i, a in enumerate(g) for j, b in enumerate(g) if i != j])  # noqa: E731
    return float(dots(one) + dots(other) - 2 * np.mean([a @ b for a in one for b in other]))


def groups_of(features: np.ndarray, label: np.ndarray, classes: int) -> list[list[np.ndarray]]:
    return [[x.astype(float) for x, y in zip(features, label, strict=True) if y == c] for c in range(classes)]


def test_distances_against_loops_over_pairs_of_images():
    features, label = drawn()
    groups, found = groups_of(features, label, 6), geometry(features, label, 6)
    known = [0, 1, 2, 5]
    for i in range(6):
        for j in range(6):
            if i not in known or j not in known:
                assert np.isnan(found.distance[i, j])
                assert np.isnan(found.cosine[i, j])
            elif i == j:
                assert found.distance[i, j] == found.cosine[i, j] == 0
            else:
                assert found.distance[i, j] == pytest.approx(np.sqrt(max(0, squared(groups[i], groups[j]))))
    for i in known:
        rest = {j: found.distance[i, j] for j in known if j != i}
        assert found.nearest[i] == min(rest, key=rest.get)
        assert found.nearest_distance.value[i] == min(rest.values())
        assert found.mean_distance.value[i] == pytest.approx(np.mean(list(rest.values())))
        assert found.spread.value[i] == pytest.approx(np.sqrt(variance(groups[i])))
    assert found.nearest[3] == found.nearest[4] == -1
    for figure in (found.spread, found.nearest_distance, found.mean_distance):
        assert np.isnan([figure.value[3:5], figure.low[3:5], figure.high[3:5]]).all()


def test_cosines_against_loops():
    features, label = drawn(apart=3.0)
    groups, found = groups_of(features, label, 6), geometry(features, label, 6)
    length = {c: np.sqrt(squared(groups[c], [np.zeros(5)] * 2)) for c in (0, 1, 2, 5)}
    for i in length:
        for j in length:
            if i != j:
                dot = np.mean([a @ b for a in groups[i] for b in groups[j]])
                assert found.cosine[i, j] == pytest.approx(1 - np.clip(dot / length[i] / length[j], -1, 1))


def test_intervals_against_leaving_out_by_hand():
    features, label = drawn((5, 7, 4))
    groups, found = groups_of(features, label, 3), geometry(features, label, 3)
    assert (np.array(between(*[moments(features, label, 3)] * 2))[np.triu_indices(3, 1)] > 0).all()

    def figures(groups):
        distance = lambda i, j: np.sqrt(max(0, squared(groups[i], groups[j])))  # noqa: E731
        near = found.nearest[0]
        return np.array([variance(groups[0]), squared(groups[0], groups[near]), (distance(0, 1) + distance(0, 2)) / 2])

    value, error = figures(groups), 0
    for c, group in enumerate(groups):
        left = [figures([*groups[:c], group[:k] + group[k + 1 :], *groups[c + 1 :]]) for k in range(len(group))]
        error = error + (len(group) - 1) / len(group) * ((left - np.mean(left, axis=0)) ** 2).sum(axis=0)
    freedom = [4, min(5, (7, 4)[found.nearest[0] - 1]) - 1, 4]
    half = student(freedom).ppf(0.975) * np.sqrt(error)
    low, high = np.sqrt(np.maximum(0, value - half)), np.sqrt(value + half)
    for at, figure in enumerate((found.spread, found.nearest_distance)):
        assert (figure.low[0], figure.high[0]) == pytest.approx((low[at], high[at]))
    limits = max(0, value[2] - half[2]), value[2] + half[2]
    assert (found.mean_distance.low[0], found.mean_distance.high[0]) == pytest.approx(limits)


def test_squared_distances_are_unbiased_and_intervals_cover():
    """20 images in 40 dimensions: the plain distance of two equal means would be 2 on average, their true one is 0."""
    random = np.random.default_rng(1)
    centres = np.zeros((3, 40))
    centres[1, 0], centres[2, 1] = 3.0, 4.0  # the distances are 3, 4 and 5
    label = np.repeat(np.arange(3), 20)
    squares, covered = [], []
    for _ in range(200):
        features = centres[label] + random.standard_normal((60, 40))
        found = geometry(features, label, 3)
        squares.append(between(*[moments(features, label, 3)] * 2)[0, 1:])
        near = found.nearest_distance
        covered.append((near.low[2] <= 4) & (near.high[2] >= 4))
        covered.append((found.mean_distance.low[0] <= 3.5) & (found.mean_distance.high[0] >= 3.5))
        covered.append((found.spread.low[0] <= 40**0.5) & (found.spread.high[0] >= 40**0.5))
    np.testing.assert_allclose(np.mean(squares, axis=0), [9, 16], atol=0.5)
    assert np.mean(covered) > 0.93
    alike = geometry(random.standard_normal((60, 40)), label, 3).distance
    assert alike.max() < 1.5  # where the plain distance of the means is about 2


def test_shift_against_leaving_out_by_hand():
    before, label = drawn((5, 7, 2, 1, 0))
    after = before + np.random.default_rng(3).standard_normal(before.shape) + 1
    found = shift(before, after, label, 5)
    for c, group in enumerate(groups_of(after - before, label, 5)):
        if len(group) < 2:
            assert np.isnan([found.value[c], found.low[c], found.high[c]]).all()
            continue
        pairs = lambda g: np.mean([a @ b for i, a in enumerate(g) for j, b in enumerate(g) if i != j])  # noqa: E731
        assert found.value[c] == pytest.approx(np.sqrt(max(0, pairs(group))), rel=1e-5)
        if len(group) < 3:
            assert np.isnan([found.low[c], found.high[c]]).all()
            continue
        left = np.array([pairs(group[:k] + group[k + 1 :]) for k in range(len(group))])
        half = student(len(group) - 1).ppf(0.975) * np.sqrt(
            (len(group) - 1) / len(group) * ((left - left.mean()) ** 2).sum()
        )
        limits = np.sqrt(np.maximum(0, [pairs(group) - half, pairs(group) + half]))
        assert (found.low[c], found.high[c]) == pytest.approx(tuple(limits), rel=1e-4)
    np.testing.assert_array_equal(shift(before, before, label, 5).value, [0, 0, 0, np.nan, np.nan])


def test_attacked_means_to_clean_ones_against_loops():
    """On the diagonal over pairs of different images, so that what an image shares with itself does not count."""
    before, label = drawn((5, 7, 4, 1), apart=3.0)
    after = (before + np.random.default_rng(3).standard_normal(before.shape) + 1).astype(np.float32)
    one, other = moments(before, label, 4), moments(after, label, 4)
    euclidean, cosine = crossing(one, other, shift(before, after, label, 4).value)
    clean, attacked = groups_of(before, label, 4), groups_of(after, label, 4)
    length = lambda g: np.sqrt(squared(g, [np.zeros(5)] * 2))  # noqa: E731
    for i in range(3):
        for j in range(3):
            pairs = [(a, b) for p, a in enumerate(attacked[i]) for q, b in enumerate(clean[j]) if i != j or p != q]
            dot = np.mean([a @ b for a, b in pairs])
            far = length(attacked[i]) ** 2 + length(clean[j]) ** 2 - 2 * dot
            assert euclidean[i, j] == pytest.approx(np.sqrt(far), rel=1e-4)
            assert cosine[i, j] == pytest.approx(1 - dot / length(attacked[i]) / length(clean[j]), rel=1e-4)
    assert np.isnan([euclidean[3], cosine[3], euclidean[:, 3], cosine[:, 3]]).all()


def test_scatter_against_loops_and_leaving_out():
    features, label = drawn((5, 7, 4, 1, 0))
    found = scatter(features, label, 5)

    def traces(features, label):
        groups = [g for g in groups_of(features, label, 5) if g]
        centre = sum(x.astype(float) for x in features) / len(features)
        across = sum(len(g) * ((sum(g) / len(g) - centre) ** 2).sum() for g in groups)
        return across, sum(((x - sum(g) / len(g)) ** 2).sum() for g in groups for x in g)

    across, inside = traces(features, label)
    assert (found.between, found.within, found.ratio) == pytest.approx((across, inside, across / inside))
    left = [np.divide(*traces(np.delete(features, k, axis=0), np.delete(label, k))) for k in range(17)]
    half = 1.959964 * np.sqrt(16 / 17 * ((left - np.mean(left)) ** 2).sum())
    assert (found.low, found.high) == pytest.approx((across / inside - half, across / inside + half))
    assert found.chance == 3 / 13
    random = np.random.default_rng(0)
    noise = [scatter(random.standard_normal((17, 3)), label, 5).ratio for _ in range(300)]
    assert np.mean(noise) == pytest.approx(found.chance, rel=0.1)


def test_rotation_scale_and_origin():
    features, label = drawn(dimensions=3)
    turn = Rotation.from_euler("xyz", [0.3, 1.1, -0.7]).as_matrix()
    one, turned = geometry(features, label, 6), geometry(7 * features @ turn, label, 6)
    np.testing.assert_allclose(turned.distance, 7 * one.distance, rtol=1e-5)
    np.testing.assert_allclose(turned.cosine, one.cosine, atol=1e-6)
    np.testing.assert_array_equal(turned.nearest, one.nearest)
    moved = geometry(features + np.float32([1, -2, 3]), label, 6)
    np.testing.assert_allclose(moved.distance, one.distance, rtol=1e-4)
    np.testing.assert_allclose(moved.mean_distance.low, one.mean_distance.low, rtol=1e-4)
    plain, changed = scatter(features, label, 6), scatter(7 * features @ turn + 3, label, 6)
    assert (changed.ratio, changed.low, changed.high) == pytest.approx((plain.ratio, plain.low, plain.high), rel=1e-5)


def test_permuting_class_names_permutes_everything():
    features, label = drawn()
    order = np.array([3, 0, 5, 1, 4, 2])  # class c is now called order[c]
    one, other = geometry(features, label, 6), geometry(features, order[label], 6)
    np.testing.assert_allclose(other.distance[np.ix_(order, order)], one.distance)
    for figure in ("spread", "nearest_distance", "mean_distance"):
        for limit in ("value", "low", "high"):
            np.testing.assert_allclose(
                getattr(getattr(other, figure), limit)[order], getattr(getattr(one, figure), limit)
            )
    known = one.nearest >= 0
    np.testing.assert_array_equal(other.nearest[order][known], order[one.nearest[known]])


@pytest.mark.parametrize("sizes", [(3,), (0, 0), (1,), (1, 1), (2, 2), (4, 0), (4, 1)])
@pytest.mark.parametrize("dimensions", [1, 3])
def test_few_samples(sizes, dimensions):
    features, label = drawn(sizes, dimensions)
    found = geometry(features, label, len(sizes))
    assert (found.nearest >= 0).all() == (sizes == (2, 2))
    assert np.isnan(found.nearest_distance.low).all()
    assert np.isnan(found.mean_distance.low).all()
    np.testing.assert_array_equal(np.isnan(found.spread.value), np.array(sizes) < 2)
    np.testing.assert_array_equal(np.isnan(found.spread.low), np.array(sizes) < 3)
    ratio = scatter(features, label, len(sizes))
    assert np.isnan(ratio.ratio) == (max(sizes) < 2)
    assert np.isnan(ratio.low) == np.isnan(ratio.high)


def test_features_that_are_all_equal():
    label = np.repeat([0, 1], 5)
    found = geometry(np.ones((10, 4), np.float32), label, 2)
    np.testing.assert_array_equal(found.distance, np.zeros((2, 2)))
    np.testing.assert_array_equal(found.spread.value, [0, 0])
    np.testing.assert_allclose(found.cosine, np.zeros((2, 2)), atol=1e-12)
    assert np.isnan(geometry(np.zeros((10, 4), np.float32), label, 2).cosine[0, 1])
    assert np.isnan(scatter(np.ones((10, 4), np.float32), label, 2).ratio)


def test_a_thousand_classes():
    features, label = drawn((4,) * 999 + (1,), dimensions=16, apart=4.0)
    found = geometry(features, label, 1000)
    one = moments(features, label, 1000)
    assert found.distance.shape == (1000, 1000)
    assert (found.nearest[:999] >= 0).all()
    assert found.nearest[999] == -1
    assert found.distance[:999, :999].mean() == pytest.approx(4 * np.sqrt(32), rel=0.05)
    np.testing.assert_allclose(
        cosines(one, one)[:5, :5][np.triu_indices(5, 1)], found.cosine[:5, :5][np.triu_indices(5, 1)]
    )
