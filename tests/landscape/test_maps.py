"""Maps: the plane of most variance, attacked images in the clean ones' map, the same seed the same map."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from weakspot.landscape.maps import draw_maps


def drawn(n: int, dimensions: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.standard_normal((n, dimensions)) * np.arange(dimensions, 0, -1)).astype(np.float32)


@pytest.mark.parametrize("n, dimensions", [(40, 7), (8, 12)])
def test_the_plane_of_most_variance(n, dimensions):
    """Against the eigenvectors of the covariance matrix, up to sign."""
    clean, attacked = drawn(n, dimensions), drawn(n, dimensions, 1)
    pca = draw_maps(clean, attacked, 0)[0]
    values, vectors = np.linalg.eigh(np.cov(clean.T.astype(float)))
    plane = vectors[:, [-1, -2]]
    for found, given in ((pca.clean, clean), (pca.attacked, attacked)):
        expected = (given - clean.mean(axis=0)) @ plane
        np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-3)
    np.testing.assert_allclose(pca.explained, values[[-1, -2]] / values.sum(), rtol=1e-5)
    alone = draw_maps(clean, None, 0)[0]
    np.testing.assert_array_equal(alone.clean, pca.clean)
    assert alone.attacked is None


def test_attacked_images_are_placed_in_the_clean_map():
    read = load_digits()
    images, label = (read.data / 16).astype(np.float32)[:150], read.target[:150]
    noise = 0.05 * np.random.default_rng(0).standard_normal(images.shape).astype(np.float32)
    pca, tsne = draw_maps(images, images + noise, 0)
    width = np.linalg.norm(tsne.clean.max(axis=0) - tsne.clean.min(axis=0))
    assert np.median(np.linalg.norm(tsne.clean - tsne.attacked, axis=1)) < 0.03 * width
    assert KNeighborsClassifier(5).fit(tsne.clean, label).score(tsne.attacked, label) > 0.9
    assert tsne.explained is None
    assert "are not distances" in tsne.says
    assert pca.says != tsne.says
    again = draw_maps(images, images + noise, 0)[1]
    np.testing.assert_array_equal(again.clean, tsne.clean)
    np.testing.assert_array_equal(again.attacked, tsne.attacked)


def test_attacked_images_move_nothing():
    clean, attacked = drawn(30, 5), drawn(30, 5, 1)
    changed = attacked.copy()
    changed[7:] *= -3
    one, other, alone = (draw_maps(clean, each, 0)[1] for each in (attacked, changed, None))
    np.testing.assert_array_equal(one.clean, other.clean)
    np.testing.assert_allclose(one.attacked[:7], other.attacked[:7])
    span = np.ptp(alone.clean, axis=0)  # the origin may differ, the map may not
    np.testing.assert_allclose(np.ptp(one.clean, axis=0), span)


@pytest.mark.parametrize("n, dimensions, maps", [(1, 3, 1), (2, 3, 1), (9, 1, 1), (10, 1, 2), (12, 100, 2)])
def test_few_images_and_dimensions(n, dimensions, maps):
    clean = drawn(n, dimensions)
    found = draw_maps(clean, clean + 1, 0)
    assert [each.method for each in found] == ["pca", "tsne"][:maps]
    for each in found:
        assert each.clean.shape == each.attacked.shape == (n, 2)
        assert np.isfinite([each.clean, each.attacked]).all()
    if dimensions == 1:
        assert (found[0].clean[:, 1] == 0).all()
        assert found[0].explained == pytest.approx((1, 0))
    if n == 1:
        assert found[0].explained is None


def test_features_that_do_not_vary():
    (pca,) = draw_maps(np.full((20, 4), 1 / 3, np.float32), np.ones((20, 4), np.float32), 0)
    assert (pca.clean == 0).all()
    assert (pca.attacked == 0).all()
    assert pca.explained is None


def test_images_that_are_equal():
    """Thirty copies of each of two images: t-SNE has no distances within them to go by."""
    clean = np.repeat(drawn(2, 5), 30, axis=0)
    for each in draw_maps(clean, clean[::-1], 0):
        assert np.isfinite([each.clean, each.attacked]).all()
