"""Directed pairs against a plain loop, and what follows from their matrix."""

from dataclasses import replace

import numpy as np
import pytest

from weakspot.analysis.pairs import (
    explained_errors,
    exposure_scores,
    hub_scores,
    least_radii,
    pair_success,
    parts,
    ranked_pairs,
)
from weakspot.outcomes import Outcomes

from .conftest import draw, rows_of

SIZES = (23, 11, 17, 0, 7)
K = len(SIZES)


def aimed(seed: int) -> tuple[Outcomes, Outcomes]:
    """Clean rows, and rows of two attacks at every other class but 1; the second attacks a part of the samples."""
    label, clean = draw(SIZES, seed, correct=0.7)
    random = np.random.default_rng(seed)
    parts = []
    for name, some in (("t1@linf:1", slice(None)), ("t2@linf:1", random.permutation(len(label))[:20])):
        for target in (0, 2, 3, 4):
            moved = np.where(random.random(len(label)) < 0.4, target, (target + 1) % K)
            prediction = np.where(clean != label, clean, np.where(random.random(len(label)) < 0.5, label, moved))
            # An attack has no row where its target is the label; a slip that makes one must not count.
            parts.append(rows_of(label, prediction, name, target=target).where(np.arange(len(label))[some]))
    return rows_of(label, clean), Outcomes.join(parts)


def test_against_a_plain_loop():
    clean, targeted = aimed(seed=0)
    found = pair_success(clean, targeted, K)
    for i in range(K):
        for j in range(K):
            samples = ended = before = 0
            for at in range(len(clean)):
                mine = (targeted.sample == clean.sample[at]) & (targeted.target == j)
                if clean.label[at] == i and i != j and mine.any():
                    samples += 1
                    ended += bool((targeted.prediction[mine] == j).any())
                    before += clean.prediction[at] == j
            assert (found.samples[i, j], found.ended[i, j], found.clean[i, j]) == (samples, ended, before)
            expected = ended / samples if samples else np.nan
            assert found.success[i, j] == pytest.approx(expected, nan_ok=True)
    assert (found.samples[:, 1] == 0).all()  # nobody aimed at class 1
    assert (found.clean <= found.ended).all()


def test_a_shortlist_lowers_shares_and_leaves_no_sample_out():
    clean, targeted = aimed(seed=2)
    kept = targeted.where((targeted.sample + targeted.target) % 3 != 0)
    whole, short = pair_success(clean, targeted, K), pair_success(clean, kept, K)
    assert (short.aimed < whole.aimed).any()
    np.testing.assert_array_equal(short.samples, whole.samples)
    np.testing.assert_array_equal(whole.aimed, whole.samples)
    assert (np.nan_to_num(short.success) <= np.nan_to_num(whole.success)).all()
    for i, j in np.argwhere(whole.samples > 0):
        mine = (kept.label == i) & (kept.target == j)
        assert short.aimed[i, j] == len(set(kept.sample[mine]))


def test_least_radii_are_medians_of_those_that_an_attack_drove_there():
    clean, targeted = aimed(seed=3)
    distance = np.random.default_rng(3).random(len(targeted)).astype("float32")
    rows = replace(targeted, distance_linf=distance, distance_l2=distance * 5)
    before = dict(zip(clean.sample, clean.prediction, strict=True))
    for norm, times in (("linf", 1), ("l2", 5)):
        found = least_radii(clean, rows, norm, K)
        for i in range(K):
            for j in range(K):
                mine = [
                    distance[at] * times for at in range(len(rows))
                    if i != j and rows.label[at] == i and rows.target[at] == j == rows.prediction[at]
                    and before[rows.sample[at]] != j
                ]  # fmt: skip
                assert found[i, j] == pytest.approx(np.median(mine) if mine else np.nan, nan_ok=True)


def test_the_order_of_rows_and_the_rows_of_other_threats_change_nothing():
    clean, targeted = aimed(seed=1)
    mixed = Outcomes.join([targeted, clean]).where(np.random.default_rng(0).permutation(len(targeted) + len(clean)))
    found, again = pair_success(clean, targeted, K), pair_success(clean, mixed, K)
    np.testing.assert_array_equal(found.success, again.success)
    half = clean.where(clean.sample % 2 == 0)
    assert (
        pair_success(half, targeted, K).samples.sum()
        == pair_success(half, targeted.where(targeted.sample % 2 == 0), K).samples.sum()
    )


def test_new_names_permute_the_matrix():
    clean, targeted = aimed(seed=2)
    names = np.array([3, 0, 4, 1, 2])
    renamed = [
        Outcomes.build(
            sample=rows.sample,
            threat=rows.threat,
            label=names[rows.label],
            prediction=names[rows.prediction],
            target=np.where(rows.target < 0, -1, names[rows.target]),
        )
        for rows in (clean, targeted)
    ]
    before, after = pair_success(clean, targeted, K).success, pair_success(*renamed, K).success
    np.testing.assert_array_equal(after[np.ix_(names, names)], before)
    np.testing.assert_allclose(hub_scores(after)[names], hub_scores(before))
    np.testing.assert_allclose(exposure_scores(after)[names], exposure_scores(before))


def test_parts_add_up():
    clean, targeted = aimed(seed=3)
    success = pair_success(clean, targeted, K).success
    found = parts(success)
    known = ~np.isnan(success) & ~np.isnan(success.T)
    np.testing.assert_allclose((found.symmetric + found.asymmetric)[known], success[known])
    np.testing.assert_array_equal(found.symmetric, found.symmetric.T)
    np.testing.assert_array_equal(found.asymmetric, -found.asymmetric.T)
    assert np.isnan(found.symmetric[0, 1])


def test_hubs_and_exposure():
    nan = np.nan
    success = np.array([[nan, 0.9, nan], [0.2, nan, 0.4], [nan, 0.5, nan]])
    np.testing.assert_allclose(hub_scores(success), [0.2, 0.7, 0.4])
    np.testing.assert_allclose(exposure_scores(success), [0.9, 0.3, 0.5])
    np.testing.assert_array_equal(hub_scores(np.full((2, 2), nan)), [nan, nan])
    ranked = ranked_pairs(success)
    assert list(zip(ranked.source, ranked.target, strict=True)) == [(0, 1), (2, 1), (1, 2), (1, 0)]
    np.testing.assert_allclose(ranked.success, [0.9, 0.5, 0.4, 0.2])


def test_errors_explained_by_the_first_pairs():
    label = np.array([0, 0, 0, 1, 1, 2, 2])
    prediction = np.array([1, 1, 2, 1, 0, 2, 1])  # errors: 0>1 twice, 0>2, 1>0, 2>1
    source, target = np.array([0, 2, 1, 0, 2]), np.array([1, 0, 2, 2, 1])
    np.testing.assert_allclose(
        explained_errors(source, target, label, prediction, 3), [2 / 5, 2 / 5, 2 / 5, 3 / 5, 4 / 5]
    )
    assert np.isnan(explained_errors(source, target, label, label, 3)).all()


def test_no_targeted_rows():
    clean, targeted = aimed(seed=4)
    assert np.isnan(pair_success(clean, clean, K).success).all()
    assert pair_success(clean.where(np.zeros(0, int)), targeted, K).samples.sum() == 0
