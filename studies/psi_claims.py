"""What the psi pilot says of its measurements: paired resamples of images, rank changes, verdicts; no model is run.

Plan and rules: docs/pilots/psi-plan.md. Arrays have shape (..., models, images).
"""

import numpy as np

from weakspot.recipes.psi_resampling import LEVEL, limits, ln_ratio, meaned, pairs_of, psi_of, tau

SAME = 0.95
"""A ranking with this tau-b is the reference's: of seven models no two have changed places."""
RELIABLE = 0.8


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
    return limits(ln_ratio(weights, weaker, stronger))


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
    left, right = pairs_of(reference.shape[0])
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
