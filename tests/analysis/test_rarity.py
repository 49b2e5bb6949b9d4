"""Rare or hard: against plain least squares with dummy variables, and on classes whose truth is planted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.analysis.rarity import _design, rare_or_hard
from weakspot.analysis.scores import Scores
from weakspot.errors import InputError

SIZES = (83, 101, 97, 113, 107, 89)
COUNTS = np.array([[400, 200, 100, 50, 25, 12], [12, 400, 25, 100, 200, 50], [50, 12, 400, 25, 100, 200]])


def scored(share, seed, sizes=SIZES):
    """Runs whose images share how hard they are; `share` is the true accuracy of (run, class)."""
    draw = np.random.default_rng(seed)
    label = draw.permutation(np.repeat(np.arange(len(sizes)), sizes))
    luck = draw.random(len(label))
    own = draw.random((len(share), len(label)))
    mixed = np.where(draw.random((len(share), len(label))) < 0.5, luck, own)
    return [
        Scores(np.arange(len(label)), label, (mixed[run] < share[run][label]).astype(float))
        for run in range(len(share))
    ]


def explained(y, *columns):
    """The sum of squares that a least-squares fit on these columns and a constant explains."""
    table = np.column_stack([np.ones(y.size), *columns])
    fitted = table @ np.linalg.lstsq(table, y.ravel(), rcond=None)[0]
    return float(((fitted - y.mean()) ** 2).sum())


@given(seed=st.integers(0, 10**6), runs=st.integers(2, 4), classes=st.integers(2, 7))
def test_parts_against_regressions_with_dummy_variables(seed, runs, classes):
    draw = np.random.default_rng(seed)
    counts = draw.integers(1, 5000, (runs, classes))
    y = draw.random((runs, classes))
    design = _design(counts)
    x = np.log10(counts).ravel()
    dummies = np.tile(np.eye(classes), (runs, 1))
    by_class, by_count, both = explained(y, dummies), explained(y, x), explained(y, dummies, x)
    # Shapley: the mean over both orders of what each adds to the other.
    expected = [
        (by_class + both - by_count) / 2, (by_count + both - by_class) / 2, ((y - y.mean()) ** 2).sum() - both
    ]  # fmt: skip
    assert design.parts(y) == pytest.approx(np.array(expected), abs=1e-9)
    table = np.column_stack([dummies, x - x.mean()])
    fitted = np.linalg.lstsq(table, y.ravel(), rcond=None)[0]
    assert design.slope(y) == pytest.approx(fitted[-1], abs=1e-7)
    assert design.hardness(y) == pytest.approx(fitted[:-1] - fitted[:-1].mean(), abs=1e-7)
    assert design.parts(y[None]).shape == (1, 3)


@pytest.mark.parametrize(
    "hard, slope, winner",
    [((0.3, -0.3, 0.1, -0.1, 0.2, -0.2), 0.0, "hard"), ((0,) * 6, 0.35, "rare")],
)
def test_planted_causes_are_found(hard, slope, winner):
    x = np.log10(COUNTS)
    share = 0.5 + np.array(hard) + slope * (x - x.mean())
    found = rare_or_hard(scored(share, 3), list(COUNTS), seed=0, draws=400)
    parts = {"hard": found.hard, "rare": found.rare, "rest": found.rest}
    assert max(parts, key=lambda name: parts[name].value) == winner
    assert parts[winner].value > 0.9
    assert sum(part.value for part in parts.values()) == pytest.approx(1)
    assert found.slope.low <= slope <= found.slope.high
    missed = (found.hardness_limits.low > np.array(hard)) | (found.hardness_limits.high < np.array(hard))
    assert missed.sum() <= 1
    assert found.rarity == pytest.approx(found.slope.value * (x - x.mean()))
    assert 0 < found.noise < 0.2
    assert (found.rarity_limits.low <= found.rarity).all()
    assert (found.rarity <= found.rarity_limits.high).all()


def test_noise_alone_is_neither():
    """All classes alike: what is left after the noise is taken out is next to nothing of what was counted."""
    left = []
    for seed in range(8):
        found = rare_or_hard(scored(np.full(COUNTS.shape, 0.5), seed), list(COUNTS), seed=0, draws=200)
        assert found.slope.low < 0.05
        assert found.slope.high > -0.05
        left.append(found.noise)
    assert np.median(left) > 0.6


def test_confounding_is_told():
    same = np.stack([COUNTS[0], COUNTS[0] + [1, 0, 0, 0, 0, 0]])
    found = rare_or_hard(scored(np.full(same.shape, 0.5), 0), list(same), seed=0, draws=50)
    assert found.confounded > 0.999
    crossed = np.array([[100, 10], [10, 100]])
    found = rare_or_hard(scored(np.full((2, 2), 0.5), 0, (41, 43)), list(crossed), seed=0, draws=50)
    assert found.confounded == pytest.approx(0)


def test_a_class_without_images_takes_no_part():
    whole = scored(np.full(COUNTS.shape, 0.5), 0)
    some = [Scores(run.sample[run.label != 2], run.label[run.label != 2], run.score[run.label != 2]) for run in whole]
    found = rare_or_hard(some, list(COUNTS), seed=0, draws=50)
    assert np.isnan(found.hardness).tolist() == [False, False, True, False, False, False]
    kept = [0, 1, 3, 4, 5]
    relabelled = [Scores(run.sample, np.searchsorted(kept, run.label), run.score) for run in some]
    without = rare_or_hard(relabelled, list(COUNTS[:, kept]), seed=0, draws=50)
    assert found.hard.value == pytest.approx(without.hard.value, abs=0.05)
    assert found.slope.value == pytest.approx(without.slope.value)


@pytest.mark.parametrize(
    "counts, says",
    [
        (COUNTS[[0, 0]], "cannot be told apart: every class has the same training count in all runs; add runs"),
        (COUNTS * (COUNTS > 12), "trained on no sample"),
    ],
)
def test_designs_that_say_nothing_are_refused(counts, says):
    with pytest.raises(InputError, match=says) as caught:
        rare_or_hard(scored(np.full(counts.shape, 0.5), 0), list(counts), seed=0, draws=20)
    assert "\n" not in str(caught.value)
