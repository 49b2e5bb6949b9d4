"""The per-sample worst case against a plain loop over samples, and its rules one by one."""

import numpy as np
import pytest

from weakspot.analysis.decomposition import decompose
from weakspot.analysis.worst_case import worst_case
from weakspot.outcomes import Outcomes

from .conftest import SIZES, draw, rows_of

K = len(SIZES)


def audit(seed: int) -> Outcomes:
    """Clean rows, two attacks (the second on a part of the samples, in another order), and a corruption."""
    label, clean = draw(SIZES, seed, correct=0.8)
    random = np.random.default_rng(seed)
    margin = np.round(np.where(label == clean, 1, -1) * random.random(len(label)), 1)  # rounding makes ties
    parts = [rows_of(label, clean, margin=margin, forwards=1)]
    for name, some in (("pgd@linf:1", np.arange(len(label))), ("fab@linf:1", random.permutation(len(label))[:301])):
        attacked = np.where(clean != label, clean, np.where(random.random(len(label)) < 0.6, label, (label + 3) % K))
        drop = np.round(random.random(len(label)), 1)
        lowered = np.where(attacked == label, margin * drop, np.where(clean != label, margin, -drop))
        rows = rows_of(
            label, attacked, name, margin=lowered, forwards=20, backwards=7, distance_linf=random.random(len(label))
        )
        parts.append(rows.where(some))
    parts.append(rows_of(label, (label + 1) % K, "fog@3", severity=3))
    return Outcomes.join(parts)


def by_loop(rows: Outcomes, threats: list[str], sample: int) -> dict[str, object]:
    """The worst row of one sample, found the slow way."""
    mine = [i for name in threats for i in range(len(rows)) if rows.sample[i] == sample and rows.threat[i] == name]
    wrong = [i for i in mine if not rows.correct[i]]
    clean_wrong = [i for i in wrong if rows.threat[i] == "clean"]
    best = min(clean_wrong or wrong or mine, key=lambda i: rows.margin[i])  # min keeps the first of ties
    return {
        "label": rows.label[best],
        "prediction": rows.prediction[best],
        "correct": not wrong,
        "margin": rows.margin[best],
        "distance_linf": rows.distance_linf[best],
        "found_by": rows.threat[best] if wrong else "",
        "forwards": sum(rows.forwards[i] for i in mine),
        "backwards": sum(rows.backwards[i] for i in mine),
    }


THREATS = ["clean", "pgd@linf:1", "fab@linf:1"]


@pytest.mark.parametrize("threats", [THREATS, ["fab@linf:1", "pgd@linf:1", "clean"], ["clean", "fab@linf:1"]])
def test_against_a_plain_loop(threats):
    rows = audit(seed=3)
    worst = worst_case(rows, threats)
    attacked = sorted({int(s) for s, t in zip(rows.sample, rows.threat, strict=True) if t in threats and t != "clean"})
    assert worst.sample.tolist() == attacked
    assert set(worst.threat) == {"robust"}
    for at in range(0, len(worst), 7):
        for column, value in by_loop(rows, threats, worst.sample[at]).items():
            assert getattr(worst, column)[at] == value, column


def test_the_order_of_rows_changes_nothing():
    rows = audit(seed=4)
    shuffled = rows.where(np.random.default_rng(0).permutation(len(rows)))
    for name, column in worst_case(rows, THREATS).columns().items():
        assert (column == worst_case(shuffled, THREATS).columns()[name]).all(), name


def test_more_threats_never_make_a_sample_robust():
    rows = audit(seed=5)
    fewer, more = worst_case(rows, THREATS[:2]), worst_case(rows, THREATS)
    assert (fewer.sample == more.sample).all()
    assert (more.correct <= fewer.correct).all()
    assert (more.correct < fewer.correct).any()


def test_a_corruption_is_no_adversary_and_clean_alone_is_no_attack():
    rows = audit(seed=6)
    assert len(worst_case(rows, ["clean"])) == 0
    assert worst_case(rows, THREATS).correct.any()


def test_a_wrong_argmax_at_margin_zero_beats_a_correct_one():
    label = np.array([1])
    rows = Outcomes.join(
        [rows_of(label, label, "a", margin=np.zeros(1)), rows_of(label, np.array([0]), "b", margin=np.zeros(1))]
    )
    worst = worst_case(rows, ["a", "b"])
    assert (worst.correct[0], worst.prediction[0], worst.found_by[0]) == (False, 0, "b")


def test_targets_of_one_threat_reduce_to_one_row():
    label = np.array([0, 0])
    parts = [
        rows_of(label, np.array(p), "t", target=t, margin=np.array(m))
        for t, p, m in [(1, [0, 1], [0.3, -0.1]), (2, [0, 2], [0.1, -0.4])]
    ]
    worst = worst_case(Outcomes.join(parts), ["clean", "t"])
    assert worst.prediction.tolist() == [0, 2]
    np.testing.assert_allclose(worst.margin, [0.1, -0.4], rtol=1e-6)


def test_new_names_permute_everything():
    rows = audit(seed=8)
    names = np.random.default_rng(1).permutation(K).astype(np.int32)
    renamed = Outcomes(**(rows.columns() | {"label": names[rows.label], "prediction": names[rows.prediction]}))
    before, after = worst_case(rows, THREATS), worst_case(renamed, THREATS)
    np.testing.assert_array_equal(after.prediction, names[before.prediction])
    np.testing.assert_array_equal(after.correct, before.correct)
    was, now = (decompose(all_rows.of("clean"), worst, K) for all_rows, worst in ((rows, before), (renamed, after)))
    np.testing.assert_array_equal(now.boundary_error[names], was.boundary_error)


def test_decomposition_against_a_plain_loop():
    rows = audit(seed=7)
    clean, attacked = rows.of("clean"), worst_case(rows, ["clean", "fab@linf:1"])
    found = decompose(clean, attacked, K)
    fate = {int(s): bool(c) for s, c in zip(attacked.sample, attacked.correct, strict=True)}
    for c in range(K):
        mine = [
            (bool(r), fate[int(s)])
            for s, y, r in zip(clean.sample, clean.label, clean.correct, strict=True)
            if y == c and int(s) in fate
        ]
        assert found.samples[c] == len(mine)
        assert found.natural[c] == sum(not right for right, _ in mine)
        assert found.boundary[c] == sum(right and not kept for right, kept in mine)
        if mine:
            robust = np.mean([right and kept for right, kept in mine])
            assert found.natural_error[c] + found.boundary_error[c] == pytest.approx(1 - robust)
    assert np.isnan([found.natural_error[8], found.boundary_error[8]]).all()
    assert found.overall_natural_error + found.overall_boundary_error == pytest.approx(1 - attacked.correct.mean())


def test_a_corrected_sample_does_not_lower_the_boundary_error():
    label = np.array([0, 0, 0, 0])
    clean = rows_of(label, np.array([0, 0, 1, 1]))
    fog = rows_of(label, np.array([0, 1, 0, 1]), "fog@3")
    found = decompose(clean, fog, 1)
    assert (found.natural_error[0], found.boundary_error[0]) == (0.5, 0.25)
