"""The page of a run with attacks, directed pairs and 75 corruption threats: numbers read back, selector, size."""

import plotly.graph_objects as go
import pytest
import synthetic_runs as runs
from pages import Page
from test_html import MEGABYTE

from weakspot.outcomes import Outcomes
from weakspot.report.findings import findings
from weakspot.report.html import offered, to_html
from weakspot.report.summary import summarise


@pytest.fixture(scope="module")
def page(whole, whole_plan):
    return Page(to_html(whole, whole_plan))


def pc(value):
    return "-" if value is None else f"{100 * value:.1f}"


def limited(entry, key="accuracy"):
    return f"{pc(entry[key])} [{pc(entry['low'])}, {pc(entry['high'])}]"


def test_plotly_accepts_every_picture_and_each_has_its_element(page):
    drawn = page.drawings()["figures"]
    for name, each in drawn.items():
        go.Figure(each)
        assert each["data"], name
    charts = page.find("div", class_="chart")
    assert {chart[1]["data-figure"] for chart in charts} == set(drawn)
    assert {"corruptions", "pairs"} < set(drawn)
    assert all(chart[1]["role"] == "img" and len(chart[1]["aria-label"]) > 20 for chart in charts)


def test_the_pair_matrix_holds_the_summary(page, whole):
    found, drawn = whole["pairs"], page.drawings()["figures"]["pairs"]["data"][0]
    for i in range(10):
        assert drawn["z"][i][i] is None
        for j in set(range(10)) - {i}:
            assert drawn["z"][i][j] == pytest.approx(100 * found["success"][i][j], abs=0.006)
            assert drawn["customdata"][i][j] == [found[key][i][j] for key in ("ended", "samples", "already")]
    (table,) = page.find("table", id="pair-table")
    lines = page.table(table)[1:]
    assert lines == [
        [p["source"], p["target"], limited(p, "success"), pc(p["back"]), pc(p["symmetric"]),
         f"{100 * p['asymmetric']:+.1f}", str(p["samples"]), str(p["already"])]
        for p in found["top"]
    ]  # fmt: skip
    (hubs,) = [page.table(t) for t in page.find("table") if page.table(t)[0] == ["class", "hub", "exposure"]]
    assert hubs[1:] == [[e["name"], pc(e["hub"]), pc(e["exposure"])] for e in found["classes"]]


def test_each_severity_is_a_trace_and_their_mean_the_first(page, whole):
    traces = page.drawings()["figures"]["corruptions"]["data"]
    assert [trace["visible"] for trace in traces] == [True] + [False] * 5
    order = sorted(range(10), key=lambda c: whole["corrupted"]["classes"][c]["accuracy"])
    for at, name in enumerate(runs.CORRUPTIONS):
        entry = whole["corrupted"]["by_corruption"][at]
        for column, c in enumerate(order):
            assert traces[0]["z"][at][column] == pytest.approx(100 * entry["classes"][c]["accuracy"], abs=0.006)
            for severity in range(1, 6):
                accuracy = whole["threats"][f"{name}@{severity}"]["classes"][c]["accuracy"]
                assert traces[severity]["z"][at][column] == pytest.approx(100 * accuracy, abs=0.006)
    (control,) = page.find("input", type="range")
    assert control[1]["data-labels"] == "mean|1|2|3|4|5"
    assert control[1]["max"] == "5"


def test_the_corruption_tables_hold_the_summary(page, whole):
    found = whole["corrupted"]
    (table,) = page.find("table", id="corruption-table")
    assert page.table(table)[1:] == [
        [e["name"], limited(e), f"{100 * e['slope']:+.1f}", *(limited(one) for one in e["classes"])]
        for e in found["by_corruption"]
    ]
    (table,) = page.find("table", id="severity-table")
    lines = page.table(table)[1:]
    assert lines[:-1] == [
        [str(e["severity"]), limited(e), *(limited(one) for one in e["classes"])] for e in found["by_severity"]
    ]
    assert lines[-1][2:] == [f"{100 * slope:+.1f}" for slope in found["slopes"]]


def test_the_selector_groups_a_hundred_threats(page, whole):
    select = page.find("select")[0]
    groups = [inner for inner in select[3] if inner[0] == "optgroup"]
    labels = [group[1]["label"] for group in groups]
    assert labels == ["Worst case", "Clean", "Attacks", "All corruptions", *runs.CORRUPTIONS]
    names = {option[1]["value"]: option[2] for option in select[3] if option[0] == "option"}
    assert [names[str(place)] for place in range(len(names))] == list(offered(whole))
    assert [o[2] for o in groups[0][3] if o[0] == "option"] == ["robust", "robust at linf:4/255"]
    assert [o[2] for o in groups[4 + 9][3] if o[0] == "option"] == [f"fog@{s}" for s in range(1, 6)]
    (selected,) = [o[2] for o in select[3] if "selected" in o[1]]
    assert selected == "robust"


