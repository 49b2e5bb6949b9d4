"""Gates: the grammar, the figures of one run, the verdicts; and which runs may be compared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.analysis.gates import judge, parse
from weakspot.analysis.intervals import clopper_pearson, wilson
from weakspot.analysis.measures import Measure, run_measures
from weakspot.analysis.same_runs import differences, refuse_different, remarks
from weakspot.analysis.scores import Scores
from weakspot.errors import InputError


@pytest.mark.parametrize(
    "clause, expected",
    [
        ("worst_class_robust >= -0.02", ("worst_class_robust", "value", ">=", -0.02)),
        ("low(worst_class_robust)>=-.02", ("worst_class_robust", "low", ">=", -0.02)),
        (" high( clean ) < 1e-1 ", ("clean", "high", "<", 0.1)),
        ("class(cat).robust > 0.5", ("class(cat).robust", "value", ">", 0.5)),
        ("low(class(ankle boot (left)).robust) <= +1", ("class(ankle boot (left)).robust", "low", "<=", 1.0)),
        ("class(a >= 0.5).clean >= 0", ("class(a >= 0.5).clean", "value", ">=", 0.0)),
        ("class(T-shirt/top).corrupted >= 0.", ("class(T-shirt/top).corrupted", "value", ">=", 0.0)),
    ],
)
def test_clauses(clause, expected):
    gate = parse(clause)
    assert (gate.metric, gate.bound, gate.operator, gate.number) == expected


@pytest.mark.parametrize(
    "clause", ["", "robust", "robust = 0", "robust >= x", ">= 0", "robust >= 0 or True", "robust >= nan"]
)
def test_what_is_no_clause_is_refused_in_one_line(clause):
    with pytest.raises(InputError, match="METRIC OPERATOR NUMBER") as error:
        parse(clause)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "clause, says",
    [
        ("robust => 0.1", "got the operator '=>' in 'robust => 0.1'; did you mean '>='?"),
        ("robust =< -0.1", "got the operator '=<' in 'robust =< -0.1'; did you mean '<='?"),
        ("low(robust) == 0", "got the operator '=='"),
        ("robust <> 0.1", "got the operator '<>'"),
        ("robust >= -2", "a share from -1 to 1, got -2 in 'robust >= -2'; 2 points are written 0.02"),
        ("worst_class_robust > 1.01", "2 points are written 0.02"),
    ],
)
def test_what_is_wrong_with_a_clause_is_named(clause, says):
    with pytest.raises(InputError) as error:
        parse(clause)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        gate = parse(text)
    except InputError:
        return
    assert gate.metric
    assert np.isfinite(gate.number)


def measure(value: float) -> Measure:
    return Measure(value, value - 0.2, value + 0.2, value - 0.1, value + 0.1)


MEASURES = {"robust": measure(0.5), "worst_class_robust": measure(-0.05), "class(cat).robust": measure(float("nan"))}


@pytest.mark.parametrize(
    "clause, passed",
    [
        ("robust >= 0.5", True),
        ("robust > 0.5", False),
        ("low(robust) >= 0.4", True),
        ("low(robust) >= 0.41", False),
        ("high(robust) <= 0.6", True),
        ("worst_class_robust >= -0.02", False),
        ("worst_class_robust < 0", True),
        ("class(cat).robust >= 0", False),
        ("class(cat).robust < 1", False),  # undefined is never passed
    ],
)
def test_verdicts(clause, passed):
    verdict = judge(parse(clause), MEASURES)
    assert verdict.passed is passed
    assert verdict.clause == clause
    if "low" in clause:
        assert verdict.value == pytest.approx(0.4)
        assert verdict.measure == MEASURES["robust"]


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'worst_class_robust'"):
        judge(parse("worst_clas_robust >= 0"), MEASURES)
    with pytest.raises(InputError, match=r"did you mean 'class\(cat\).robust'"):
        judge(parse("class(cats).robust >= 0"), MEASURES)
    ten = {f"class(c{number}).{scope}": measure(0.1) for number in range(10) for scope in ("robust", "clean")}
    with pytest.raises(InputError) as error:
        judge(parse("class(Nix).robust >= 0"), MEASURES | ten)
    assert all(f"class(c{number}).robust" in str(error.value) for number in range(10))
    assert ".clean" not in str(error.value)
    many = MEASURES | {f"class(c{number}).robust": measure(0.1) for number in range(1000)}
    with pytest.raises(InputError) as error:
        judge(parse("class(c77x).robust >= 0"), many)
    assert len(str(error.value)) < 300


def run(score: np.ndarray, label: np.ndarray) -> Scores:
    return Scores(np.arange(len(label)), label, score)


def test_figures_of_one_run():
    random = np.random.default_rng(0)
    label = np.repeat([0, 1, 3], [53, 97, 31])
    score = (random.random(181) < 0.6).astype(float)
    found = run_measures({"robust": run(score, label)}, ["a", "b", "c", "d"], seed=0)
    correct, samples = (np.array([score[label == c].sum() for c in (0, 1, 3)]).astype(int), np.array([53, 97, 31]))
    whole = wilson(correct.sum(), samples.sum()), wilson(correct.sum(), samples.sum(), 0.9)
    assert found["robust"].value == pytest.approx(score.mean())
    assert (found["robust"].low, found["robust"].lower) == pytest.approx((float(whole[0].low), float(whole[1].low)))
    b = wilson(correct[1], samples[1])
    assert (found["class(b).robust"].low, found["class(b).robust"].high) == pytest.approx((float(b.low), float(b.high)))
    assert np.isnan(found["class(c).robust"].value)
    assert found["worst_class_robust"].value == pytest.approx((correct / samples).min())
    limits = clopper_pearson(correct, samples, 1 - 0.05 / 3)
    assert found["worst_class_robust"].low == pytest.approx(limits.low.min())
    assert found["worst_class_robust"].high == pytest.approx(limits.high.min())
    assert found["worst_class_robust"].lower == pytest.approx(clopper_pearson(correct, samples, 1 - 0.1 / 3).low.min())
    p = correct / samples
    assert found["balanced_robust"].value == pytest.approx(p.mean())
    deviation = np.sqrt((p * (1 - p) / samples).sum()) / 3
    assert found["balanced_robust"].high - p.mean() == pytest.approx(1.96 * deviation, rel=0.05)


def test_figures_of_one_run_under_corruptions():
    random = np.random.default_rng(1)
    label = np.repeat([0, 1], [101, 211])
    score = random.integers(0, 6, 312) / 5
    found = run_measures({"corrupted": run(score, label)}, ["a", "b"], seed=0)
    mine = score[label == 1]
    assert found["class(b).corrupted"].value == pytest.approx(mine.mean())
    half = found["class(b).corrupted"].high - mine.mean()
    assert half == pytest.approx(1.96 * mine.std() / np.sqrt(211), rel=0.1)
    assert found["corrupted"].value == pytest.approx(score.mean())
    assert (
        found["worst_class_corrupted"].low < found["worst_class_corrupted"].value < found["worst_class_corrupted"].high
    )
    alike = run_measures({"corrupted": run(np.full(312, 0.5), label)}, ["a", "b"], seed=0)
    assert alike["class(a).corrupted"].low < 0.5 < alike["class(a).corrupted"].high


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_all_wrong_and_all_right(score):
    found = run_measures({"clean": run(np.full(9, score), np.arange(9) % 3)}, ["a", "b", "c"], seed=0)
    for each in found.values():
        assert each.value == score
        assert 0 <= each.low <= each.lower <= each.value <= each.upper <= each.high <= 1
        assert each.high - each.low > 0.05


def manifest(**changes: object) -> dict:
    data = {"name": "d", "split": "test", "samples": 100, "classes": ["a", "b"], "digest": "abc"}
    threats = [
        {"address": "clean", "kind": "clean", "radius": None, "comparable": True},
        {"address": "pgd@linf:0.1", "kind": "adversarial", "radius": "linf:0.1", "comparable": True},
        {"address": "fog@1", "kind": "corruption", "radius": None, "comparable": True},
    ]
    return {"schema": 1, "weakspot": "0.1", "seed": 0, "data": data, "threats": threats} | changes


def test_the_same_protocol_may_be_compared():
    assert differences(manifest(), manifest(model={"digest": "other"})) == []
    refuse_different([manifest(), manifest()], ["a", "b"])
    assert remarks(manifest(), manifest()) == []


def test_each_difference_is_named():
    one = manifest()
    other_data = one["data"] | {"digest": "xyz", "samples": 50}
    assert differences(one, manifest(data=other_data)) == ["number of samples: 100 and 50", "data digest: abc and xyz"]
    assert differences(one, manifest(threats=one["threats"][:2])) == ["threat fog@1 is in the first run only"]
    assert differences(manifest(threats=one["threats"][:2]), one) == ["threat fog@1 is in the last run only"]
    assert "order of the threats" in differences(one, manifest(threats=one["threats"][::-1]))[0]
    assert differences(one, manifest(schema=2)) == ["schema of the rows: 1 and 2"]
    changed = [one["threats"][0], one["threats"][1] | {"kind": "corruption"}, one["threats"][2]]
    assert "pgd@linf:0.1" in differences(one, manifest(threats=changed))[0]
    with pytest.raises(InputError, match="runs/x and runs/z cannot be compared, they differ in data digest"):
        refuse_different([one, one, manifest(data=one["data"] | {"digest": "q"})], ["runs/x", "runs/y", "runs/z"])


def test_of_many_threats_that_differ_three_are_named():
    one = manifest()
    fogs = [one["threats"][2] | {"address": f"fog@{severity}"} for severity in range(1, 6)]
    found = differences(one, manifest(threats=[*one["threats"][:2], *fogs]))
    assert found == [f"threat fog@{severity} is in the last run only" for severity in (2, 3, 4)] + ["1 more threat"]
    other = [threat | {"address": threat["address"].replace("fog", "snow")} for threat in fogs]
    found = differences(manifest(threats=fogs), manifest(threats=other))
    assert (len(found), found[3]) == (4, "7 more threats")
    turned = differences(manifest(threats=fogs), manifest(threats=[*fogs[:3], fogs[4], fogs[3]]))
    assert turned == ["order of the threats: number 4 is fog@4 and fog@5"]


def test_what_is_only_remarked():
    assert remarks(manifest(), manifest(seed=3, weakspot="0.2", environment={"device": "cpu"})) == [
        "version of weakspot: 0.1 and 0.2",
        "seed of the attacks: 0 and 3",
        "device: None and cpu",
    ]
    assert differences(manifest(), manifest(seed=3)) == []
