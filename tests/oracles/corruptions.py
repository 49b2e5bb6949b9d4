"""Slow oracles: the published 32x32 corruptions (Hendrycks and Dietterich, 2019), one image at a time.

Written from the formulas with numpy, scipy, scikit-image, OpenCV and Pillow, sharing nothing with the package but the
published constants, which are listed again. Images are uint8 (H, W, 3); `rng` is a numpy Generator. Each function
returns float levels before the published cast to uint8, which `corrupt` applies. ImageMagick's motion blur, which
is not at hand, is a loop over its samples. Frost takes its photographs as an argument and is therefore missing.
"""

import io
import math

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates, zoom
from skimage.color import hsv2rgb, rgb2hsv
from skimage.filters import gaussian as sk_gaussian
from skimage.util import random_noise


def levels(name, image, severity, rng, table=None):
    """The float levels of one published corruption at 32x32; LARGE as `table` for ImageNet-C's constants."""
    parameters = (table or SMALL)[name][severity - 1]
    parameters = parameters if isinstance(parameters, tuple) else (parameters,)
    return np.clip(globals()[name](image, rng, *parameters), 0, 255)


def corrupt(name, image, severity, rng, table=None):
    """The same as the uint8 image that is published."""
    return levels(name, image, severity, rng, table).astype(np.uint8)


def gaussian_noise(image, rng, sigma):
    return 255 * np.clip(image / 255 + sigma * rng.standard_normal(image.shape), 0, 1)


def shot_noise(image, rng, photons):
    return 255 * np.clip(rng.poisson(image / 255 * photons) / photons, 0, 1)


def impulse_noise(image, rng, amount):
    return 255 * np.clip(random_noise(image / 255, mode="s&p", rng=rng, amount=amount), 0, 1)


def speckle_noise(image, rng, sigma):
    x = image / 255
    return 255 * np.clip(x + x * sigma * rng.standard_normal(image.shape), 0, 1)


def gaussian_blur(image, rng, sigma):
    return 255 * np.clip(sk_gaussian(image / 255, sigma=sigma, channel_axis=-1), 0, 1)


def glass_blur(image, rng, sigma, farthest, rounds):
    x = (sk_gaussian(image / 255, sigma=sigma, channel_axis=-1) * 255).astype(np.uint8)
    for _ in range(rounds):
        dx = rng.integers(-farthest, farthest, x.shape[:2])
        dy = rng.integers(-farthest, farthest, x.shape[:2])
        x = copied(x, dy, dx, farthest)
    return 255 * np.clip(sk_gaussian(x / 255, sigma=sigma, channel_axis=-1), 0, 1)


def copied(x, dy, dx, farthest):
    """The sequential local copy, from the last pixel to the first, that the published "swap" amounts to."""
    x = x.copy()
    for row in range(x.shape[0] - farthest, farthest, -1):
        for column in range(x.shape[1] - farthest, farthest, -1):
            x[row, column] = x[row + dy[row, column], column + dx[row, column]]
    return x


def disk_kernel(radius, sigma):
    side = 8 if radius <= 8 else radius
    span = np.arange(-side, side + 1)
    inside = (span[None] ** 2 + span[:, None] ** 2 <= radius**2).astype(np.float32)
    return cv2.GaussianBlur(inside / inside.sum(), (3, 3) if radius <= 8 else (5, 5), sigmaX=sigma)


def defocus_blur(image, rng, radius, sigma):
    kernel = disk_kernel(radius, sigma)
    planes = [cv2.filter2D(image[..., channel] / 255, -1, kernel) for channel in range(3)]
    return 255 * np.clip(np.stack(planes, -1), 0, 1)


