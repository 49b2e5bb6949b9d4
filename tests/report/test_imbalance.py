"""Training counts in the report: the same numbers in every form, from rows with a known answer."""

import csv
import io
import json

import numpy as np
import pytest
import synthetic_runs as runs
from jsonschema import Draft202012Validator
from pages import Page

from weakspot.errors import InputError
from weakspot.outcomes import Outcomes
from weakspot.report.findings import findings
from weakspot.report.html import to_html
from weakspot.report.imbalance_tables import imbalance_figure, imbalance_grids
from weakspot.report.latex import to_latex
from weakspot.report.markdown import to_markdown
from weakspot.report.schema import json_schema
from weakspot.report.summary import summarise
from weakspot.report.tables import grids
from weakspot.report.values import to_csv

NAMES = ("cat", "<b>dog</b>", "{{ 7 }}", "ship", "truck")
SIZES = (13, 17, 19, 23, 29)
TRAINED = (30, 4000, 2, 500, 90)
GROUPS = {"head": (1, 3), "medium": (4,), "tail": (0, 2)}
ATTACK = "pgd@linf:0.1"


def made(corruptions=(), names=NAMES):
    """A run with groups of coprime sizes, in which a fifth is wrong when clean and more falls to the attack."""
    draw = np.random.default_rng(1)
    label = np.repeat(np.arange(5), SIZES)
    draw.shuffle(label)
    number, stray = np.arange(len(label)), (label + draw.integers(1, 5, len(label))) % 5
    fate = draw.choice(3, len(label), p=[0.2, 0.3, 0.5])
    rows = []
    for threat, right in (("clean", fate > 0), (ATTACK, fate > 1)):
        rows.append(Outcomes.build(
            sample=number, label=label, threat=threat, correct=right, prediction=np.where(right, label, stray),
            margin=np.where(right, 1.0, -1.0),
        ))  # fmt: skip
    for address in corruptions:
        right = draw.random(len(label)) < 0.6
        rows.append(Outcomes.build(
            sample=number, label=label, threat=address, correct=right, prediction=np.where(right, label, stray),
            severity=int(address[-1]),
        ))  # fmt: skip
    plan = runs.manifest(names, (ATTACK,), len(label), corruptions)
    plan["units"] = []
    plan["training"] = {"name": "made+lt=2000+lt_order=3", "counts": list(TRAINED)}
    return plan, Outcomes.join(rows)


@pytest.fixture(scope="module")
def run():
    return made()


@pytest.fixture(scope="module")
def summary(run):
    return summarise(*run)


def mean_of(members, tell):
    return sum(tell(c) for c in members) / len(members)


def test_groups_by_a_plain_loop(run, summary):
    assert not list(Draft202012Validator(json.loads(json_schema())).iter_errors(summary))
    found = summary["imbalance"]
    assert found["counts"] == list(TRAINED)
    assert found["ratio"] == 2000
    assert found["members"] == [next(name for name, all_ in GROUPS.items() if c in all_) for c in range(5)]
    clean, attacked = (
        list(zip(rows.label, rows.prediction, strict=True)) for rows in map(run[1].of, ("clean", ATTACK))
    )

    def accuracy(pairs):
        return lambda c: sum(y == p == c for y, p in pairs) / SIZES[c]

    def positives(pairs):
        return lambda c: sum(y != c and p == c for y, p in pairs) / (sum(SIZES) - SIZES[c])

    for condition, pairs in (("clean", clean), ("robust", attacked)):
        each = found["conditions"][condition]
        for group in each["groups"]:
            members = GROUPS[group["name"]]
            assert group["classes"] == [NAMES[c] for c in members]
            assert group["accuracy"]["value"] == pytest.approx(mean_of(members, accuracy(pairs)))
            assert group["natural_error"]["value"] == pytest.approx(1 - mean_of(members, accuracy(clean)))
            lost = mean_of(members, accuracy(clean)) - mean_of(members, accuracy(pairs))
            assert group["boundary_error"]["value"] == pytest.approx(lost)
            assert group["false_positive_rate"]["value"] == pytest.approx(mean_of(members, positives(pairs)))
        ends = [mean_of(GROUPS[name], accuracy(pairs)) for name in ("head", "tail")]
        assert each["gap"]["value"] == pytest.approx(ends[0] - ends[1])
        assert each["gap"]["low"] < each["gap"]["value"] < each["gap"]["high"]


def test_balanced_accuracy_has_an_interval_everywhere(summary):
    for cell in (*summary["threats"].values(), summary["robust"]):
        assert cell["balanced_low"] < cell["balanced_accuracy"] < cell["balanced_high"]
        assert cell["balanced_accuracy"] == pytest.approx(np.mean([one["accuracy"] for one in cell["classes"]]))
    (table,) = [grid for grid in grids(summary) if grid.title == "Disparity over classes"]
    cell = summary["robust"]
    shown = "{balanced_accuracy:.1%} [{balanced_low:.1%}, {balanced_high:.1%}]".format(**cell).replace("%", "")
    assert shown in table.columns["balanced"]


