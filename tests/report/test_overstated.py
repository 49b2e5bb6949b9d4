"""An attack that overstates robustness: the same flag in every form of a run's report, and none where none is."""

import csv
import io
import json

import numpy as np
import pytest
import synthetic_runs as runs
from jsonschema import Draft202012Validator
from pages import Page
from rich.console import Console

from weakspot.analysis.scores import alone
from weakspot.outcomes import Outcomes
from weakspot.report.findings import findings
from weakspot.report.html import to_html
from weakspot.report.latex import to_latex
from weakspot.report.markdown import to_markdown
from weakspot.report.overstated import weak_by_design
from weakspot.report.overstated_tables import LISTED, TITLE, overstated_grids, overstated_warning
from weakspot.report.schema import SCHEMA_FILE
from weakspot.report.summary import summarise
from weakspot.report.tables import grids
from weakspot.report.terminal import terminal
from weakspot.report.values import to_csv

RADIUS = "linf:0.1"
FGSM, PGD, ALL = (f"{name}@{RADIUS}" for name in ("fgsm", "pgd", "standard"))
NAMES = ("cat", "<b>dog</b>", "{{ 7 }}", "ship")
SIZES = (230, 170, 190, 210)
MISLED = (0.3, 0.01, 0.0, 0.005)
"""Shares of each class that only the ensemble breaks."""


def made(attacks=(FGSM, PGD, ALL), misled=MISLED, names=NAMES, sizes=SIZES, seed=1):
    """A run in which a tenth is wrong when clean, FGSM misses a third of what falls, and PGD misses `misled`."""
    draw = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(sizes)), sizes)
    draw.shuffle(label)
    fate = draw.random(len(label))
    clean = fate > 0.1
    together = fate > 0.3 + np.asarray(misled)[label]
    right = {PGD: clean & (fate > 0.3), ALL: together, FGSM: clean & (fate > 0.2)}
    plan = runs.manifest(names, attacks, len(label))
    plan["units"] = []
    parts = [
        Outcomes.build(
            sample=np.arange(len(label)), label=label, threat=threat, correct=flags,
            prediction=np.where(flags, label, (label + 1) % len(sizes)), margin=np.where(flags, 1.0, -1.0),
        )
        for threat, flags in {"clean": clean, **{attack: right.get(attack, together) for attack in attacks}}.items()
    ]  # fmt: skip
    return plan, Outcomes.join(parts)


@pytest.fixture(scope="module")
def run():
    return made()


@pytest.fixture(scope="module")
def flagged(run):
    return summarise(*run)


def printed(summary, *, whole=False, width=100):
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(terminal(summary, width, whole=whole))
    return console.file.getvalue()


def test_every_number_against_a_plain_loop(run, flagged):
    Draft202012Validator(json.loads(SCHEMA_FILE.read_text())).validate(flagged)
    rows = run[1]
    found = {each["threat"]: each for each in flagged["overstated"]}
    assert list(found) == [FGSM, PGD, ALL]
    broken = {}
    for sample, threat, correct in zip(rows.sample, rows.threat, rows.correct, strict=True):
        broken.setdefault(int(sample), {})[threat] = not correct
    labels = dict(zip(rows.sample.tolist(), rows.label.tolist(), strict=True))
    for threat, each in found.items():
        count, survived = [0] * 4, [0] * 4
        for sample, by in broken.items():
            here = by["clean"] or by[threat]
            count[labels[sample]] += not here and any(by.values())
            survived[labels[sample]] += not here
        assert [one["count"] for one in each["classes"]] == count
        assert [one["samples"] for one in each["classes"]] == list(SIZES)
        shares = [k / n for k, n in zip(count, SIZES, strict=True)]
        assert each["value"] == pytest.approx(sum(shares) / 4)
        assert each["alone"] == pytest.approx(sum(k / n for k, n in zip(survived, SIZES, strict=True)) / 4)
        assert each["alone"] - each["together"] == pytest.approx(each["value"])
        assert each["together"] == pytest.approx(flagged["robust"]["balanced_accuracy"])
        assert each["radius"] == RADIUS


def test_accuracy_alone_is_that_of_comparisons(run, flagged):
    scores = alone(run[0]["threats"], run[1])
    for each in flagged["overstated"]:
        right, label = scores[each["threat"]].score, scores[each["threat"]].label
        assert each["alone"] == pytest.approx(np.mean([right[label == c].mean() for c in range(4)]))


