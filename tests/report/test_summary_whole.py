"""The corruptions, directed pairs, attraction and relations of summary.json, against plain loops over the rows."""

import math
from collections import Counter, defaultdict
from statistics import mean

import numpy as np
import pytest
import synthetic_runs as runs
from scipy.stats import binomtest, spearmanr
from test_summary import check

from weakspot.outcomes import Outcomes
from weakspot.report.summary import summarise

CORRUPTING = [f"{name}@{s}" for name in runs.CORRUPTIONS for s in range(1, 6)]
SOME = [f"{name}@{s}" for name in ("fog", "snow", "contrast") for s in (2, 5)]
AIMING = "pairs@linf:8/255"


def rows_of(table, *columns):
    return zip(*(getattr(table, name).tolist() for name in columns), strict=True)


@pytest.fixture(scope="module")
def corrupted_rows(whole_table):
    return whole_table.where(np.isin(whole_table.threat, CORRUPTING))


def test_it_is_what_the_schema_promises(whole):
    check(whole)
    assert list(whole["robust_at"]) == ["linf:4/255"]
    assert [entry["name"] for entry in whole["corrupted"]["by_corruption"]] == list(runs.CORRUPTIONS)


def test_accuracy_under_corruptions_against_plain_loops(whole, corrupted_rows):
    hits = defaultdict(list)
    for label, threat, severity, correct in rows_of(corrupted_rows, "label", "threat", "severity", "correct"):
        hits[label, threat.partition("@")[0], severity].append(correct)
    found = whole["corrupted"]
    for c in range(10):
        cells = {(name, s): mean(hits[c, name, s]) for name in runs.CORRUPTIONS for s in range(1, 6)}
        assert found["classes"][c]["accuracy"] == pytest.approx(mean(cells.values()))
        assert found["images"][c] == len(hits[c, "fog", 1])
        for entry in found["by_corruption"]:
            one = entry["classes"][c]
            line = [cells[entry["name"], s] for s in range(1, 6)]
            assert one["accuracy"] == pytest.approx(mean(line))
            assert one["slope"] == pytest.approx(np.polyfit(range(1, 6), line, 1)[0])
            assert one["low"] < one["accuracy"] < one["high"]
        for entry in found["by_severity"]:
            across = [cells[name, entry["severity"]] for name in runs.CORRUPTIONS]
            assert entry["classes"][c]["accuracy"] == pytest.approx(mean(across))
    for entry in found["by_corruption"]:
        pooled = [corrupted_rows.of(f"{entry['name']}@{s}").correct.mean() for s in range(1, 6)]
        assert entry["slope"] == pytest.approx(np.polyfit(range(1, 6), pooled, 1)[0])
    overall = corrupted_rows.correct.mean()
    assert found["accuracy"] == pytest.approx(overall)
    assert found["mean_corruption_error"] == pytest.approx(1 - overall)
    assert found["relative_corruption_error"] == pytest.approx(whole["threats"]["clean"]["accuracy"] - overall)
    fog = next(entry for entry in found["by_corruption"] if entry["name"] == "fog")
    assert fog["threats"] == [f"fog@{s}" for s in range(1, 6)]
    assert fog["accuracy"] == pytest.approx(mean(whole["threats"][f"fog@{s}"]["accuracy"] for s in range(1, 6)))


def test_intervals_under_corruptions_are_those_of_images(whole, corrupted_rows):
    right = defaultdict(list)
    for sample, label, correct in rows_of(corrupted_rows, "sample", "label", "correct"):
        right[label, sample].append(correct)
    for c, entry in enumerate(whole["corrupted"]["classes"]):
        scores = [mean(each) for (label, _), each in right.items() if label == c]
        deviation = np.std(scores) / math.sqrt(len(scores))
        assert entry["high"] - entry["low"] == pytest.approx(2 * 1.96 * deviation, rel=0.15)
    worst = whole["corrupted"]["worst_class"]
    lowest = min(whole["corrupted"]["classes"], key=lambda entry: entry["accuracy"])
    assert (worst["name"], worst["accuracy"]) == (lowest["name"], lowest["accuracy"])
    assert worst["low"] < lowest["low"]
    assert (worst["corrected"], worst["probability"]) == (None, None)