def dragged(image, radius, sigma, angle):
    """ImageMagick's MotionBlurImage on (H, W) or (H, W, C) levels, to whole levels."""
    rows, columns = image.shape[:2]
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * radius + 1)]
    out = np.zeros(image.shape)
    for i, weight in enumerate(weights):
        y = np.arange(rows) + math.ceil(i * math.sin(math.radians(angle)) - 0.5)
        x = np.arange(columns) + math.ceil(i * math.cos(math.radians(angle)) - 0.5)
        out += weight * image[y.clip(0, rows - 1)][:, x.clip(0, columns - 1)]
    return np.floor(out / sum(weights) + 0.5)


def motion_blur(image, rng, radius, sigma):
    return dragged(image, radius, sigma, rng.uniform(-45, 45))


def magnified(image, factor):
    """The centre, cut out and magnified by scipy, with what is too large trimmed on both sides."""
    side = image.shape[0]
    cut = math.ceil(side / factor)
    first = (side - cut) // 2
    large = zoom(image[first : first + cut, first : first + cut], (factor, factor, 1), order=1)
    trim = (large.shape[0] - side) // 2
    return large[trim : trim + side, trim : trim + side]


def zoom_blur(image, rng, stop):
    x = (image / 255).astype(np.float32)
    layers = [x] + [magnified(x, factor) for factor in np.arange(1, stop, 0.01)]
    return 255 * np.clip(np.mean(layers, axis=0), 0, 1)


def snow(image, rng, mean, deviation, factor, threshold, radius, sigma, mix):
    x = (image / 255).astype(np.float32)
    layer = magnified(rng.normal(mean, deviation, image.shape[:2])[..., None], factor)[..., 0]
    layer[layer < threshold] = 0
    layer = (np.clip(layer, 0, 1) * 255).astype(np.uint8)
    layer = dragged(layer, radius, sigma, rng.uniform(-135, -45))[..., None] / 255
    pale = np.maximum(x, cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None] * 1.5 + 0.5)
    return 255 * np.clip(mix * x + (1 - mix) * pale + layer + np.rot90(layer, 2), 0, 1)


