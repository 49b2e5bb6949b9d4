"""The parts of the corruptions, each against a plain loop, another library or a closed form."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats
from skimage.filters import gaussian as sk_gaussian
from tests.oracles import corruptions as oracle
from tests.oracles.photographs import small

from weakspot.threats.corruptions import channel, edges, elastic, filters, frost, zoom
from weakspot.threats.corruptions.blur import copy_round, disk
from weakspot.threats.corruptions.draws import angles, halves, normals, uniforms
from weakspot.threats.corruptions.fog import plasma
from weakspot.threats.corruptions.jpeg import jpeg_compression, transform
from weakspot.threats.corruptions.motion import drag, half_gaussian


def planes(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed)).float()


@given(rows=st.integers(2, 14), columns=st.integers(2, 14), farthest=st.integers(1, 4), seed=st.integers(0, 2**31))
@settings(max_examples=40)
def test_copies_follow_the_sequential_loop(rows, columns, farthest, seed):
    random = halves(rows * columns, torch.tensor([3]), seed, "glass_blur/0")[0].numpy().reshape(rows, columns)
    low, high = random.astype(np.int64) & 0xFFFF, (random.astype(np.int64) >> 16) & 0xFFFF
    down, right = (part * 2 * farthest // 65536 - farthest for part in (low, high))
    here = np.arange(rows * columns).reshape(rows, columns)
    expected = oracle.copied(here[..., None], down, right, farthest)[..., 0]
    source = copy_round(rows, columns, farthest, torch.tensor([3]), seed, 0)
    np.testing.assert_array_equal(source[0].numpy().reshape(rows, columns), expected)


def test_copies_come_from_all_offsets_alike():
    source = copy_round(40, 40, 2, torch.arange(50), 0, 0)[:, 820]  # a pixel in the middle
    assert set((source - 820).tolist()) >= {-82, -81, -80, -79, -42, -41, -40, -39, -2, -1}


@pytest.mark.parametrize("side, decay", [(2, 3.0), (8, 1.75), (32, 3.0)])
def test_plasma_is_the_diamond_square_algorithm(side, decay):
    draws = uniforms((side, side), torch.arange(2), 5, "x") * 2 - 1
    for image, made in zip(draws.flatten(1).double().numpy(), plasma(draws, decay).numpy(), strict=True):
        starts, first = {}, 0
        for step in (2**k for k in range(side.bit_length() - 1, 0, -1)):
            starts[step], first = first, first + 3 * (side // step) ** 2

        def noise(step, kind, row, column, image=image, starts=starts):
            count = side // step
            place = ("square", "top", "side").index(kind) * count**2 + row * count + column
            return image[starts[step] + place]

        np.testing.assert_allclose(made, oracle.fractal(side, decay, noise), atol=2e-6)


@pytest.mark.parametrize(
    "radius, sigma, angle", [(6, 1.0, 45.0), (9, 2.5, -44.3), (10, 4.0, -90.0), (14, 12.0, -131.0), (3, 9.0, 0.0)]
)
def test_drag_takes_imagemagicks_samples(radius, sigma, angle):
    images = planes(2, 3, 17, 21)
    made = drag(images, torch.tensor([angle, -angle]).double(), half_gaussian(radius, sigma))
    for image, blurred, turn in zip(images, made, (angle, -angle), strict=True):
        expected = oracle.dragged(image.permute(1, 2, 0).numpy(), radius, sigma, turn)
        apart = (blurred + 0.5).floor().permute(1, 2, 0).numpy() - expected
        assert np.abs(apart).max() <= 1  # a half, where the weights' rounding decides
        assert (apart != 0).mean() < 0.02


@pytest.mark.parametrize("radius, sigma", [(0.3, 0.4), (1.0, 0.2), (1.5, 0.1), (4, 0.5), (8, 0.5), (10, 0.5)])
def test_disk_is_opencvs(radius, sigma):
    expected = oracle.disk_kernel(radius, sigma)
    made = np.zeros_like(expected)
    for down, right, weight in disk(float(radius), sigma):
        made[down + len(made) // 2, right + len(made) // 2] = weight
    np.testing.assert_allclose(made, expected, atol=1.1 * 2**-16)
    assert made.sum() == pytest.approx(expected.sum(), abs=2**-16)


@given(n=st.integers(1, 9), position=st.integers(-40, 40))
def test_fold_is_scipys(n, position):
    line = np.arange(n, dtype=float)
    for border in ("nearest", "mirror", "reflect"):
        expected = ndimage.map_coordinates(line, [[position]], order=0, mode=border)[0]
        assert line[filters.fold(np.array([position]), n, border)[0]] == expected


@pytest.mark.parametrize("shape", [(9, 12), (2, 3), (1, 5)])
@pytest.mark.parametrize("border", ["nearest", "mirror"])
def test_correlate_is_scipys(shape, border):
    kernel = np.random.default_rng(0).dirichlet(np.ones(35)).reshape(5, 7)
    images = planes(2, 2, *shape)
    made = filters.correlate(images, filters.taps(kernel), border)
    expected = ndimage.correlate(images.double().numpy(), filters.on_grid(kernel)[None, None], mode=border)
    np.testing.assert_array_equal(made.numpy(), expected)  # exact on both sides


@pytest.mark.parametrize("sigma", [0.05, 0.25, 1.0, 6.0])
def test_gaussian_is_scikit_images(sigma):
    images = planes(2, 3, 20, 13)
    expected = sk_gaussian(images.double().numpy(), sigma=(0, 0, sigma, sigma))
    np.testing.assert_allclose(filters.gaussian(images, sigma).numpy(), expected, atol=0.05)


@pytest.mark.parametrize("border, truncate", [("nearest", 4.0), ("reflect", 3.0)])
@pytest.mark.parametrize("sigma", [0.7, 6.4, 50.0])
def test_smooth_field_is_scipys(sigma, border, truncate):
    field = normals((18, 11), torch.arange(2), 0, "x")
    expected = ndimage.gaussian_filter(field.double().numpy(), (0, sigma, sigma), mode=border, truncate=truncate)
    np.testing.assert_allclose(filters.smooth_field(field, sigma, truncate, border).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("factor", [1.0, 1.03, 1.25, 1.75, 4.5])
@pytest.mark.parametrize("side", [32, 33, 7])
def test_zoom_is_scipys(side, factor):
    field = normals((side, side), torch.arange(2), 0, "x")
    for one, made in zip(field.double().numpy(), zoom.zoom_field(field, factor).numpy(), strict=True):
        np.testing.assert_allclose(made, oracle.magnified(one[..., None], factor)[..., 0], atol=1e-12)


def test_affine_map_is_opencvs():
    rows, columns, sample = 20, 30, torch.arange(4)
    y, x = elastic.affine_source(rows, columns, 2.0, sample, 0)
    moves = uniforms((3, 2), sample, 0, "elastic_transform/affine").numpy() * 2 - 1
    still = np.float32([[15 + 6, 10 + 6], [15 + 6, 10 - 6], [15 - 6, 10 - 6]])
    for i, move in enumerate(moves):
        warp = cv2.invertAffineTransform(cv2.getAffineTransform(still, np.float32(still + 2 * move)).astype(float))
        grid = np.stack((*np.meshgrid(np.arange(columns), np.arange(rows)), np.ones((rows, columns))), -1)
        np.testing.assert_allclose(np.stack((x[i], y[i]), -1), grid @ warp.T, atol=1e-4)


@pytest.mark.parametrize("mirror, mode", [(True, "mirror"), (False, "reflect")])
def test_resample_is_scipys(mirror, mode):
    images = planes(2, 3, 9, 12)
    y, x = (uniforms((9, 12), torch.arange(2), 0, axis) * 50 - 20 for axis in "yx")
    made = elastic.resample(images, y, x, mirror=mirror)
    for i in range(2):
        for c in range(3):
            expected = ndimage.map_coordinates(images[i, c].double().numpy(), [y[i], x[i]], order=1, mode=mode)
            np.testing.assert_allclose(made[i, c], expected, atol=2e-2)


@pytest.mark.parametrize("sigma, blobs", [(0.7, 0.7), (1.0, 0.69), (3.0, 0.5)])
def test_edges_distances_and_equalisation_are_opencvs(sigma, blobs):
    field = ndimage.gaussian_filter(np.random.default_rng(0).normal(0.62, 0.3, (6, 40, 50)), (0, sigma, sigma))
    liquid = (np.where(field < blobs, 0, field).clip(0, 1) * 255).astype(np.uint8)
    batch = torch.from_numpy(liquid)[:, None].float()
    found = edges.canny(batch, 50.0, 150.0)
    far = edges.distance(found, 20.0)
    spread = edges.equalized(far.floor())
    for i, image in enumerate(liquid):
        expected = cv2.Canny(image, 50, 150)
        np.testing.assert_array_equal(found[i, 0].numpy(), expected > 0)
        chamfer = np.minimum(cv2.distanceTransform(255 - expected, cv2.DIST_L2, 5), 20)
        np.testing.assert_allclose(far[i, 0].numpy(), chamfer, atol=2e-3)
        np.testing.assert_array_equal(spread[i, 0].numpy(), cv2.equalizeHist(far[i, 0].floor().byte().numpy()))


def test_water_is_opencvs():
    from weakspot.threats.corruptions.spatter import water

    field = ndimage.gaussian_filter(np.random.default_rng(1).normal(0.65, 0.3, (4, 32, 32)), (0, 1, 1))
    liquid = (np.where(field < 0.69, 0, field).clip(0, 1) * 255).astype(np.uint8)
    made = water(torch.from_numpy(liquid)[:, None].float(), 0.5)
    for image, share in zip(liquid, made[:, 0].numpy(), strict=True):
        np.testing.assert_allclose(share, oracle.water(image, 0.5), atol=5e-3)


def test_alias_tables_hold_their_probabilities():
    for probability in (channel.additive(0.1), channel.photons(3.0), channel.multiplicative(0.2), np.eye(256)):
        table = channel.alias_table(probability).numpy().reshape(256, 256)
        threshold, alias = (table >> 8) / 2**23, table & 255
        drawn = threshold / 256
        for level in range(256):
            np.add.at(drawn[level], alias[level], (1 - threshold[level]) / 256)
        np.testing.assert_allclose(drawn, probability, atol=1e-7)


@pytest.mark.parametrize("level", [0, 1, 90, 254, 255])
def test_channels_are_the_noises_own_distributions(level):
    rng, count = np.random.default_rng(level), 400_000
    x = level / 255
    for made, noisy in (
        (channel.additive(0.08), x + rng.normal(0, 0.08, count)),
        (channel.multiplicative(0.16), x + x * rng.normal(0, 0.16, count)),
        (channel.photons(500.0), rng.poisson(x * 500, count) / 500),
        (channel.photons(12.0), rng.poisson(x * 12, count) / 12),
    ):
        seen = np.bincount((np.clip(noisy, 0, 1) * 255).astype(np.uint8), minlength=256)
        expected = made[level] * count
        assert expected.sum() == pytest.approx(count)
        likely = expected > 10
        assert seen[expected < 1e-6 * count].sum() < 20
        rest = max(expected[~likely].sum(), 1e-9), seen[~likely].sum()
        chi = ((seen - expected)[likely] ** 2 / expected[likely]).sum() + (rest[1] - rest[0]) ** 2 / max(rest[0], 1)
        assert stats.chi2.sf(chi, max(likely.sum(), 1)) > 1e-5


def test_draws_are_normal_uniform_and_unrelated():
    sample = torch.arange(400)
    drawn = normals((51, 5), sample, 0, "a").double()  # an odd number
    assert stats.kstest(drawn.flatten().numpy(), "norm").pvalue > 1e-4
    flat = uniforms((255,), sample, 0, "a")
    assert stats.kstest(flat.flatten().numpy(), "uniform").pvalue > 1e-4
    assert (
        abs(np.corrcoef(drawn[:, :-1].flatten(1)[:, ::2].flatten(), drawn[:, :-1].flatten(1)[:, 1::2].flatten())[0, 1])
        < 0.02
    )
    turned = angles(-45.0, 45.0, sample, 0, "a")
    assert -45 <= turned.min() < -43
    assert 43 < turned.max() < 45
    assert not torch.equal(uniforms((9,), sample, 0, "a"), uniforms((9,), sample, 0, "b"))


def test_the_integer_transform_is_a_dct():
    k, n = np.arange(8)[:, None], np.arange(8)
    cosines = np.cos((2 * n + 1) * k * np.pi / 16) * np.where(k, 1, np.sqrt(0.5)) * np.sqrt(2)
    np.testing.assert_allclose(transform() / 2**13, cosines, atol=2e-4)


@given(rows=st.integers(1, 40), columns=st.integers(1, 40), severity=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_jpeg_is_libjpegs_to_the_last_level_at_any_size(rows, columns, severity, seed):
    rng = np.random.default_rng(seed)
    smooth = cv2.resize(small()[seed % 6], (columns, rows), interpolation=cv2.INTER_LINEAR)
    for image in (smooth, rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)):
        made = jpeg_compression(torch.from_numpy(image).permute(2, 0, 1)[None] / 255, severity, torch.tensor([0]), 0)
        expected = oracle.corrupt("jpeg_compression", image, severity, None)
        np.testing.assert_array_equal((made[0] * 255).round().permute(1, 2, 0).numpy(), expected)


def test_frost_textures_look_as_stated():
    field = frost.textures()
    assert field.mean((1, 2)) == pytest.approx(np.zeros(5), abs=1e-9)
    assert field.std((1, 2)) == pytest.approx(np.ones(5))
    for one in field:
        wrapped = np.abs(one[:, 0] - one[:, -1]).mean()
        assert wrapped < 1.5 * np.abs(np.diff(one, axis=1)).mean(), "not periodic"
