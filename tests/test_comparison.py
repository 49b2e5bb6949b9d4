"""`weakspot.compare` and `weakspot compare`: numbers against plain loops and statsmodels, gates, refusals, outputs."""

import copy
import dataclasses
import io
import json
import re
import sys
from collections import Counter
from pathlib import Path
from statistics import mean

import jsonschema
import numpy as np
import plotly.graph_objects as go
import pytest
from rich.console import Console
from scipy.stats import binomtest, spearmanr
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

sys.path.insert(0, str(Path(__file__).parent / "report"))

import synthetic_runs as runs
from pages import Page

import weakspot
from weakspot.cli import main
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes
from weakspot.report.comparison_html import comparison_page
from weakspot.report.comparison_schema import COMPARISON_SCHEMA_FILE, comparison_json_schema
from weakspot.report.comparison_tables import comparison_terminal

PUBLISHED = json.loads(COMPARISON_SCHEMA_FILE.read_text())
SAMPLES = 600
SOME = ["fog@1", "fog@5", "snow@3"]


def plan_of(number, classes=runs.CIFAR, samples=SAMPLES):
    plan = runs.manifest(classes, runs.QUICK[:2], samples, SOME)
    plan["model"] |= {"digest": f"{number:064d}", "address": f"model-{number}"}
    return plan