def test_errors_under_corruptions_count_rows(whole, whole_table, corrupted_rows):
    clean = dict(rows_of(whole_table.of("clean"), "sample", "correct"))
    natural, boundary, drawn = Counter(), Counter(), Counter()
    for sample, label, prediction, correct in rows_of(corrupted_rows, "sample", "label", "prediction", "correct"):
        natural[label] += not clean[sample]
        boundary[label] += clean[sample] and not correct
        drawn[prediction] += not correct
    for c, entry in enumerate(whole["corrupted"]["classes"]):
        assert entry["natural_error"] == pytest.approx(natural[c] / entry["samples"])
        assert entry["boundary_error"] == pytest.approx(boundary[c] / entry["samples"])
        assert entry["false_positives"] == drawn[c]
        assert entry["cfps"] == pytest.approx(drawn[c] / drawn.total())
        assert entry["cfps_low"] < entry["cfps"] < entry["cfps_high"]


@pytest.fixture(scope="module")
def small_plan():
    return runs.manifest(runs.CIFAR, (runs.QUICK[0], AIMING), 300, SOME)


@pytest.fixture(scope="module")
def small_table(small_plan):
    return runs.rows(small_plan)


def test_images_that_lack_a_corruption_are_left_out(small_plan, small_table):
    gone = [u["file"] for u in small_plan["units"] if u["threat"] in ("fog@2", "snow@5") and u["block"] == 1]
    found = summarise(small_plan, runs.without(small_plan, small_table, gone), missing=gone)
    check(found)
    assert sum(found["corrupted"]["images"]) == runs.BLOCK
    assert found["corrupted"]["samples"] == len(SOME) * runs.BLOCK


def test_directed_pairs_against_plain_loops(whole, whole_table):
    clean = dict(rows_of(whole_table.of("clean"), "sample", "prediction"))
    tried, ended, already = Counter(), Counter(), Counter()
    for sample, label, target, prediction in rows_of(whole_table.of(AIMING), "sample", "label", "target", "prediction"):
        tried[label, target] += 1
        ended[label, target] += prediction == target
        already[label, target] += clean[sample] == target
    found = whole["pairs"]
    assert (found["radius"], found["threats"], found["attacked"]) == ("linf:8/255", [AIMING], 90)
    for i in range(10):
        assert found["success"][i][i] is None
        for j in set(range(10)) - {i}:
            assert found["samples"][i][j] == tried[i, j]
            assert found["ended"][i][j] == ended[i, j]
            assert found["already"][i][j] == already[i, j]
            assert found["success"][i][j] == pytest.approx(ended[i, j] / tried[i, j])
        others = [j for j in range(10) if j != i]
        assert found["classes"][i]["hub"] == pytest.approx(mean(found["success"][j][i] for j in others))
        assert found["classes"][i]["exposure"] == pytest.approx(mean(found["success"][i][j] for j in others))
    shares = [pair["success"] for pair in found["top"]]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 50
    for pair in found["top"]:
        i, j = runs.CIFAR.index(pair["source"]), runs.CIFAR.index(pair["target"])
        wilson = binomtest(ended[i, j], tried[i, j]).proportion_ci(method="wilson")
        assert (pair["low"], pair["high"]) == pytest.approx((wilson.low, wilson.high))
        assert pair["back"] == found["success"][j][i]
        assert pair["symmetric"] + pair["asymmetric"] == pytest.approx(pair["success"])
        assert pair["symmetric"] - pair["asymmetric"] == pytest.approx(pair["back"])


def test_what_the_hardest_pairs_explain_is_counted_without_targeted_rows(whole, whole_table):
    free = whole_table.where(np.isin(whole_table.threat, ("clean", *runs.QUICK)))
    broken = {}
    for sample, label, prediction, margin, threat in rows_of(free, "sample", "label", "prediction", "margin", "threat"):
        if label != prediction:
            rank = (0 if threat == "clean" else 1, margin)
            broken[sample] = min(broken.get(sample, (rank, label, prediction)), (rank, label, prediction))
    counted = Counter((label, prediction) for _, label, prediction in broken.values())
    hits = 0
    for pair, share in zip(whole["pairs"]["top"], whole["pairs"]["explained"], strict=True):
        hits += counted[runs.CIFAR.index(pair["source"]), runs.CIFAR.index(pair["target"])]
        assert share == pytest.approx(hits / counted.total())