def fractal(side, decay, noise):
    """The diamond-square algorithm point by point on a torus; noise(step, kind, row, column) is in [-1, 1]."""
    height = np.zeros((side, side))
    step, wibble = side, 100.0

    def place(kind, y, x, corners, row, column):
        mean = sum(height[i % side, j % side] for i, j in corners) / 4
        height[y, x] = mean + wibble * wibble * noise(step, kind, row, column)

    while step >= 2:
        half = step // 2
        spots = [(i, j) for i in range(side // step) for j in range(side // step)]
        for i, j in spots:
            y, x = i * step, j * step
            square = [(y, x), (y, x + step), (y + step, x), (y + step, x + step)]
            place("square", y + half, x + half, square, i, j)
        for i, j in spots:
            y, x = i * step, j * step + half
            place("top", y, x, [(y - half, x), (y + half, x), (y, x - half), (y, x + half)], i, j)
            y, x = i * step + half, j * step
            place("side", y, x, [(y - half, x), (y + half, x), (y, x - half), (y, x + half)], i, j)
        step, wibble = half, wibble / decay
    height -= height.min()
    return height / height.max()


def fog(image, rng, strength, decay):
    x = image / 255
    haze = fractal(32, decay, lambda *_: rng.uniform(-1, 1))[..., None]
    return 255 * np.clip((x + strength * haze) * x.max() / (x.max() + strength), 0, 1)


def brightness(image, rng, shift):
    hsv = rgb2hsv(image / 255)
    hsv[..., 2] = np.clip(hsv[..., 2] + shift, 0, 1)
    return 255 * np.clip(hsv2rgb(hsv), 0, 1)


def contrast(image, rng, factor):
    x = image / 255
    mean = x.mean(axis=(0, 1), keepdims=True)
    return 255 * np.clip((x - mean) * factor + mean, 0, 1)


def saturate(image, rng, factor, shift):
    hsv = rgb2hsv(image / 255)
    hsv[..., 1] = np.clip(hsv[..., 1] * factor + shift, 0, 1)
    return 255 * np.clip(hsv2rgb(hsv), 0, 1)


def elastic_transform(image, rng, alpha, sigma, farthest):
    x = (image / 255).astype(np.float32)
    rows, columns = x.shape[:2]
    centre = np.float32([columns // 2, rows // 2])
    reach = min(rows, columns) // 3
    still = np.float32([centre + reach, [centre[0] + reach, centre[1] - reach], centre - reach])
    moved = still + rng.uniform(-farthest, farthest, still.shape).astype(np.float32)
    warp = cv2.getAffineTransform(still, moved)
    x = cv2.warpAffine(x, warp, (columns, rows), borderMode=cv2.BORDER_REFLECT_101)
    dx, dy = (
        alpha * sk_gaussian(rng.uniform(-1, 1, (rows, columns)), sigma, mode="reflect", truncate=3) for _ in range(2)
    )
    y, z = np.mgrid[:rows, :columns]
    places = np.stack((y + dy, z + dx))
    planes = [map_coordinates(x[..., channel], places, order=1, mode="reflect") for channel in range(3)]
    return 255 * np.clip(np.stack(planes, -1), 0, 1)


def pixelate(image, rng, factor):
    side = image.shape[0]
    small = Image.fromarray(image).resize((int(side * factor), int(side * factor)), Image.Resampling.BOX)
    return np.array(small.resize((side, side), Image.Resampling.BOX)).astype(float)


def jpeg_compression(image, rng, quality):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file)).astype(float)


def spatter(image, rng, mean, deviation, sigma, threshold, strength, mud):
    x = (image / 255).astype(np.float32)
    liquid = sk_gaussian(rng.normal(mean, deviation, image.shape[:2]), sigma=sigma)
    liquid[liquid < threshold] = 0
    if mud:
        share = sk_gaussian((liquid > threshold).astype(np.float32), sigma=strength)[..., None]
        share[share < 0.8] = 0
        return 255 * np.clip(x * (1 - share) + share * np.array([63, 42, 20]) / 255, 0, 1)
    share = water((liquid * 255).astype(np.uint8), strength)[..., None]
    return 255 * np.clip(x + share * np.array([175, 238, 238]) / 255, 0, 1)


def water(liquid, strength):
    """The share of the water's colour for a uint8 layer of liquid, by OpenCV."""
    far = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    rim = cv2.equalizeHist(cv2.blur(np.minimum(far, 20), (3, 3)).astype(np.uint8))
    relief = cv2.filter2D(rim, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    shine = liquid * cv2.blur(relief, (3, 3)).astype(np.float32)
    return shine / shine.max() * strength


SMALL = {
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),
    "shot_noise": (500, 250, 100, 75, 50),
    "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    "zoom_blur": (1.06, 1.11, 1.16, 1.21, 1.26),
    "snow": (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
    "elastic_transform": tuple(
        (32 * alpha, 32 * sigma, 32 * move)
        for alpha, sigma, move in (
            (0, 0, 0.08),
            (0.05, 0.2, 0.07),
            (0.08, 0.06, 0.06),
            (0.1, 0.04, 0.05),
            (0.1, 0.03, 0.03),
        )
    ),
    "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),
    "jpeg_compression": (80, 65, 58, 50, 40),
    "speckle_noise": (0.06, 0.1, 0.12, 0.16, 0.2),
    "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1),
    "spatter": (
        (0.62, 0.1, 0.7, 0.7, 0.5, 0),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0),
        (0.65, 0.3, 1, 0.69, 0.5, 0),
        (0.65, 0.1, 0.7, 0.69, 0.6, 1),
        (0.65, 0.1, 0.5, 0.68, 0.6, 1),
    ),
    "saturate": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
}
LARGE = {
    "elastic_transform": tuple(
        (244 * alpha, 244 * sigma, 244 * move)
        for alpha, sigma, move in (
            (2, 0.7, 0.1),
            (2, 0.08, 0.2),
            (0.05, 0.01, 0.02),
            (0.07, 0.01, 0.02),
            (0.12, 0.01, 0.02),
        )
    ),
}
