"""Purity against scikit-learn and plain loops; ties, few images, chance."""

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from weakspot.analysis.neighbours import chance, class_means, purity


def drawn(seed: int = 0, n: int = 301, dimensions: int = 6) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    label = random.integers(0, 4, n)
    return (random.standard_normal((n, dimensions)) + 0.7 * label[:, None]).astype(np.float32), label


@pytest.mark.parametrize("neighbours", [1, 7])
def test_purity_of_clean_images_against_scikit_learn(neighbours):
    features, label = drawn()
    _, near = NearestNeighbors(n_neighbors=neighbours).fit(features).kneighbors()
    np.testing.assert_allclose(
        purity(features, features, label, neighbours), (label[near] == label[:, None]).mean(axis=1)
    )


def test_purity_of_attacked_images_leaves_out_the_image_itself():
    features, label = drawn()
    attacked = features + 0.5 * np.random.default_rng(1).standard_normal(features.shape).astype(np.float32)
    found = purity(attacked, features, label, 5)
    for i in range(0, 301, 7):
        rest = np.delete(np.arange(301), i)
        votes = KNeighborsClassifier(5).fit(features[rest], label[rest]).predict_proba(attacked[i : i + 1])[0]
        assert found[i] == pytest.approx(votes[label[i]])


def test_ties_count_alike():
    """On a line: distances 1, 1, 1 to one image of the same label and two others, for one place that is left."""
    features, label = np.array([[0.0], [0.5], [1.0], [-1.0], [1.0]]), np.array([0, 0, 0, 1, 1])
    assert purity(features, features, label, 2)[0] == pytest.approx((1 + 1 / 3) / 2)
    flat = purity(np.zeros((9, 3)), np.zeros((9, 3)), np.array([0] * 6 + [1] * 3), 4)
    np.testing.assert_allclose(flat, [5 / 8] * 6 + [2 / 8] * 3)
    same = np.tile(np.random.default_rng(0).standard_normal((1, 33)), (9, 1))  # products that differ by rounding
    np.testing.assert_allclose(purity(same, same, np.array([0] * 6 + [1] * 3), 4), flat)


def test_order_and_scale_do_not_matter():
    features, label = drawn()
    order = np.random.default_rng(2).permutation(301)
    found = purity(features, features, label)
    np.testing.assert_array_equal(purity(features[order], features[order], label[order]), found[order])
    np.testing.assert_allclose(purity(1e-3 * features, 1e-3 * features, label), found)


def test_few_images():
    features, label = drawn(n=4)
    every = [np.mean(np.delete(label, i) == label[i]) for i in range(4)]
    np.testing.assert_allclose(purity(features, features, label, 10), every)
    assert np.isnan(purity(features[:1], features[:1], label[:1])).all()
    assert len(purity(features[:0], features[:0], label[:0])) == 0


def test_chance():
    np.testing.assert_array_equal(chance(np.array([3, 1, 0])), [2 / 3, 0, np.nan])
    assert np.isnan(chance(np.array([1, 0]))).all()
    random = np.random.default_rng(0)
    label = random.permutation(np.repeat([0, 1], [40, 20]))
    found = purity(*[random.standard_normal((60, 2))] * 2, label, 5)
    dealt = [class_means(purity(*[random.standard_normal((60, 2))] * 2, label, 5), label, 2).value for _ in range(100)]
    np.testing.assert_allclose(np.mean(dealt, axis=0), chance(np.array([40, 20])), atol=0.02)
    assert found.shape == (60,)


def test_class_means_against_scipy():
    random = np.random.default_rng(0)
    values, label = random.random(40), np.repeat([0, 1, 3, 4], [20, 17, 1, 2])
    values[-2:] = 1.0
    found = class_means(values, label, 5)
    for c in (0, 1):
        mine = values[label == c]
        low, high = student(len(mine) - 1, mine.mean(), mine.std(ddof=1) / np.sqrt(len(mine))).interval(0.95)
        assert (found.value[c], found.low[c], found.high[c]) == pytest.approx((mine.mean(), low, high))
    assert np.isnan([found.value[2], found.low[2], found.high[2]]).all()
    assert np.isnan([found.low[3], found.high[3]]).all()
    assert found.value[4] == found.high[4] == 1
    assert found.low[4] == pytest.approx(max(0, 1 - student(1).ppf(0.975) / 4))