def test_disparity_attractors_and_leaks(whole):
    cell = whole["robust"]
    accuracy = sorted(entry["accuracy"] for entry in cell["classes"])
    spread = cell["disparity"]
    assert spread["worst_mean"] == pytest.approx(mean(accuracy[:3]))
    assert spread["gap"] == pytest.approx(accuracy[-1] - accuracy[0])
    assert spread["spread"] == pytest.approx(np.std(accuracy, ddof=1))
    assert 0 <= spread["spread_without_noise"] < spread["spread"]
    clean = whole["threats"]["clean"]["accuracy"]
    assert spread["nrr"] == pytest.approx(2 * clean * cell["accuracy"] / (clean + cell["accuracy"]))
    assert "cat" in [role["name"] for role in cell["leaks"]]
    for roles, share in ((cell["attractors"], "cfps"), (cell["leaks"], "cfns")):
        for role in roles:
            entry = cell["classes"][runs.CIFAR.index(role["name"])]
            assert role["share"] == entry[share]
            assert role["low"] == entry[f"{share}_low"]
            assert role["count"] > role["expected"]
            assert role["p"] < 0.05
    errors = cell["samples"] - sum(entry["correct"] for entry in cell["classes"])
    assert sum(entry["cfps"] for entry in cell["classes"]) == pytest.approx(1)
    for entry in cell["classes"]:
        assert entry["cfps_low"] < entry["cfps"] < entry["cfps_high"]
        assert entry["false_positive_rate"] * (cell["samples"] - entry["samples"]) == pytest.approx(
            entry["cfps"] * errors
        )


def test_relations_say_whether_the_weak_classes_are_the_same(whole):
    cells = {"clean": whole["threats"]["clean"], "robust": whole["robust"], "corrupted": whole["corrupted"]}
    accuracy = {name: [entry["accuracy"] for entry in cell["classes"]] for name, cell in cells.items()}
    found = {(each["first"], each["last"]): each for each in whole["relations"]["agreement"]}
    assert set(found) == {("clean", "robust"), ("clean", "corrupted"), ("robust", "corrupted")}
    for (one, two), each in found.items():
        assert each["correlation"]["value"] == pytest.approx(spearmanr(accuracy[one], accuracy[two]).statistic)
        weakest = [set(np.argsort(accuracy[name], kind="stable")[:3]) for name in (one, two)]
        assert (each["k"], each["shared"], each["by_chance"]) == (3, len(weakest[0] & weakest[1]), 0.9)
    coupled = whole["relations"]["coupling"]["robust"]
    cfps = [entry["cfps"] for entry in whole["robust"]["classes"]]
    assert coupled["over_classes"]["value"] == pytest.approx(spearmanr(cfps, accuracy["robust"]).statistic)
    assert (coupled["over_classes"]["resampled"], coupled["over_images"]["resampled"]) == ("classes", "images")
    assert coupled["null_low"] <= coupled["null_mean"] <= coupled["null_high"]
    hub = [entry["hub"] for entry in whole["pairs"]["classes"]]
    assert whole["pairs"]["hub_cfps"]["value"] is not None
    assert max(hub) <= 1


