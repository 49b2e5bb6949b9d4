"""summary.json: its shape, and its numbers against plain loops over the rows."""

import json
from collections import Counter

import jsonschema
import numpy as np
import pytest
import synthetic_runs as runs
from scipy.stats import binomtest

from weakspot.outcomes import Outcomes
from weakspot.report.findings import findings
from weakspot.report.schema import SCHEMA_FILE, json_schema
from weakspot.report.summary import summarise

PUBLISHED = json.loads(SCHEMA_FILE.read_text())
KEYS = {
    "schema", "model", "data", "threats", "robust", "robust_at", "overstated", "corrupted", "pairs", "curves",
    "imbalance", "relations", "psi", "latent", "doubts", "cost", "missing",
}  # fmt: skip


def check(summary):
    """It holds only what JSON can say, and is what the published schema promises."""
    jsonschema.Draft202012Validator(PUBLISHED).validate(summary)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def small(label, clean, attacked=None, classes=("a", "b")):
    """A run of one attack from lists of labels and predictions."""
    plan = runs.manifest(classes, ("pgd@linf:8/255",) if attacked is not None else (), len(label))
    parts = [("clean", clean)] + ([("pgd@linf:8/255", attacked)] if attacked is not None else [])
    table = Outcomes.join([
        Outcomes.build(
            sample=np.arange(len(label)),
            label=np.array(label, dtype=int),
            threat=threat,
            prediction=np.array(prediction, dtype=int),
            correct=np.array(label) == np.array(prediction),
            margin=np.where(np.array(label) == np.array(prediction), 1.0, -1.0),
        )
        for threat, prediction in parts
    ])  # fmt: skip
    return plan, table


def test_the_published_schema_is_the_types_one():
    assert SCHEMA_FILE.read_text() == json_schema()
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)


def test_a_run_has_the_promised_keys_and_no_others(summary):
    check(summary)
    assert set(summary) == KEYS == set(PUBLISHED["properties"]) == set(PUBLISHED["required"])
    assert PUBLISHED["additionalProperties"] is False
    assert list(summary["threats"]) == ["clean", *runs.QUICK]
    assert summary["data"] == {"name": "cifar10", "classes": list(runs.CIFAR), "samples": 2000}


