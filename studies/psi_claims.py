"""What the psi pilot says of its measurements: paired resamples of images, rank changes, verdicts; no model is run.

Plan and rules: docs/pilots/psi-plan.md. Arrays have shape (..., models, images).
"""

import numpy as np

DRAWS, LEVEL = 1000, 0.95
SAME = 0.95
"""A ranking with this tau-b is the reference's: of seven models no two have changed places."""
RELIABLE = 0.8


def resamples(label, draws=DRAWS, seed=0):
    """Weights of the images in each resample within their classes, shape (draws, images); the first row is the data."""
    random = np.random.default_rng(seed)
    weights = np.zeros((draws + 1, len(label)))
    weights[0] = 1
    for c in np.unique(label):
        members = np.flatnonzero(label == c)
        picks = members[random.integers(0, len(members), (draws, len(members)))]
        np.add.at(weights, (np.arange(1, draws + 1)[:, None], picks), 1)
    return weights / len(label)


def meaned(weights, values):
    """Means over images: (resamples, ...) from (..., images)."""
    return np.moveaxis(values.astype(float) @ weights.T, -1, 0)


def psi_of(weights, divergence):
    """1 / the mean divergence in each resample."""
    return 1 / meaned(weights, divergence)


def limits(drawn):
    """(value, low, high) of what a statistic is in the data (first) and in its resamples."""
    tail = (1 - LEVEL) / 2
    return (float(drawn[0]), *(float(each) for each in np.quantile(drawn[1:], [tail, 1 - tail])))


def tau(first, second):
    """Kendall's tau-b along the last axis; 0 where one side tells no two apart."""
    left, right = np.triu_indices(first.shape[-1], 1)
    one, two = (np.sign(each[..., left] - each[..., right]) for each in (first, second))
    norm = np.sqrt(np.abs(one).sum(-1) * np.abs(two).sum(-1))
    return np.where(norm > 0, (one * two).sum(-1) / np.where(norm > 0, norm, 1), 0.0)


def verdict(found, null=0.0):
    """One seed: whether an interval lies above the null, below it, or holds it."""
    return "yes" if found[1] > null else "no" if found[2] < null else "open"


def together(verdicts):
    """All seeds."""
    if set(verdicts) == {"yes"}:
        return "holds"
    if set(verdicts) == {"no"}:
        return "contradicted"
    counts = {each: verdicts.count(each) for each in ("yes", "no", "open") if each in verdicts}
    return "undecided (" + ", ".join(f"{count} {each}" for each, count in counts.items()) + ")"


def order_step(weights, weaker, stronger):
    """Ln of the ratio of psi, the second model's over the first one's."""
    return limits(np.log(psi_of(weights, stronger) / psi_of(weights, weaker)))


def apart(weights, natural, robust):
    """The lowest psi of the robust models over the highest of the natural ones."""
    return limits(psi_of(weights, robust).min(-1) / psi_of(weights, natural).max(-1))


def agreement(weights, divergence, fooled):
    """Tau-b of psi and robust accuracy over models."""
    return limits(tau(psi_of(weights, divergence), 1 - meaned(weights, fooled)))


def moves(weights, settings, reference):
    """Rank changes over settings: tau-b of each setting's models with the reference's, (resamples, settings).

    `settings` (settings, models, images) and `reference` (models, images) are what is larger for weaker models.
    """
    return tau(-meaned(weights, settings), -meaned(weights, reference)[:, None])


def flips(weights, settings, reference):
    """Of the pairs of models that the reference tells apart, the share whose order each setting turns round."""
    left, right = np.triu_indices(reference.shape[0], 1)
    between = meaned(weights, reference)
    gaps = between[:, left] - between[:, right]
    low, high = np.quantile(gaps[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    known = (low > 0) | (high < 0)
    now = settings.mean(-1)
    turned = np.sign(now[:, left] - now[:, right]) == -np.sign(gaps[0])
    return int(known.sum()), turned[:, known].mean(-1) if known.any() else np.zeros(len(settings))


def first_stable(taus, passes):
    """The passes of the lowest rung from which on all rankings are the reference's; None where the last one is not."""
    stable = np.flip(np.logical_and.accumulate(np.flip(taus >= SAME)))
    return float(passes[int(np.argmax(stable))]) if stable.any() else None


def dearest_reliable(label, rungs, reference, passes, sizes=(12, 25, 50, 100), draws=300):
    """The fewest passes times images whose expected tau-b with the reference is RELIABLE; None where none reaches it.

    Images are drawn with replacement from all; `rungs` has shape (rungs, models, images).
    """
    random, found = np.random.default_rng(1), []
    whole = -reference.mean(-1)
    for size in sizes:
        picks = random.integers(0, len(label), (draws, size))
        weights = np.zeros((draws, len(label)))
        np.add.at(weights, (np.arange(draws)[:, None], picks), 1 / size)
        expected = tau(-meaned(weights, rungs), whole).mean(0)
        found += [(float(spent) * size, float(t)) for spent, t in zip(passes, expected, strict=True)]
    enough = [spent for spent, t in found if t >= RELIABLE]
    return (min(enough) if enough else None), found