def test_what_is_flagged_and_what_is_not(flagged):
    flags = {each["threat"]: (each["flagged"], each["weak"]) for each in flagged["overstated"]}
    assert flags == {FGSM: (False, True), PGD: (True, False), ALL: (False, False)}
    weak, pgd, strong = flagged["overstated"]
    assert weak["low"] > 0.01  # far above, as everyone knows
    assert not any(one["flagged"] for one in weak["classes"])
    assert [one["flagged"] for one in pgd["classes"]] == [True, False, False, False]
    assert (strong["value"], strong["low"]) == (0, 0)


@pytest.mark.parametrize(("address", "weak"), [
    ("fgsm@linf:0.1", True), ("square(queries=500)@linf:0.1", True), ("pgd(steps=1)@linf:0.1", True),
    ("pairs@linf:0.1", True), ("pgd@linf:0.1", False), ("pgd(steps=10)@linf:0.1", False), ("apgd-ce@l2:1", False),
    ("pgd(restarts=1)@l2:1", False), ("a-plugin", False),
])  # fmt: skip
def test_attacks_that_nobody_publishes_alone_are_weak_by_design(address, weak):
    assert weak_by_design(address) is weak


def test_every_form_says_the_same(run, flagged):
    warning = overstated_warning(flagged)
    first, by_class = overstated_grids(flagged)
    pgd = flagged["overstated"][1]
    share = "{value:.1%} [{low:.1%}, {high:.1%}]".format(**pgd).replace("%", "")
    cat = "{value:.1%} [{low:.1%}, {high:.1%}]".format(**pgd["classes"][0]).replace("%", "")
    assert first.columns["attack"] == [FGSM, PGD, ALL]
    assert first.columns["flag"] == ["weak by design", "overstates", ""]
    assert first.columns["overstated"][1] == share
    assert first.columns["most in"][1:] == [f"cat: {cat}", "-"]
    assert first.columns["classes flagged"] == ["0", "1", "0"]
    assert list(by_class.columns) == ["class", FGSM, PGD]  # nothing to see of the ensemble
    assert by_class.columns["class"][0] == "cat"
    assert by_class.columns[PGD][0] == cat
    amount, _, limits = share.partition(" ")
    assert warning.startswith(f"{PGD} overstates by {amount} points {limits}, most in cat: {cat}: alone it shows ")
    assert (
        f"{100 * pgd['alone']:.1f} % (mean over classes), all attacks together {100 * pgd['together']:.1f} %."
        in warning
    )
    assert "Do not publish its number alone;" in warning
    assert FGSM not in warning
    assert warning in " ".join(printed(flagged, whole=True).split())
    brief = f"WARN {PGD} overstates by {amount} points {limits}, most in cat: {cat}. Do not publish its number alone."
    assert brief in " ".join(printed(flagged).split())
    assert f"{TITLE}:" in printed(flagged, whole=True)
    assert f"- WARN {PGD}" in to_markdown(flagged)
    assert f"% {warning}" in to_latex(flagged)
    assert [grid.title for grid in grids(flagged)].count(TITLE) == 1
    page = Page(to_html(flagged, run[0]))
    (note,) = page.find("div", role="note")
    assert warning in " ".join(note[2].split())
    (section,) = page.find("section", id="overstated")
    assert all(text in section[2] for text in (share, cat, *NAMES))
    (said,) = [sentence for sentence in findings(flagged) if sentence.startswith("Overstated is")]
    assert said in " ".join(section[2].split())


def test_csv_has_every_digit(flagged):
    lines = [line for line in csv.DictReader(io.StringIO(to_csv(flagged))) if line["scope"] == "overstated"]
    assert len(lines) == 3 * (1 + len(NAMES))
    for each in flagged["overstated"]:
        whole, *classes = [line for line in lines if line["threat"] == each["threat"]]
        read = [float(whole[key]) for key in ("alone", "together", "share", "low", "high")]
        assert read == [each[key] for key in ("alone", "together", "value", "low", "high")]
        for line, one in zip(classes, each["classes"], strict=True):
            assert (line["class"], int(line["count"]), int(line["samples"])) == (
                one["name"], one["count"], one["samples"])  # fmt: skip
            assert [float(line[key]) for key in ("share", "low", "high")] == [one[k] for k in ("value", "low", "high")]
            assert line["flagged"] == str(one["flagged"])