def test_tables_csv_and_texts_say_the_same(summary):
    groups, classes = imbalance_grids(summary)
    assert groups.columns["group"] == ["head", "medium", "tail"]
    assert groups.columns["trained on"] == ["4,500", "90", "32"]
    assert [heading for heading in groups.columns if "error" in heading] == ["natural error", "boundary error"]
    assert classes.columns["trained on"] == ["4,000", "500", "90", "30", "2"]
    assert classes.columns["class"] == [NAMES[c] for c in (1, 3, 4, 0, 2)]
    lines = list(csv.DictReader(io.StringIO(to_csv(summary))))
    trained = {line["class"]: (int(line["training"]), line["group"]) for line in lines if line["scope"] == "trained"}
    members = summary["imbalance"]["members"]
    assert trained == {name: (TRAINED[c], members[c]) for c, name in enumerate(NAMES)}
    by_group = {(line["threat"], line["group"]): line for line in lines if line["scope"] == "group"}
    assert len(by_group) == 6
    for condition, each in summary["imbalance"]["conditions"].items():
        for group in each["groups"]:
            line = by_group[condition, group["name"]]
            assert float(line["accuracy"]) == group["accuracy"]["value"]
            assert float(line["boundary_error_high"]) == group["boundary_error"]["high"]
            assert float(line["false_positive_rate_low"]) == group["false_positive_rate"]["low"]
    assert any("4,000 to 2 samples of a class" in sentence for sentence in findings(summary))
    for text in (to_latex(summary), to_markdown(summary)):
        assert "Classes by training count, means over classes" in text
        assert "balanced" in text


def test_the_page_shows_it_and_runs_no_name(run, summary):
    text = to_html(summary, run[0])
    page = Page(text)
    (section,) = page.find("section", id="imbalance")
    assert "<b>dog" not in text
    tables = [page.table(element) for element in section[3] if element[0] == "table"]
    assert [line[0] for line in tables[0]] == ["group", "head", "medium", "tail", "balanced"]
    assert [line[1] for line in tables[1][1:]] == ["4,000", "500", "90", "30", "2"]
    drawn = page.drawings()["figures"]["imbalance"]
    assert drawn == json.loads(json.dumps(imbalance_figure(summary)))
    assert [len(trace["x"]) for trace in drawn["data"]] == [5, 5]
    assert drawn["layout"]["xaxis"]["ticktext"] == [
        "2", "5", "10", "20", "50", "100", "200", "500", "1,000", "2,000", "5,000"
    ]  # fmt: skip
    assert page.find("a", href="#imbalance")


@pytest.mark.parametrize("training", [None, {"name": "even", "counts": [7, 7, 7, 7, 7]},
                                      {"name": "control", "counts": [8, 8, 7, 7, 7]}])  # fmt: skip
def test_no_section_without_unlike_counts(run, training):
    plan = {**run[0], "training": training}
    found = summarise(plan, run[1])
    assert found["imbalance"] is None
    assert imbalance_grids(found) == []
    assert not Page(to_html(found, plan)).find("section", id="imbalance")
    assert not [line for line in csv.DictReader(io.StringIO(to_csv(found))) if line["scope"] in ("group", "trained")]
    without = {key: value for key, value in plan.items() if key != "training"}
    assert summarise(without, run[1]) == found


def test_counts_that_disagree_with_the_data_are_one_line(run):
    plan = {**run[0], "training": {"name": "other", "counts": [5, 4]}}
    with pytest.raises(InputError, match="for each of 5 classes, got 2 numbers"):
        summarise(plan, run[1])


def test_corruptions_have_groups_without_a_decomposition():
    plan, rows = made(corruptions=("fog@1", "fog@3"))
    plan["threats"] = [threat for threat in plan["threats"] if threat["address"] != ATTACK]
    found = summarise(plan, rows.where(rows.threat != ATTACK))
    assert not list(Draft202012Validator(json.loads(json_schema())).iter_errors(found))
    groups = found["imbalance"]["conditions"]["corrupted"]["groups"]
    for group in groups:
        values = [found["corrupted"]["classes"][c]["accuracy"] for c in GROUPS[group["name"]]]
        assert group["accuracy"]["value"] == pytest.approx(np.mean(values))
        assert group["boundary_error"]["value"] is None
    first, _ = imbalance_grids(found)
    assert set(first.columns["false pos. rate"]) == {"-"}
    assert "natural error" not in first.columns
    assert to_html(found, plan)


def test_a_class_without_training_samples_has_no_place_in_the_picture():
    plan, rows = made()
    plan["training"]["counts"][2] = 0
    found = summarise(plan, rows)
    assert found["imbalance"]["ratio"] is None
    assert [len(trace["x"]) for trace in imbalance_figure(found)["data"]] == [4, 4]


def test_many_classes_are_grouped_and_not_listed():
    classes = [f"class {c}" for c in range(60)]
    plan = runs.manifest(classes, runs.QUICK[:1], 600)
    plan["training"] = {"name": "many", "counts": [5 * c + 1 for c in range(60)]}
    found = summarise(plan, runs.rows(plan))
    (only,) = imbalance_grids(found)
    assert only.columns["classes"] == ["20", "20", "20"]