@pytest.mark.parametrize("case", ["no errors", "all wrong", "empty class", "one corruption", "aimed only", "nothing"])
def test_degenerate_runs_have_null_and_no_other_undefined_number(small_plan, small_table, case):
    plan, table, missing = small_plan, small_table, []
    if case == "no errors":
        table = Outcomes.build(**table.columns() | {"prediction": table.label, "correct": True})
    if case == "all wrong":
        table = Outcomes.build(**table.columns() | {"prediction": (table.label + 1) % 10, "correct": False})
    if case == "empty class":
        table = table.where(table.label != 4)
    if case == "one corruption":
        plan = runs.manifest(runs.CIFAR, (), 300, ["fog@2"])
        table = table.where(np.isin(table.threat, ("clean", "fog@2")))
    if case == "aimed only":
        plan = runs.manifest(runs.CIFAR, (AIMING,), 300)
        table = table.where(np.isin(table.threat, ("clean", AIMING)))
    if case == "nothing":
        table, missing = table.where(table.sample < 0), [unit["file"] for unit in plan["units"]]
    found = summarise(plan, table, missing=missing)
    check(found)
    if case == "no errors":
        assert found["pairs"]["explained"] is None
        assert found["corrupted"]["classes"][0]["cfps"] is None
        assert found["robust"]["attractors"] == []
        assert set(map(str, found["pairs"]["success"][0])) == {"None", "0.0"}
    if case == "all wrong":
        assert found["corrupted"]["accuracy"] == 0
        assert found["robust"]["disparity"]["nrr"] is None
        assert found["pairs"]["success"][0][1] == 1.0
        assert found["pairs"]["already"][0][1] == found["pairs"]["samples"][0][1]
    if case == "empty class":
        assert found["corrupted"]["classes"][4]["accuracy"] is None
        assert found["corrupted"]["by_corruption"][0]["classes"][4]["low"] is None
        assert found["pairs"]["success"][4][1] is None
        assert found["pairs"]["classes"][4]["exposure"] is None
    if case == "one corruption":
        assert found["robust"] is None
        assert found["pairs"] is None
        assert found["corrupted"]["slopes"] == [None] * 10
        assert found["corrupted"]["accuracy"] == found["threats"]["fog@2"]["accuracy"]
        assert found["corrupted"]["low"] == pytest.approx(found["threats"]["fog@2"]["low"])  # one row: Wilson
    if case == "aimed only":
        assert found["pairs"]["explained"] is None
        assert found["pairs"]["hub_cfps"] is None
    if case == "nothing":
        assert (found["corrupted"], found["pairs"]) == (None, None)


def test_a_run_without_corruptions_or_targets_has_neither(summary):
    assert (summary["corrupted"], summary["pairs"]) == (None, None)
    assert [(each["first"], each["last"]) for each in summary["relations"]["agreement"]] == [("clean", "robust")]


def test_a_thousand_classes_are_sparse():
    classes = 1000
    plan = runs.manifest([f"c{c}" for c in range(classes)], ("pgd@linf:8/255", AIMING), 400, ["fog@1", "fog@3"])
    draw = np.random.default_rng(0)
    label = draw.integers(0, classes, 400)
    parts = [
        Outcomes.build(sample=np.arange(400), label=label, threat=threat, prediction=p, correct=p == label,
                       margin=np.where(p == label, 1.0, -1.0), severity=severity)
        for threat, severity, reach in (("clean", 0, 0.1), ("pgd@linf:8/255", 0, 0.6), ("fog@1", 1, 0.2),
                                        ("fog@3", 3, 0.4))
        for p in (np.where(draw.random(400) < reach, (label + 1) % classes, label),)
    ]  # fmt: skip
    target = (label[:, None] + np.array([1, 2, 3])) % classes
    hit = np.where(draw.random(target.shape) < 0.3, target, label[:, None]).ravel()
    again = np.repeat(label, 3)
    parts.append(Outcomes.build(sample=np.repeat(np.arange(400), 3), label=again, threat=AIMING, target=target.ravel(),
                                prediction=hit, correct=hit == again, margin=0.5))  # fmt: skip
    found = summarise(plan, Outcomes.join(parts))
    check(found)
    assert found["robust"]["confusion"] is None
    assert found["pairs"]["success"] is None
    assert len(found["pairs"]["top"]) == 50
    assert found["pairs"]["attacked"] == 3 * len(set(label.tolist()))
    assert found["corrupted"]["classes"][0]["cfps_low"] is None
    assert found["corrupted"]["by_corruption"][0]["accuracy"] == pytest.approx(
        mean(found["threats"][f"fog@{s}"]["accuracy"] for s in (1, 3))
    )
