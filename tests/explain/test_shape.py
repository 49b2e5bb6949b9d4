"""Profiles of surfaces: known curves, missing points, class means."""

import numpy as np
import pytest

from weakspot.analysis.shape import SHOWN, along, at, class_means, curvature, rise, spread

STEPS = np.linspace(-2, 2, 41)


def test_rise_and_curvature_of_parabolas():
    bend, slope = np.array([0.0, 1.5, -2.0]), np.array([3.0, 0.0, 1.0])
    lines = bend[:, None] * STEPS**2 + slope[:, None] * STEPS + 7
    np.testing.assert_allclose(curvature(lines, STEPS), 2 * bend, atol=1e-12)
    np.testing.assert_allclose(rise(lines, STEPS), bend + slope, atol=1e-12)
    np.testing.assert_allclose(at(lines, STEPS, 0.05), (lines[:, 20] + lines[:, 21]) / 2)
    np.testing.assert_allclose(at(lines, STEPS, 9.0), lines[:, -1])
    few = np.linspace(-2, 2, 7)  # without the points -1 and 1
    np.testing.assert_allclose(rise(slope[:, None] * few, few), slope, atol=1e-12)


def test_profiles_run_through_the_image():
    grids = np.arange(2 * 5 * 3).reshape(2, 5, 3).astype(float)
    first, second = along(grids, np.linspace(-2, 2, 5), np.linspace(-1, 1, 3))
    np.testing.assert_array_equal(first, grids[:, :, 1])
    np.testing.assert_array_equal(second, grids[:, 2, :])


def test_spread_leaves_missing_points_out():
    values = np.random.default_rng(0).normal(size=(9, 4, 4))
    values[2, 1, 1] = np.nan
    values[:, 3, 3] = np.nan
    found = spread(values)
    assert found.samples == 9
    assert found.mean[1, 1] == pytest.approx(np.delete(values[:, 1, 1], 2).mean())
    assert np.isnan(found.mean[3, 3])
    assert np.isnan(found.quantiles[:, 3, 3]).all()
    np.testing.assert_allclose(found.quantiles[:, 0, 0], np.quantile(values[:, 0, 0], SHOWN))
    empty = spread(values[:0])
    assert empty.samples == 0
    assert np.isnan(empty.mean).all()
    assert empty.quantiles.shape == (3, 4, 4)


def test_class_means():
    values, label = np.array([1.0, 3, 1, 3, 1, 3, 5, np.nan]), np.array([0, 0, 0, 0, 0, 0, 2, 2])
    found = class_means(values, label, 3, seed=0)
    assert found[0, 0] == 2
    assert 1 <= found[0, 1] < 2 < found[0, 2] <= 3
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[2], [5, np.nan, np.nan])  # one image says nothing about others