def test_the_accuracy_picture_leaves_single_corruptions_to_theirs(page):
    names = [trace["name"] for trace in page.drawings()["figures"]["accuracy"]["data"]]
    assert names == ["robust", "clean", *runs.QUICK, "pairs@linf:8/255", "pgd@linf:4/255", "robust at linf:4/255",
                     "corrupted"]  # fmt: skip


def test_the_findings_and_the_roles_are_on_the_page(page, whole):
    text = " ".join(page.find("main")[0][2].split())
    for sentence in findings(whole):
        assert sentence in text
    (section,) = page.find("section", id="attraction")
    lines = [line for inner in section[3] if inner[0] == "table" for line in page.table(inner)]
    for role in whole["robust"]["attractors"]:
        assert [role["name"], "attracts", str(role["count"]), f"{role['expected']:.1f}", limited(role, "share")] in [
            line[:5] for line in lines
        ]


def test_cfps_has_its_interval_in_the_picture(page, whole):
    place = list(offered(whole)).index("robust")
    bars = page.drawings()["figures"][f"attraction-{place}"]["data"][0]
    entries = sorted(whole["robust"]["classes"], key=lambda entry: -entry["false_positives"])
    for x, up, down, entry in zip(bars["x"], bars["error_x"]["array"], bars["error_x"]["arrayminus"], entries,
                                  strict=True):  # fmt: skip
        assert (x + up, x - down) == pytest.approx((100 * entry["cfps_high"], 100 * entry["cfps_low"]))


def test_the_protocol_counts_images_and_folds_single_corruptions(page, whole):
    (section,) = page.find("section", id="protocol")
    tables = [page.table(inner) for inner in section[3] if inner[0] == "table"]
    assert [line[0] for line in tables[0][1:]][-1] == "corrupted"
    assert tables[0][-1][2] == "2,000"
    assert len(tables[1]) == 76


@pytest.mark.parametrize("case", ["empty class", "no errors", "all wrong", "one severity", "one corruption",
                                  "two classes", "only pairs"])  # fmt: skip
def test_degenerate_runs_have_a_whole_page(case):
    classes = runs.CIFAR[:2] if case == "two classes" else runs.CIFAR
    some = {"one severity": ["fog@2", "snow@2"], "one corruption": ["fog@1"], "only pairs": []}
    attacks = ("pairs@linf:8/255",) if case == "only pairs" else (runs.QUICK[0], "pairs@linf:8/255")
    plan = runs.manifest(classes, attacks, 300, some.get(case, ["fog@1", "fog@4", "snow@4"]))
    table = runs.rows(plan)
    if case == "no errors":
        table = Outcomes.build(**table.columns() | {"prediction": table.label, "correct": True})
    if case == "all wrong":
        table = Outcomes.build(**table.columns() | {"prediction": (table.label + 1) % 10, "correct": False})
    if case == "empty class":
        table = table.where(table.label != 4)
    summary = summarise(plan, table)
    text = to_html(summary, plan)
    page = Page(text)
    for drawn in page.drawings()["figures"].values():
        go.Figure(drawn)
    assert len(page.find("section", id="pairs")) == 1
    assert len(page.find("section", id="corruptions")) == (case != "only pairs")
    assert len(page.find("input", type="range")) == (case not in ("one severity", "one corruption", "only pairs"))
    for element in page.find("td"):
        assert "None" not in element[2]
        assert "nan" not in element[2]


def test_sizes_stay_within_the_budget():
    """10 classes with 75 corruptions; 100 classes with a full pair matrix; 1,000 classes."""
    corruptions = [f"{name}@{s}" for name in runs.CORRUPTIONS for s in range(1, 6)]
    for classes, samples, attacks, some in (
        (10, 1000, (*runs.QUICK, "pairs@linf:8/255"), corruptions),
        (100, 1000, (*runs.QUICK[:1], "pairs@linf:8/255"), corruptions[:20]),
        (1000, 3000, runs.QUICK[:1], corruptions[:6]),
    ):
        plan = runs.manifest([f"the class number {c}" for c in range(classes)], attacks, samples, some)
        text = to_html(summarise(plan, runs.rows(plan)), plan)
        assert len(text.encode()) < 6 * MEGABYTE, classes


def test_hostile_names_stay_text():
    plan = runs.manifest(runs.HOSTILE, (*runs.QUICK[:1], "pairs@linf:8/255"), 700, ["fog@1", "fog@5"])
    page = Page(to_html(summarise(plan, runs.rows(plan)), plan))
    assert [e[1].get("type") for e in page.find("script")] == ["application/json", "text/plain", None]
    assert page.find("img") == []
    assert not [name for element in page.elements for name in element[1] if name.startswith("on")]
