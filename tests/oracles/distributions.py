"""Do two ways to corrupt draw from one distribution? Statistics of each draw, compared within their sampling noise."""

from collections.abc import Callable

import numpy as np

NAMES = ("distance", "red", "green", "blue", "spread", "noise", "along", "down", "coarse", "middle", "fine", "0", "255")


def statistics(clean: np.ndarray, corrupted: np.ndarray) -> np.ndarray:
    """One vector per image, in levels or per cent: (draws, images, H, W, 3) uint8 -> (draws, images, 13).

    The mean absolute difference and each channel's mean difference to the clean image; the deviations of the image and
    of the difference; how much neighbours differ; the square root of the spectrum's energy in three bands; and the
    shares of black and white values.
    """
    image = corrupted.astype(float)
    change = image - clean
    pixels = (-3, -2, -1)
    grey = image.mean(-1)
    energy = np.abs(np.fft.fft2(grey - grey.mean((-2, -1), keepdims=True))) ** 2 / grey[0, 0].size ** 2
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in grey.shape[-2:]), indexing="ij"))
    bands = [(frequency >= low) & (frequency < high) for low, high in ((0, 0.1), (0.1, 0.25), (0.25, 1))]
    columns = [
        np.abs(change).mean(pixels),
        *np.moveaxis(change.mean((-3, -2)), -1, 0),
        image.std((-3, -2)).mean(-1),
        change.std((-3, -2)).mean(-1),
        np.abs(np.diff(image, axis=-2)).mean(pixels),
        np.abs(np.diff(image, axis=-3)).mean(pixels),
        *(np.sqrt(energy[..., band].sum(-1)) for band in bands),
        100 * (image == 0).mean(pixels),
        100 * (image == 255).mean(pixels),
    ]
    return np.stack(columns, -1)


def check_same(clean: np.ndarray, ours: np.ndarray, theirs: np.ndarray, slack: float, errors: float = 5.0) -> None:
    """Each statistic's mean over images and draws must agree within `errors` standard errors, plus `slack` levels.

    The standard error comes from the spread between the draws of each image, on both sides; `slack` is what is known to
    differ, such as a cast to uint8 that cuts where another rounds. Five errors: 13 statistics in some 100 comparisons
    stay inside by chance all but once in 1,000 suites.
    """
    means, variances = [], []
    for draws in (statistics(clean, ours), statistics(clean, theirs)):
        means.append(draws.mean((0, 1)))
        variances.append((draws.var(0, ddof=1) / len(draws)).sum(0) / draws.shape[1] ** 2)
    apart = np.abs(means[0] - means[1])
    allowed = errors * np.sqrt(variances[0] + variances[1]) + slack
    wrong = [
        f"{name}: {one:.2f} against {other:.2f}, allowed {limit:.2f}"
        for name, one, other, limit, bad in zip(NAMES, *means, allowed, apart > allowed, strict=True)
        if bad
    ]
    assert not wrong, "; ".join(wrong)


def draws(corrupt: Callable[[int], np.ndarray], count: int) -> np.ndarray:
    """`count` independent draws, stacked."""
    return np.stack([corrupt(number) for number in range(count)])