def rows_of(number, plan):
    """Runs of one data set: the labels stay, the higher the number the fewer are broken."""
    return runs.rows(plan, seed=0, strength=0.32 - 0.04 * number, clean_error=0.16 - 0.02 * number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four finished runs, model 0 to 3, of the same data."""
    made = tmp_path_factory.mktemp("runs")
    for number in range(4):
        plan = plan_of(number)
        runs.write(made / f"run{number}", plan, rows_of(number, plan))
    return made


@pytest.fixture(scope="module")
def found(folder):
    gates = ["robust >= 0", "low(class(cat).robust) >= 0.9"]
    return weakspot.compare(folder / "run0", folder / "run3", gates=gates)


def check(summary):
    jsonschema.Draft202012Validator(PUBLISHED).validate(summary)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def right_under(number, threats):
    """Label, and whether the model is right on the sample clean and under all of these, by a plain loop."""
    table = rows_of(number, plan_of(number))
    right = {}
    for sample, label, threat, correct in zip(table.sample, table.label, table.threat, table.correct, strict=True):
        if threat in ("clean", *threats):
            before = right.get(int(sample), (int(label), True))
            right[int(sample)] = (before[0], before[1] and bool(correct))
    return right


def test_a_gain_that_only_one_attack_shows_is_counted_by_a_plain_loop(folder, found):
    attacks = [threat["address"] for threat in plan_of(0)["threats"] if threat["kind"] == "adversarial"]
    shown = found.summary["comparisons"][0]["fake_gains"]
    assert [each["threat"] for each in shown] == attacks
    assert len(attacks) == 2
    for each in shown:
        weak, strong = ([right_under(number, of) for number in (0, 3)] for of in ([each["threat"]], attacks))
        by_class = {}
        for sample, (label, _) in weak[0].items():
            gains = [int(after[sample][1]) - int(before[sample][1]) for before, after in (weak, strong)]
            by_class.setdefault(label, []).append(gains)
        gain, confirmed = (mean(mean(pair[at] for pair in pairs) for pairs in by_class.values()) for at in (0, 1))
        assert each["gain"] == pytest.approx(gain)
        assert each["confirmed"] == pytest.approx(confirmed)
        assert each["value"] == pytest.approx(gain - confirmed)
        assert each["low"] < each["value"] < each["high"]
        assert each["seen"] == (each["low"] > 0)
        for number, one in enumerate(each["classes"]):
            assert one["name"] == runs.CIFAR[number]
            assert one["value"] == pytest.approx(mean(a - b for a, b in by_class[number]))
    several = weakspot.compare([folder / "run0", folder / "run1"], folder / "run3")
    assert several.summary["comparisons"][0]["fake_gains"] == []


def test_an_attack_on_some_images_only_has_no_fake_gain_and_stops_nothing(tmp_path):
    for number in (0, 1):
        plan, made = plan_of(number), rows_of(number, plan_of(number))
        partial = plan["threats"][2]["address"]
        runs.write(tmp_path / f"run{number}", plan, made.where((made.threat != partial) | (made.sample % 2 == 0)))
    summary = weakspot.compare(tmp_path / "run0", tmp_path / "run1").summary
    (shown,) = summary["comparisons"][0]["fake_gains"]
    assert shown["threat"] == plan["threats"][1]["address"]
    check(summary)


def test_a_fake_gain_is_flagged(tmp_path):
    """Model 1 fools the first attack and not the second: right under the first on every image."""
    for number in (0, 1):
        plan = plan_of(number)
        made = rows_of(0, plan)
        first = plan["threats"][1]["address"]
        right = made.sample[(made.threat == "clean") & made.correct]
        lifted = (made.threat == first) & np.isin(made.sample, right) & (number == 1)
        correct = made.correct | lifted
        prediction = np.where(lifted, made.label, made.prediction)
        margin = np.where(lifted, np.abs(made.margin), made.margin)
        runs.write(tmp_path / f"run{number}", plan, dataclasses.replace(
            made, correct=correct, prediction=prediction, margin=margin))  # fmt: skip
    summary = weakspot.compare(tmp_path / "run0", tmp_path / "run1").summary
    flagged, honest = summary["comparisons"][0]["fake_gains"]
    assert flagged["seen"]
    assert flagged["low"] > 0.05
    assert not honest["seen"]
    check(summary)
    table = shown(summary, 200).partition("Gains under one attack")[2].splitlines()
    flags = ["overstated" in next(line for line in table if each["threat"] in line) for each in (flagged, honest)]
    assert flags == [True, False]


def robust(number):
    """Label, and whether every attack fails, by sample; without the code under test."""
    attacks = [threat["address"] for threat in plan_of(number)["threats"] if threat["kind"] == "adversarial"]
    return right_under(number, attacks)


def test_the_published_schema_is_the_types_one():
    assert COMPARISON_SCHEMA_FILE.read_text() == comparison_json_schema()
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)


def test_every_class_against_plain_loops_and_statsmodels(found):
    check(found.summary)
    (compared,) = found.summary["comparisons"]
    assert list(compared["conditions"]) == ["robust", "clean", "corrupted"]
    one, two = robust(0), robust(3)
    entries = compared["conditions"]["robust"]["classes"]
    p = []
    for c, entry in enumerate(entries):
        mine = [s for s, (label, _) in one.items() if label == c]
        lost = sum(one[s][1] and not two[s][1] for s in mine)
        gained = sum(two[s][1] and not one[s][1] for s in mine)
        assert (entry["name"], entry["samples"]) == (runs.CIFAR[c], len(mine))
        assert (entry["lost"], entry["gained"]) == (lost, gained)
        assert entry["first"] == pytest.approx(mean(one[s][1] for s in mine))
        assert entry["last"] == pytest.approx(mean(two[s][1] for s in mine))
        assert entry["difference"] == pytest.approx((gained - lost) / len(mine))
        assert entry["low"] < entry["lower"] < entry["difference"] < entry["upper"] < entry["high"]
        p.append(binomtest(lost, lost + gained).pvalue if lost + gained else 1.0)
        assert entry["p"] == pytest.approx(p[-1])
    np.testing.assert_allclose([e["p_holm"] for e in entries], multipletests(p, method="holm")[1])


def test_the_figures_of_all_classes(found):
    (compared,) = found.summary["comparisons"]
    whole = compared["conditions"]["robust"]
    sides = [list(robust(number).values()) for number in (0, 3)]
    averages = [mean(right for _, right in side) for side in sides]
    by_class = [[mean(right for label, right in side if label == c) for c in range(10)] for side in sides]
    assert (whole["overall"]["first"], whole["overall"]["last"]) == pytest.approx(tuple(averages))
    assert whole["overall"]["difference"] == pytest.approx(averages[1] - averages[0])
    assert whole["balanced"]["difference"] == pytest.approx(mean(by_class[1]) - mean(by_class[0]))
    worst = whole["worst_class"]
    assert (worst["first"], worst["last"]) == pytest.approx((min(by_class[0]), min(by_class[1])))
    assert worst["difference"] == pytest.approx(min(by_class[1]) - min(by_class[0]))
    assert worst["first_class"] == runs.CIFAR[int(np.argmin(by_class[0]))]
    gains = (min(by_class[1]) / min(by_class[0]) - 1) + (averages[1] / averages[0] - 1)
    assert whole["rho"] == pytest.approx(gains)
    for change in (whole["overall"], whole["balanced"], worst):
        assert change["low"] <= change["difference"] <= change["high"]


def lonely(tmp_path, name, right, number):
    """A clean run of four classes of 48 images, of which the first has `right` correct ones."""
    plan = plan_of(number, tuple("abcd"), 192)
    plan["threats"] = plan["threats"][:1]
    plan["units"] = [unit for unit in plan["units"] if unit["threat"] == "clean"]
    table = runs.rows(plan, seed=0, clean_error=0.0).of("clean")
    count = np.bincount(table.label, minlength=4)
    rank = np.array([(table.label[:at] == label).sum() for at, label in enumerate(table.label)])
    correct = np.where(table.label == 0, rank < right, rank < 0.8 * count[table.label])
    prediction = np.where(correct, table.label, (table.label + 1) % 4)
    rows = Outcomes.build(**table.columns() | {"prediction": prediction, "correct": correct})
    return runs.write(tmp_path / name, plan, rows)


@pytest.mark.parametrize("right, uncertain", [(0, False), (1, True), (4, True), (25, False)])
def test_rho_of_a_worst_class_that_is_hardly_known_is_remarked(tmp_path, right, uncertain):
    before, after = lonely(tmp_path, "before", right, 0), lonely(tmp_path, "after", 30, 1)
    found = weakspot.compare(before, after)
    check(found.summary)
    clean = found.summary["comparisons"][0]["conditions"]["clean"]
    assert (clean["rho"] is None) is (right == 0)  # a division by 0 is a dash, and needs no remark
    assert clean["rho_uncertain"] is uncertain
    said = "whose interval is wider than itself"
    assert (said in shown(found.summary, 200)) is uncertain
    assert (said in comparison_page(found.summary)) is uncertain
    back = weakspot.compare(after, before).summary["comparisons"][0]["conditions"]["clean"]
    assert back["rho_uncertain"] is False


def by_hand(number, condition):
    """Spearman's correlation over classes of CFPS with accuracy of one run, by plain loops and scipy."""
    table = rows_of(number, plan_of(number))
    wrong, drawn, last = Counter(), Counter(), {}
    for each in zip(
        table.sample, table.label, table.threat, table.prediction, table.correct, table.margin, strict=True
    ):
        sample, label, threat, prediction, correct, margin = each
        if threat != "clean" and (condition == "clean" or "@linf" not in threat):
            continue
        # Wrong before right, and wrong when clean stays so; else the lowest margin, the first of equals.
        key = (bool(correct), threat != "clean" and not correct, float(margin))
        if int(sample) not in last or key < last[int(sample)][0]:
            last[int(sample)] = (key, int(label), int(prediction))
    for _, label, prediction in last.values():
        wrong[label] += label != prediction
        drawn[prediction] += label != prediction
    size = Counter(label for _, label, _ in last.values())
    accuracy = [1 - wrong[c] / size[c] for c in range(10)]
    return spearmanr([drawn[c] for c in range(10)], accuracy).statistic


def test_three_models_together(folder):
    paths = [folder / f"run{number}" for number in range(4)]
    found = weakspot.compare(*paths)
    check(found.summary)
    assert list(found.summary["over_models"]) == ["robust", "clean"]
    text, page = shown(found.summary, 160), Page(comparison_page(found.summary))
    table = next(rows for rows in map(page.table, page.find("table")) if rows[0][0] == "model")
    assert table[0] == ["model", "robust", "clean"]
    for column, (condition, each) in enumerate(found.summary["over_models"].items(), 1):
        values = [by_hand(number, condition) for number in range(4)]
        assert each["models"] == [f"run{number}" for number in range(4)]
        assert each["values"] == pytest.approx(values)
        z = np.arctanh(values)
        low, high = student.interval(0.95, 3, z.mean(), z.std(ddof=1) / 2)
        together = each["together"]
        assert (together["value"], together["low"], together["high"]) == pytest.approx(
            (np.tanh(z.mean()), np.tanh(low), np.tanh(high))
        )
        assert (together["count"], together["resampled"]) == (4, "models")
        said = f"{np.tanh(z.mean()):+.2f} [{np.tanh(low):+.2f}, {np.tanh(high):+.2f}]"
        assert said in text
        assert [row[column] for row in table[1:]] == [*(f"{value:+.2f}" for value in values), said]
    assert "mean of 4 models" in text
    assert "takes the models as the sample, not classes or images: 4 of 4 models" in " ".join(text.split())
    seeds = weakspot.compare([paths[0], paths[1]], paths[2]).summary["over_models"]
    assert seeds["robust"]["models"] == ["run0", "run1", "run2"]


def test_two_models_say_nothing_together(folder):
    """Nor does one model that was audited three times."""
    for paths in (("run0", "run1"), ("run0", "run0", "run0", "run1")):
        found = weakspot.compare(*(folder / name for name in paths))
        check(found.summary)
        assert found.summary["over_models"] == {}
        assert "mean of" not in shown(found.summary, 160).replace("mean of classes", "")
    assert weakspot.compare(folder / "run0", gates=["robust >= 0"]).summary["over_models"] == {}


def test_corrupted_means_over_corruptions(found):
    corrupted = found.summary["comparisons"][0]["conditions"]["corrupted"]
    for c, entry in enumerate(corrupted["classes"]):
        tables = [rows_of(number, plan_of(number)) for number in (0, 3)]
        means = [t.correct[np.isin(t.threat, SOME) & (t.label == c)].mean() for t in tables]
        assert (entry["first"], entry["last"]) == pytest.approx(tuple(means))
        assert (entry["lost"], entry["gained"]) == (None, None)


def test_gates_have_their_evidence(found):
    passed, failed = found.gates
    assert (passed["passed"], failed["passed"], found.passed, found.summary["passed"]) == (True, False, False, False)
    change = found.summary["comparisons"][0]["conditions"]["robust"]
    assert passed["measure"]["value"] == change["overall"]["difference"]
    assert failed["value"] == change["classes"][3]["lower"]
    assert (failed["run"], failed["against"]) == ("run3", "run0")


def test_seeds_are_crossed_with_images(folder):
    compared = weakspot.compare(f"{folder}/run0,{folder}/run1", [folder / "run2", folder / "run3"])
    check(compared.summary)
    assert [side["label"] for side in compared.summary["sides"]] == ["run0, run1", "run2, run3"]
    entries = compared.summary["comparisons"][0]["conditions"]["robust"]["classes"]
    right = [robust(number) for number in range(4)]
    single = weakspot.compare(folder / "run0", folder / "run2").summary["comparisons"][0]["conditions"]["robust"]
    for c, entry in enumerate(entries):
        means = [mean(r for label, r in one.values() if label == c) for one in right]
        assert entry["difference"] == pytest.approx(mean(means[2:]) - mean(means[:2]))
        assert entry["samples"] == single["classes"][c]["samples"]  # images are not pooled
        assert entry["lost"] is None
    assert compared.summary["comparisons"][0]["conditions"]["robust"]["runs"] == [2, 2]
    assert compared.summary["passed"] is None
    assert compared.passed


def test_the_first_run_is_compared_with_each_other(folder):
    compared = weakspot.compare(*(folder / f"run{n}" for n in (1, 0, 2)), gates=["worst_class_clean >= -1"])
    check(compared.summary)
    assert [(c["first"], c["last"]) for c in compared.summary["comparisons"]] == [("run1", "run0"), ("run1", "run2")]
    assert [(g["against"], g["run"]) for g in compared.gates] == [("run1", "run0"), ("run1", "run2")]


def test_a_gate_on_one_run_is_about_its_values(folder):
    compared = weakspot.compare(folder / "run0", gates=["robust >= 0.2", "low(worst_class_robust) >= 0.99"])
    check(compared.summary)
    right = [each for _, each in robust(0).values()]
    assert compared.gates[0]["value"] == pytest.approx(mean(right))
    summary = weakspot.open_run(folder / "run0").summary
    assert compared.gates[0]["measure"]["low"] == pytest.approx(summary["robust"]["low"])  # the report's own interval
    assert compared.gates[1]["measure"]["low"] == pytest.approx(summary["robust"]["worst_class"]["low"])
    assert compared.summary["comparisons"] == []
    assert [each["passed"] for each in compared.gates] == [True, False]


def test_the_report_and_the_comparison_agree_on_corrupted_intervals(folder):
    (gate,) = weakspot.compare(folder / "run0", gates=["corrupted >= 0"]).gates
    cell = weakspot.open_run(folder / "run0").summary["corrupted"]
    assert gate["measure"]["value"] == cell["accuracy"]
    assert gate["measure"]["low"] == pytest.approx(cell["low"], rel=0.02)


def spoilt(folder, number, **data):
    """A copy of run 1's manifest with other data, or threats, with the rows beside it."""
    plan = copy.deepcopy(plan_of(1))
    plan["data"] |= data.pop("data", {})
    plan |= data
    return runs.write(folder / f"spoilt{number}", plan, rows_of(1, plan_of(1)))


@pytest.mark.parametrize(
    "change, says",
    [
        ({"data": {"digest": "0" * 64}}, "data digest"),
        ({"data": {"split": "train"}}, "split: test and train"),
        ({"data": {"classes": [*runs.CIFAR[:9], "lorry"]}}, "class names"),
        ({"threats": plan_of(1)["threats"][:-1]}, "threat snow@3 is in the first run only"),
    ],
)
def test_runs_that_differ_are_refused_with_the_difference(folder, tmp_path, change, says):
    other = spoilt(tmp_path, 0, **change)
    with pytest.raises(InputError, match="cannot be compared") as error:
        weakspot.compare(folder / "run0", other)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unfinished_run_is_refused(folder, tmp_path):
    plan = plan_of(1)
    table = runs.without(plan, rows_of(1, plan), [plan["units"][-1]["file"]])
    half = runs.write(tmp_path / "half", plan, table)
    with pytest.raises(InputError, match=r"half is not finished: 1 of 18 units are missing; repeat"):
        weakspot.compare(folder / "run0", half)


@pytest.mark.parametrize(
    "sides, gates, says",
    [
        (["run0"], [], "needs two runs, or one run and a gate"),
        (["run0,run1"], ["robust >= 0"], "is about one run"),
        (["run0,run0", "run1"], [], "are of the same model"),
        (["run0", "run1"], ["robust > high"], "METRIC OPERATOR NUMBER"),
        (["run0", "run1"], ["class(kat).robust > 0"], "did you mean 'class(cat).robust'"),
        (["run0", "nowhere"], [], "manifest.json"),
    ],
)
def test_what_cannot_be_compared_is_one_line(folder, monkeypatch, sides, gates, says):
    monkeypatch.chdir(folder)
    with pytest.raises(InputError) as error:
        weakspot.compare(*sides, gates=gates)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_gate_on_a_name_that_two_classes_have_is_refused(tmp_path):
    plan = plan_of(0, ("a", "b", "b"), 60)
    run = runs.write(tmp_path / "run", plan, rows_of(0, plan))
    assert weakspot.compare(run, gates=["class(a).robust >= 0"]).passed
    with pytest.raises(InputError, match="2 classes are called 'b'"):
        weakspot.compare(run, gates=["class(b).robust >= 0"])


def test_the_same_run_twice_has_not_changed(folder):
    change = weakspot.compare(folder / "run0", folder / "run0").summary["comparisons"][0]["conditions"]["robust"]
    assert {entry["difference"] for entry in change["classes"]} == {0.0}
    assert {entry["p_holm"] for entry in change["classes"]} == {1.0}
    assert change["worst_class"]["difference"] == 0
    assert change["overall"]["low"] < 0 < change["overall"]["high"]


def test_degenerate_runs(tmp_path):
    """A class without samples, one run without errors, the other with every sample wrong."""
    plans = [plan_of(number, samples=90) for number in range(2)]
    table = rows_of(0, plans[0])
    table = table.where(table.label != 4)
    for plan in plans:
        plan["units"] = [unit for unit in plan["units"] if unit["threat"] == "clean"]
        plan["threats"] = plan["threats"][:1]
    table = table.of("clean")
    right = Outcomes.build(**table.columns() | {"prediction": table.label, "correct": True})
    wrong = Outcomes.build(**table.columns() | {"prediction": (table.label + 1) % 10, "correct": False})
    pairs = zip("12", plans, (right, wrong), strict=True)
    folders = [runs.write(tmp_path / name, plan, rows) for name, plan, rows in pairs]
    found = weakspot.compare(*folders, gates=["class(deer).clean >= -1", "worst_class_clean >= -0.5"])
    check(found.summary)
    change = found.summary["comparisons"][0]["conditions"]["clean"]
    assert change["overall"]["difference"] == -1.0
    assert change["classes"][4]["difference"] is None
    assert [gate["passed"] for gate in found.gates] == [False, False]  # what cannot be shown is not passed
    assert found.gates[0]["value"] is None
    back = weakspot.compare(*reversed(folders)).summary["comparisons"][0]["conditions"]["clean"]
    assert back["rho"] is None
    text = shown(found.summary, 120)
    assert re.search(r"deer +0 +- ", text)
    cells = Page(comparison_page(found.summary)).find("td")
    assert "nan" not in text + "".join(cell[2] for cell in cells)


def test_a_thousand_classes(tmp_path):
    plans = [plan_of(number, [f"c{c}" for c in range(1000)], 2000) for number in range(2)]
    for plan in plans:
        plan["threats"] = plan["threats"][:2]
        plan["units"] = [u for u in plan["units"] if u["threat"] in ("clean", runs.QUICK[0])]
    folders = [runs.write(tmp_path / str(n), plan, rows_of(n, plan)) for n, plan in enumerate(plans)]
    found = weakspot.compare(*folders)
    check(found.summary)
    assert len(found.summary["comparisons"][0]["conditions"]["robust"]["classes"]) == 1000
    assert "980 classes between" in shown(found.summary, 100)
    assert len(comparison_page(found.summary).encode()) < 6 * 1024**2


def shown(summary, width):
    console = Console(width=width, file=io.StringIO())
    console.print(comparison_terminal(summary, width))
    return console.file.getvalue()


def signed(value):
    return f"{100 * value:+.1f}"


def test_terminal_and_page_show_the_summary(found):
    whole = found.summary["comparisons"][0]["conditions"]["robust"]
    text = shown(found.summary, 160)
    page = Page(comparison_page(found.summary))
    tables = [page.table(table) for table in page.find("table")]
    classes = next(table for table in tables if table[0][0] == "class")
    order = sorted(whole["classes"], key=lambda entry: (entry["difference"], entry["name"]))
    printed = text.split("robust, class by class:\n")[1].splitlines()[2:]
    for entry, line, row in zip(order, printed, classes[1:], strict=False):
        moved = f"{signed(entry['difference'])} [{signed(entry['low'])}, {signed(entry['high'])}]"
        assert line.split("  ")[0] == row[0] == entry["name"]
        assert moved in line
        assert row[2] == moved
        assert f"{entry['lost']}, {entry['gained']}" in line
        assert row[7] == f"{entry['lost']}, {entry['gained']}"
        word = "" if entry["p_holm"] >= 0.05 else "better" if entry["difference"] > 0 else "worse"
        assert row[3] == word
    assert "FAIL low(class(cat).robust) >= 0.9" in text
    assert "PASS robust >= 0" in text
    assert page.find("div", role="alert")[0][2].startswith("Gate failed. low(class(cat).robust) >= 0.9")
    for figure in page.drawings()["figures"].values():
        go.Figure(figure)
    drawn = page.drawings()["figures"]["change-0-0"]["data"]
    assert sorted(x for trace in drawn for x in trace["x"]) == pytest.approx(
        sorted(100 * entry["difference"] for entry in whole["classes"])
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(found, width):
    assert max(len(line.rstrip()) for line in shown(found.summary, width).splitlines()) <= max(width, 75)


def test_failed_checks_stand_above_the_numbers(folder, tmp_path):
    plan = plan_of(1)
    doubted = runs.write(tmp_path / "doubted", plan, rows_of(1, plan), runs.doubts("fail"))
    found = weakspot.compare(folder / "run0", doubted)
    check(found.summary)
    assert "doubted failed its check input gradients: 6.2 %" in shown(found.summary, 300)
    page = comparison_page(found.summary)
    assert page.index("failed its check input gradients") < page.index("<h2>")


def test_hostile_names_stay_text(tmp_path):
    plans = [plan_of(number, runs.HOSTILE, 280) for number in range(2)]
    for plan in plans:
        plan["data"]["name"] = plan["model"]["address"] = "</title><script>alert(1)</script>"
    folders = [runs.write(tmp_path / str(n), plan, rows_of(n, plan)) for n, plan in enumerate(plans)]
    found = weakspot.compare(*folders)
    page = Page(comparison_page(found.summary))
    assert [e[1].get("type") for e in page.find("script")] == ["application/json", "text/plain", None]
    assert page.find("img") == []
    assert not set(shown(found.summary, 200)) & {"\x1b", "\u202e", "\r"}


def test_the_command_ends_with_1_if_a_gate_fails(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert main(["compare", "run0", "run3", "--gate", "robust >= -0.5"]) == 0
    assert "PASS robust >= -0.5" in capsys.readouterr().out
    gates = ["--gate", "robust >= -0.5", "--gate", "low(class(cat).robust) >= 0.9"]
    assert main(["compare", "run0", "run3", *gates]) == 1
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("weakspot: gate failed: low(class(cat).robust) >= 0.9 (run0 to run3): +0.")
    assert main(["compare", "run0", "run3", *gates, "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    check(content)
    assert content == weakspot.compare("run0", "run3", gates=gates[1::2]).summary


def test_the_command_writes_a_page_and_refuses_in_one_line(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    page = tmp_path / "change.html"
    assert main(["compare", "run0,run1", "run2,run3", "--html", str(page)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(page)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert main(["compare", "run0"]) == 2
    assert capsys.readouterr().err == (
        "weakspot: a comparison needs two runs, or one run and a gate; give another run or --gate CLAUSE\n"
    )
    assert main(["compare"]) == 2


def test_every_option_of_the_command_is_described():
    from weakspot.cli.compare import compare

    for name in ("run", "others", "gate", "html", "seed", "output"):
        assert f"    {name}\n        " in (compare.__doc__ or "")


def test_features_of_two_audits_are_aligned_on_common_images(tmp_path):
    draw = np.random.default_rng(0)
    seen = draw.normal(size=(300, 12))
    turned = 3 * seen @ np.linalg.qr(draw.normal(size=(12, 12)))[0] + 5
    for number, (images, features) in enumerate([(slice(0, 200), seen), (slice(50, 300), turned), (None, None)]):
        plan = plan_of(number)
        folder = tmp_path / f"run{number}"
        runs.write(folder, plan, rows_of(number, plan))
        if images is not None:
            sample = np.arange(300)[images]
            np.savez(folder / "features.npz", sample=sample, label=sample % 10, features=features[images])
    paths = [tmp_path / f"run{number}" for number in range(3)]
    summary = weakspot.compare(*paths).summary
    jsonschema.validate(summary, PUBLISHED)
    alike = summary["comparisons"][0]["alignment"]
    assert alike["images"] == 150  # a rotation, a scale and a shift change nothing
    assert alike["cka"] == pytest.approx(1)
    assert alike["unbiased"] == pytest.approx(1)
    assert summary["comparisons"][1]["alignment"] is None  # that run did not look at features
    console = Console(file=io.StringIO(), width=200)
    console.print(comparison_terminal(summary))
    said = "Features of 150 clean images: linear CKA 1"
    assert said in console.file.getvalue()
    assert said in comparison_page(summary)
    (tmp_path / "run0" / "features.npz").write_bytes(b"cut")
    with pytest.raises(InputError, match=r"features\.npz cannot be read"):
        weakspot.compare(*paths[:2])