def test_a_run_of_one_attack_says_nothing_of_it():
    plan, rows = made(attacks=(ALL,))
    summary = summarise(plan, rows)
    assert summary["overstated"] == []
    assert overstated_grids(summary) == []
    page = to_html(summary, plan)
    for text in (page, printed(summary, whole=True), to_markdown(summary), to_latex(summary)):
        assert "verstate" not in text


def test_an_honest_run_has_a_table_and_no_flag():
    plan, rows = made(attacks=(PGD, ALL), misled=(0.004,) * 4)
    summary = summarise(plan, rows)
    assert [each["flagged"] for each in summary["overstated"]] == [False, False]
    assert overstated_warning(summary) == ""
    assert "WARN" not in printed(summary, whole=True)
    page = Page(to_html(summary, plan))
    assert not page.find("div", role="note")
    assert page.find("section", id="overstated")


def test_each_radius_is_for_itself():
    plan, rows = made()
    further = "pgd@linf:0.2"
    plan["threats"].append({"address": further, "kind": "adversarial", "radius": "linf:0.2", "comparable": True})
    other = rows.of(ALL)
    other = Outcomes.build(**other.columns() | {"threat": further, "correct": np.zeros(len(other), dtype=bool)})
    found = summarise(plan, Outcomes.join([rows, other]))["overstated"]
    assert found == summarise(*made())["overstated"]
    assert further not in [each["threat"] for each in found]


def test_an_attack_on_some_images_only_is_left_out(run):
    plan, rows = run
    some = (rows.threat != PGD) | (rows.sample < 100)
    assert [each["threat"] for each in summarise(plan, rows.where(some))["overstated"]] == [FGSM, ALL]


def test_while_an_attack_is_still_under_way_its_images_alone_count(run):
    plan, rows = run
    gone = {"threat": ALL, "block": 1, "start": 500, "stop": 800, "file": "outcomes/x/1.parquet"}
    rows = rows.where((rows.threat != ALL) | (rows.sample < 500))
    summary = summarise(plan | {"units": [gone]}, rows, missing=[gone["file"]])
    assert [sum(one["samples"] for one in each["classes"]) for each in summary["overstated"]] == [500] * 3


def test_all_that_overstate_are_named_and_the_worst_with_its_numbers():
    plan, rows = made(attacks=(PGD, ALL))
    name = f"pgd(steps=50)@{RADIUS}"
    plan["threats"].append({"address": name, "kind": "adversarial", "radius": RADIUS, "comparable": True})
    better = rows.of(PGD)  # breaks some of what PGD misses, so it overstates less
    flags = better.correct & (rows.of(ALL).correct | (better.sample % 3 > 0))
    better = Outcomes.build(**better.columns() | {"threat": name, "correct": flags})
    warning = overstated_warning(summarise(plan, Outcomes.join([rows, better])))
    assert warning.startswith(f"{PGD} overstates by ")
    assert f" So do {name}. Do not publish one of their numbers alone;" in warning


@pytest.mark.parametrize(("status", "figure", "says"), [
    ("warn", 0.1, "the check scale says why: the scale of the logits misleads the attack."),
    ("ok", 0.0, "the check scale finds no reason in the scale of the logits."),
    ("ok", None, "doctor MODEL --data DATA --full (check scale) tells whether the scale of the logits is why."),
])  # fmt: skip
def test_the_check_of_the_scale_is_named_where_it_ran(run, status, figure, says):
    doubt = {"check": "scale", "status": status, "figure": figure, "threshold": 0.01, "says": "it says"}
    assert says in overstated_warning(summarise(*run, [doubt]))


def test_of_many_classes_the_most_overstated_are_listed():
    many = 3 * LISTED
    misled = np.zeros(many)
    misled[7] = 0.6
    plan, rows = made((PGD, ALL), misled, [f"class {c}" for c in range(many)], [30] * many)
    _, by_class = overstated_grids(summarise(plan, rows))
    assert len(by_class.columns["class"]) == LISTED
    assert by_class.columns["class"][0] == "class 7"
    assert by_class.title.endswith(f"({many - LISTED} classes left out)")


def test_nothing_is_there_yet(run):
    nothing = Outcomes.build(sample=np.zeros(0, dtype=np.int64))
    assert summarise(run[0], nothing)["overstated"] == []
