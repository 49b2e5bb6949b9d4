"""At 32x32: against the published formulas, restated one image at a time in tests/oracles/corruptions.py."""

from functools import cache

import numpy as np
import pytest
import torch
from tests.oracles import corruptions as oracle
from tests.oracles.distributions import check_same, draws
from tests.oracles.photographs import array, small, tensor

from weakspot.threats.corruptions import CORRUPTIONS, SEVERITIES

EXACT = ("pixelate", "jpeg_compression")
FIXED = ("defocus_blur", "zoom_blur", "gaussian_blur", "brightness", "contrast", "saturate")
DRAWN = {
    "gaussian_noise": 8,
    "shot_noise": 8,
    "impulse_noise": 8,
    "speckle_noise": 8,
    "glass_blur": 8,
    "motion_blur": 16,
    "snow": 16,
    "fog": 16,
    "elastic_transform": 16,
    "spatter": 12,
}
"""Draws of each image: more where they differ more. The oracle cuts some flat regions one level down: 0.1 slack."""


def ours(name: str, severity: int, number: int = 0) -> np.ndarray:
    sample = torch.arange(len(small())) + 1000 * number
    return array(CORRUPTIONS[name].function(tensor(small()), severity, sample, 0))


def test_every_corruption_is_compared():
    assert {*EXACT, *FIXED, *DRAWN} == CORRUPTIONS.keys() - {"frost"} == oracle.SMALL.keys()


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", EXACT)
def test_what_pillow_does_is_repeated_to_the_last_level(name, severity):
    for image, corrupted in zip(small(), ours(name, severity), strict=True):
        np.testing.assert_array_equal(corrupted, oracle.corrupt(name, image, severity, None))


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", FIXED)
def test_without_draws_each_level_is_the_published_one(name, severity):
    # The published value before its cast to uint8, give or take the rounding of our weights, decides the level.
    for image, corrupted in zip(small(), ours(name, severity), strict=True):
        published = oracle.levels(name, image, severity, None)
        assert (corrupted >= np.floor(published - 0.02)).all()
        assert (corrupted <= np.floor(published + 0.02)).all()


@cache
def all_draws(name: str, severity: int) -> tuple[np.ndarray, np.ndarray]:
    """Ours and the published formula's."""
    rng = np.random.default_rng(severity)
    theirs = draws(lambda _: np.stack([oracle.corrupt(name, image, severity, rng) for image in small()]), DRAWN[name])
    return draws(lambda number: ours(name, severity, number), DRAWN[name]), theirs


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", DRAWN)
def test_draws_have_the_published_distribution(name, severity):
    check_same(small(), *all_draws(name, severity), slack=0.1)


@pytest.mark.parametrize("name", DRAWN)
def test_the_comparison_tells_severities_apart(name):
    other = 5 if name == "elastic_transform" else 2  # its map shrinks as its displacement grows
    with pytest.raises(AssertionError, match="against"):
        check_same(small(), all_draws(name, 1)[0], all_draws(name, other)[1], slack=0.1)