def test_the_schema_refuses_a_wrong_summary(summary):
    for spoil in ({"schema": 2}, {"extra": 1}, {"missing": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(summary | spoil, PUBLISHED)


def test_every_number_of_a_threat_against_a_plain_loop(table, summary):
    address = runs.QUICK[1]
    clean = {int(s): bool(c) for s, c in zip(*pick(table, "clean", "sample", "correct"), strict=True)}
    rows = list(zip(*pick(table, address, "sample", "label", "prediction"), strict=True))
    errors = Counter((int(y), int(p)) for _, y, p in rows if y != p)
    cell = summary["threats"][address]
    assert cell["samples"] == len(rows)
    assert cell["accuracy"] == pytest.approx(1 - errors.total() / len(rows))
    for c, entry in enumerate(cell["classes"]):
        mine = [(s, p) for s, y, p in rows if y == c]
        right = sum(p == c for _, p in mine)
        drawn = sum(count for (_, p), count in errors.items() if p == c)
        assert (entry["samples"], entry["correct"], entry["false_positives"]) == (len(mine), right, drawn)
        assert entry["accuracy"] == pytest.approx(right / len(mine))
        assert entry["natural_error"] == pytest.approx(sum(not clean[s] for s, _ in mine) / len(mine))
        assert entry["boundary_error"] == pytest.approx(sum(clean[s] and p != c for s, p in mine) / len(mine))
        assert entry["cfps"] == pytest.approx(drawn / errors.total())
        assert entry["cfns"] == pytest.approx((len(mine) - right) / errors.total())
        wilson = binomtest(right, len(mine)).proportion_ci(method="wilson")
        assert (entry["low"], entry["high"]) == pytest.approx((wilson.low, wilson.high))
        for p in range(10):
            assert cell["confusion"][c][p] == sum(q == p for _, q in mine)
    most = cell["top_confusions"][0]
    assert most["count"] == max(errors.values())
    assert most["share"] == pytest.approx(
        most["count"] / sum(y == runs.CIFAR.index(most["source"]) for _, y, _ in rows)
    )


def pick(table, threat, *columns):
    rows = table.of(threat)
    return [getattr(rows, name) for name in columns]


def test_robust_is_the_worst_case_of_each_sample(table, summary):
    broken = {int(s) for s, c in zip(table.sample, table.correct, strict=True) if not c}
    labels = dict(zip(table.sample.tolist(), table.label.tolist(), strict=True))
    for c, entry in enumerate(summary["robust"]["classes"]):
        mine = [s for s, y in labels.items() if y == c]
        assert entry["correct"] == sum(s not in broken for s in mine)
    assert summary["robust"]["accuracy"] == pytest.approx(1 - len(broken) / len(labels))
    assert all(summary["robust"]["accuracy"] <= cell["accuracy"] for cell in summary["threats"].values())


def test_the_worst_class_is_the_lowest_one_and_its_limits_hold_for_all(summary):
    for cell in (summary["robust"], *summary["threats"].values()):
        worst = cell["worst_class"]
        entry = min(cell["classes"], key=lambda entry: entry["accuracy"])
        assert (worst["name"], worst["accuracy"]) == (entry["name"], entry["accuracy"])
        assert worst["low"] < entry["low"]
        assert worst["high"] > worst["accuracy"]
        assert worst["low"] <= worst["corrected"] <= worst["high"]
        assert 0 <= worst["probability"] <= 1


def test_further_radii_have_their_own_worst_case(table):
    attacks = ("pgd@linf:8/255", "apgd-ce@linf:8/255", "pgd@linf:16/255", "pgd@l2:0.5")
    plan = runs.manifest(runs.CIFAR, attacks)
    rows = runs.rows(plan)
    summary = summarise(plan, rows)
    check(summary)
    assert list(summary["robust_at"]) == ["linf:16/255", "l2:0.5"]
    assert summary["robust_at"]["l2:0.5"]["accuracy"] == pytest.approx(rows.of("pgd@l2:0.5").correct.mean())
    alone = (rows.of(attacks[0]).correct & rows.of(attacks[1]).correct).mean()
    assert summary["robust"]["accuracy"] == pytest.approx(alone)


def test_a_sample_that_still_lacks_an_attack_is_not_called_robust(plan, table):
    gone = [unit["file"] for unit in plan["units"] if unit["threat"] == runs.QUICK[2] and unit["block"] in (1, 4)]
    rows = runs.without(plan, table, gone)
    summary = summarise(plan, rows, missing=gone)
    check(summary)
    assert summary["missing"] == gone
    assert summary["robust"]["samples"] == 2000 - 2 * runs.BLOCK
    assert summary["threats"][runs.QUICK[0]]["samples"] == 2000
    whole = np.isin(np.arange(2000) // runs.BLOCK, (1, 4), invert=True)
    broken = np.unique(table.sample[~table.correct])
    assert summary["robust"]["accuracy"] == pytest.approx(1 - np.isin(np.flatnonzero(whole), broken).mean())


def test_nothing_is_there_yet(plan):
    nothing = Outcomes.build(sample=np.zeros(0, dtype=np.int64))
    summary = summarise(plan, nothing, missing=[unit["file"] for unit in plan["units"]])
    check(summary)
    assert summary["robust"]["samples"] == 0
    assert summary["robust"]["accuracy"] is None
    assert summary["robust"]["worst_class"] is None


def test_only_clean():
    plan, table = small([0, 0, 1, 1], [0, 1, 1, 1])
    summary = summarise(plan, table)
    check(summary)
    assert summary["robust"] is None
    assert summary["robust_at"] == {}
    assert summary["threats"]["clean"]["classes"][0]["natural_error"] == 0.5
    assert summary["threats"]["clean"]["classes"][0]["boundary_error"] == 0.0


def test_a_class_without_samples_has_no_rates():
    plan, table = small([0, 0, 1, 1], [0, 0, 1, 0], [1, 0, 1, 0], classes=("a", "b", "empty"))
    summary = summarise(plan, table)
    check(summary)
    empty = summary["robust"]["classes"][2]
    undefined = ("accuracy", "low", "high", "natural_error", "boundary_error")
    assert [empty[key] for key in undefined] == [None] * 5
    assert (empty["samples"], empty["cfps"]) == (0, 0.0)
    assert [empty[key] for key in ("cfns", "cfns_low", "cfns_high")] == [None] * 3


def test_with_two_classes_nothing_is_ranked():
    plan, table = small([0, 0, 1, 1] * 9, [0, 0, 1, 0] * 9, [1, 0, 1, 0] * 9)
    summary = summarise(plan, table)
    check(summary)
    coupled = summary["relations"]["coupling"]["robust"]
    ranks = [coupled[key] for key in ("over_classes", "over_images", "uncoupled")]
    assert [each["value"] for each in ranks] == [None] * 3
    assert [coupled["split_half"][key] for key in ("cfps", "accuracy", "crossed")] == [None] * 3
    assert summary["relations"]["agreement"][0]["correlation"]["value"] is None
    assert not [line for line in findings(summary) if "rank correlation" in line]


def test_the_weakest_classes_are_undefined_among_equals():
    label = np.repeat(np.arange(5), 4)
    plan, table = small(label, np.where(np.arange(20) == 3, 4, label), (label + 1) % 5, classes=tuple("abcde"))
    summary = summarise(plan, table)
    check(summary)
    (found,) = summary["relations"]["agreement"]
    assert (found["k"], found["shared"]) == (3, None)
    (line,) = [line for line in findings(summary) if line.startswith("Weak classes")]
    assert "- of the 3 weakest are the same ones (undefined: the next weakest is equal)" in line


def test_without_errors_shares_of_errors_are_undefined():
    plan, table = small([0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1])
    summary = summarise(plan, table)
    check(summary)
    assert summary["robust"]["accuracy"] == 1.0
    assert [entry["cfps"] for entry in summary["robust"]["classes"]] == [None, None]
    assert summary["robust"]["top_confusions"] == []


def test_all_wrong():
    plan, table = small([0, 1, 0, 1], [0, 1, 0, 1], [1, 0, 1, 0])
    summary = summarise(plan, table)
    check(summary)
    assert summary["robust"]["accuracy"] == 0.0
    assert summary["robust"]["worst_class"]["low"] == 0.0
    assert summary["robust"]["confusion"] == [[0, 2], [2, 0]]


def test_many_classes_keep_their_most_frequent_confusions_only():
    plan = runs.manifest([f"class {c}" for c in range(1000)], ("pgd@linf:8/255",), 3000)
    table = runs.rows(plan)
    summary = summarise(plan, table)
    check(summary)
    rows = table.of("pgd@linf:8/255")
    wrong = rows.label != rows.prediction
    counted = Counter(zip(rows.label[wrong].tolist(), rows.prediction[wrong].tolist(), strict=True))
    cell = summary["threats"]["pgd@linf:8/255"]
    assert cell["confusion"] is None
    assert [pair["count"] for pair in cell["top_confusions"]] == [n for _, n in counted.most_common(50)]


def test_a_threat_with_several_targets_counts_each_sample_once():
    plan, table = small([0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], classes=("a", "b", "c"))
    second = table.of("pgd@linf:8/255")
    aimed = Outcomes.build(
        **second.columns() | {"target": 2, "prediction": np.array([2, 0, 1, 1]), "correct": np.array([0, 1, 1, 1]) > 0,
                              "margin": np.array([-1.0, 1, 1, 1])}
    )  # fmt: skip
    summary = summarise(plan, Outcomes.join([table, aimed]))
    cell = summary["threats"]["pgd@linf:8/255"]
    assert (cell["samples"], cell["accuracy"]) == (4, 0.75)
    assert cell["confusion"] == [[1, 0, 1], [0, 2, 0], [0, 0, 0]]


def test_cost_is_taken_or_counted_from_the_rows(plan, table):
    given = {"forwards_per_sample": 64.0, "backwards_per_sample": 60.0, "seconds": 12.5}
    assert summarise(plan, table, cost=given)["cost"] == given
    assert summarise(plan, table)["cost"] == given | {"seconds": None}


def test_undefined_figures_of_doubts_become_null(plan, table):
    found = {"check": "x", "status": "warn", "figure": float("nan"), "threshold": float("inf"), "says": "unknown"}
    summary = summarise(plan, table, [found])
    check(summary)
    assert summary["doubts"] == [found | {"figure": None, "threshold": None}]


def test_the_same_rows_give_the_same_summary(plan, table, summary):
    assert summarise(plan, table, runs.doubts()) == summary
