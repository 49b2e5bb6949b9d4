"""The page: the summary's numbers read back, hostile names harmless, degenerate runs whole, files small."""

import base64
import gzip
import hashlib
import io
import re
import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import pytest
import synthetic_runs as runs
from pages import Page
from PIL import Image
from plotly.offline import get_plotlyjs

from weakspot.doubts import catalogue
from weakspot.errors import SetupError
from weakspot.outcomes import Outcomes
from weakspot.report import figures
from weakspot.report.html import to_html, write_html
from weakspot.report.summary import summarise
from weakspot.report.terms import CHECKS, TERMS
from weakspot.report.thumbnails import worst_confusions
from weakspot.report.words import printable

MEGABYTE = 1024**2


@pytest.fixture(scope="module")
def text(plan, table, summary):
    return to_html(summary, plan, runs.found(plan, table))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture(scope="module")
def hostile():
    plan = runs.manifest(runs.HOSTILE, samples=1400)
    plan["model"]["address"] = plan["data"]["name"] = plan["model"]["weights"] = "</title><script>alert(1)</script>"
    plan["config"]["path"] = "</dd><script>alert(2)</script>"
    table = runs.rows(plan)
    found = [{"check": "<i>x</i>", "status": "fail", "figure": 1.0, "threshold": 0.0, "says": "<img src=x>"}]
    summary = summarise(plan, table, found, missing=["</li><script>alert(3)</script>"])
    return to_html(summary, plan, runs.found(plan, table))


def test_the_class_table_shows_the_summary(page, summary):
    (element,) = page.find("table", id="class-table")
    lines = page.table(element)
    clean = summary["threats"]["clean"]["classes"]
    ours = {line[0].removesuffix(" worst"): line for line in lines[1:]}
    for c, entry in enumerate(summary["robust"]["classes"]):
        line = ours[entry["name"]]
        rates = [f"{100 * e['accuracy']:.1f} [{100 * e['low']:.1f}, {100 * e['high']:.1f}]" for e in (entry, clean[c])]
        shares = [f"{100 * entry[key]:.1f}" for key in ("natural_error", "boundary_error")]
        rest = [f"{entry['false_positives']:,}", f"{100 * entry['false_positive_rate']:.1f}"]
        rest += [
            f"{100 * entry[key]:.1f} [{100 * entry[f'{key}_low']:.1f}, {100 * entry[f'{key}_high']:.1f}]"
            for key in ("cfps", "cfns")
        ]
        assert line[1:] == [f"{entry['samples']:,}", rates[0], "", rates[1], *shares, *rest]
    assert lines[1][0] == "cat worst"


def test_the_verdict_shows_the_worst_class_and_both_accuracies(page, summary):
    (box,) = page.find("section", id="verdict")
    said = " ".join(box[2].split())
    worst = summary["robust"]["worst_class"]
    for part in (
        f"{100 * worst['accuracy']:.1f}\u00a0% [{100 * worst['low']:.1f}, {100 * worst['high']:.1f}]",
        f"{100 * summary['robust']['accuracy']:.1f} %",
        f"{100 * summary['threats']['clean']['accuracy']:.1f} %",
        f"corrected, {100 * worst['corrected']:.1f}",
        "upper bound",
        "1 check warns",
    ):
        assert part.replace("\u00a0", " ") in said.replace("\u00a0", " ")


def test_the_pictures_hold_the_summary(page, summary):
    drawn = page.drawings()["figures"]
    order = sorted(summary["robust"]["classes"], key=lambda entry: entry["accuracy"])
    first = drawn["accuracy"]["data"][0]
    assert first["name"] == "robust"
    assert first["x"] == pytest.approx([100 * entry["accuracy"] for entry in order])
    assert [x - d for x, d in zip(first["x"], first["error_x"]["arrayminus"], strict=True)] == pytest.approx(
        [100 * entry["low"] for entry in order], abs=1e-9
    )
    names = ["clean", *runs.QUICK, "robust"]
    for place, name in enumerate(names):
        cell = summary["robust"] if name == "robust" else summary["threats"][name]
        matrix = drawn[f"confusion-{place}"]["data"][0]
        assert matrix["customdata"] == cell["confusion"]
        assert matrix["z"][3][3] is None
        expected = 100 * cell["confusion"][3][5] / cell["classes"][3]["samples"]
        assert matrix["z"][3][5] == pytest.approx(expected, abs=0.006)
        bars = drawn[f"attraction-{place}"]["data"]
        drawn_errors = sorted((entry["false_positives"] for entry in cell["classes"]), reverse=True)
        assert bars[1]["x"] == drawn_errors
        assert sum(bars[0]["x"]) == pytest.approx(100)
        assert sum(bars[1]["x"]) == sum(bars[2]["x"]) == cell["samples"] - sum(e["correct"] for e in cell["classes"])


def test_each_picture_has_its_numbers_in_a_table(page, summary):
    tables = [page.table(element) for element in page.find("table")]
    twin = next(t for t in tables if t[0] == ["class", "clean", *runs.QUICK, "robust"])
    cat = summary["threats"]["clean"]["classes"][3]
    (line,) = [line for line in twin if line[0] == "cat"]
    assert line[1] == f"{100 * cat['accuracy']:.1f} [{100 * cat['low']:.1f}, {100 * cat['high']:.1f}]"
    matrices = [t for t in tables if t[0][0].startswith("true \\")]
    assert [[int(n.replace(",", "")) for n in line[1:]] for line in matrices[-1][1:]] == summary["robust"]["confusion"]
    top = [t for t in tables if t[0][0] == "true class"]
    most = summary["robust"]["top_confusions"][0]
    assert top[-1][1] == [most["source"], most["target"], str(most["count"]), f"{100 * most['share']:.1f}"]


def test_plotly_accepts_every_picture(summary, page):
    for name, drawn in page.drawings()["figures"].items():
        go.Figure(drawn)  # raises on an unknown property or a wrong value
        assert drawn["data"], name
    plan = runs.manifest([f"c{c}" for c in range(60)], samples=3000)
    go.Figure(figures.distribution_figure(summarise(plan, runs.rows(plan))))


def test_every_colour_of_the_pictures_has_a_dark_partner(page):
    content = page.drawings()
    used = set(re.findall(r"#[0-9a-f]{6}", str(content["figures"])))
    assert used
    assert used <= set(content["dark"])


def test_every_picture_has_a_name_and_an_element(page):
    charts = page.find("div", class_="chart")
    assert {chart[1]["data-figure"] for chart in charts} == set(page.drawings()["figures"])
    assert all(chart[1]["role"] == "img" and len(chart[1]["aria-label"]) > 20 for chart in charts)


def test_links_lead_somewhere_and_no_id_stands_twice(page):
    ids = [element[1]["id"] for element in page.elements if "id" in element[1]]
    assert len(ids) == len(set(ids))
    targets = [element[1]["href"] for element in page.find("a")]
    assert all(target[0] == "#" and target[1:] in ids for target in targets)
    assert "#class-cat" in targets


def test_nothing_on_the_page_asks_for_anything(page, text):
    for _, attributes, _, _ in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "background"):
            assert re.match(r"data:image/png;base64,|#", attributes.get(name, "#"))
    (style,) = page.find("style")
    assert "url(" not in style[2]
    assert "@import" not in style[2]
    assert "://" not in re.sub(r'<script type="text/plain".*?</script>', "", text, flags=re.DOTALL)


def test_the_policy_allows_these_scripts_alone(page):
    (policy,) = [e[1]["content"] for e in page.find("meta") if e[1].get("http-equiv") == "Content-Security-Policy"]
    (script,) = [e[2] for e in page.find("script") if "type" not in e[1]]
    (library,) = [e[2] for e in page.find("script", id="library")]
    unpacked = gzip.decompress(base64.b64decode(library)).decode()
    assert unpacked == get_plotlyjs()
    for content in (script, unpacked):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_hostile_names_stay_text(hostile):
    page = Page(hostile)
    (style, *others) = [element for element in page.elements if element[0] in ("style", "script")]
    assert style[0] == "style"
    assert [element[1].get("type") for element in others] == ["application/json", "text/plain", None]
    assert all(element[1]["src"].startswith("data:image/png") for element in page.find("img"))
    assert not [name for element in page.elements for name in element[1] if name.startswith("on")]
    (table,) = page.find("table", id="class-table")
    names = [line[0].removesuffix(" worst") for line in page.table(table)[1:]]
    assert sorted(names) == sorted(" ".join(printable(name).split()) for name in runs.HOSTILE)
    ids = [element[1]["id"] for element in page.elements if "id" in element[1]]
    assert len(ids) == len(set(ids))
    assert {element[0] for element in page.find("section", id="verdict")[0][3]}.isdisjoint({"script", "img"})


def test_plotly_gets_names_without_tags(hostile):
    content = str([figure for name, figure in Page(hostile).drawings()["figures"].items()])
    assert "&lt;script&gt;" in content
    assert not re.search(r"<(?!br>|extra>|/extra>)[a-z/!]", content)


def test_literal_names_are_cut_in_the_middle():
    assert figures.literal("short") == "short"
    long = figures.literal("n03450230 a very long gown of silk", longest=20)
    assert long == "n03450230 ...of silk"
    assert figures.literal("<&>") == "&lt;&amp;&gt;"


def test_a_failed_check_stands_above_the_verdict(plan, table):
    text = to_html(summarise(plan, table, runs.doubts("fail")), plan)
    assert text.index("Failed check: input gradients") < text.index('id="verdict"')
    assert 'role="alert"' in text
    assert "Failed check" not in to_html(summarise(plan, table, runs.doubts("warn")), plan)


def test_checks_have_names_in_words(plan, table):
    found = [{**runs.doubts("fail")[-1], "check": "T6"}]
    text = to_html(summarise(plan, table, found), plan)
    assert "Failed check: T6 (zero gradients)." in text
    assert {key: check.name for key, check in catalogue.CHECKS.items()} == CHECKS


def test_headings_that_few_know_are_explained(page, whole, whole_plan):
    tables = [element for each in (page, Page(to_html(whole, whole_plan))) for element in each.find("th")]
    titles = {" ".join(element[2].split()): element[1].get("title") for element in tables}
    assert titles["p of equal"] == TERMS["p of equal"]
    assert titles["corrected"] == TERMS["corrected"]
    said = " ".join(page.find("section", id="attraction")[0][2].split())
    assert "That tie: a class cannot receive its own errors" in said


def test_missing_units_are_named(plan, table):
    gone = [unit["file"] for unit in plan["units"]][-3:]
    page = Page(to_html(summarise(plan, runs.without(plan, table, gone), missing=gone), plan))
    (alert,) = page.find("div", role="status")
    assert "3 of 32 planned units are missing" in alert[2]
    (listed,) = page.find("details", id="missing")
    assert all(file in listed[2] for file in gone)


@pytest.mark.parametrize("case", ["clean only", "one attack", "two classes", "no rows", "no threats", "no errors",
                                  "all wrong", "empty class", "no samples yet robust"])  # fmt: skip
def test_degenerate_runs_have_a_whole_page(case):
    classes = runs.CIFAR[:2] if case == "two classes" else runs.CIFAR
    attacks = {"clean only": (), "one attack": ("pgd@linf:8/255",)}.get(case, runs.QUICK)
    plan = runs.manifest(classes, attacks, 400)
    table = runs.rows(plan)
    if case == "no errors":
        table = Outcomes.build(**table.columns() | {"prediction": table.label, "correct": True})
    if case == "all wrong":
        table = Outcomes.build(**table.columns() | {"prediction": (table.label + 1) % 10, "correct": False})
    if case == "empty class":
        table = table.where(table.label != 4)
    if case == "no threats":
        plan["threats"] = []
    missing = []
    if case in ("no rows", "no threats"):
        table = table.where(table.sample < 0)
        missing = [unit["file"] for unit in plan["units"]]
    if case == "no samples yet robust":
        missing = [unit["file"] for unit in plan["units"] if unit["threat"] == runs.QUICK[2]]
        table = runs.without(plan, table, missing)
    summary = summarise(plan, table, missing=missing)
    page = Page(to_html(summary, plan, runs.found(plan, table)))
    for drawn in page.drawings()["figures"].values():
        go.Figure(drawn)
    (title,) = page.find("h1", id="verdict-title")
    known = summary["robust"] or summary["threats"].get("clean")
    worst = known and known["worst_class"]
    assert title[2] == (worst["name"] if worst else "Not known yet")


def test_thumbnails_show_the_most_frequent_confusions(plan, table, page, summary):
    pairs = page.find("div", class_="pair")
    assert len(pairs) == 12
    most = summary["robust"]["top_confusions"][0]
    text = " ".join(pairs[0][2].split())
    assert text.startswith(f"{most['source']} seen as {most['target']} {most['count']} images")
    assert "added x 10" in text
    assert all(len([inner for inner in pair[3] if inner[0] == "img"]) <= 6 for pair in pairs)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 224, 160), (4, 8, 8), (3, 1, 1)])
def test_thumbnails_of_any_shape(table, summary, shape):
    draw = np.random.default_rng(0)
    i = int(np.flatnonzero(~table.correct & (table.threat == runs.QUICK[0]))[0])
    clean = draw.random(shape, dtype=np.float32)
    for attacked in (clean, np.clip(clean + 0.03, 0, 1), np.full(shape, np.nan, np.float32)):
        record = {"threat": runs.QUICK[0], "sample": 1, "label": table.label[i], "prediction": table.prediction[i],
                  "margin": -1.0, "clean": clean, "attacked": attacked}  # fmt: skip
        ((shown,),) = [group.thumbnails for group in worst_confusions(summary, [record])]
        assert (shown.factor == 0) == (attacked is clean)
        pictures = [picture_of(address) for address in (shown.clean, shown.added, shown.attacked)]
        assert {picture.shape for picture in pictures} == {pictures[0].shape}
        assert pictures[0].shape[2:] == ((3,) if shape[0] == 3 else ())
        assert max(pictures[0].shape[:2]) == min(max(shape[1:]), 96)


def picture_of(address):
    """The pixels behind an inline PNG's address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,")))))


def test_a_thumbnail_is_the_image_itself(plan, table, summary):
    record = next(r for r in runs.found(plan, table) if r["threat"] == runs.QUICK[0])
    ((shown,),) = [group.thumbnails for group in worst_confusions(summary, [record])]
    assert (picture_of(shown.clean) == record["clean"].transpose(1, 2, 0)).all()
    added = record["attacked"] - record["clean"] / 255
    assert shown.factor * np.abs(added).max() <= 0.35 < 2 * shown.factor * np.abs(added).max()
    magnified = 255 * (0.5 + shown.factor * added.transpose(1, 2, 0))
    assert np.abs(picture_of(shown.added) - magnified).max() <= 0.51


def test_thumbnails_prefer_images_that_an_attack_had_to_change(table, summary):
    i = int(np.flatnonzero(~table.correct & (table.threat == runs.QUICK[0]))[0])
    draw = np.random.default_rng(0)
    records = []
    for sample in range(6):
        clean = draw.random((3, 4, 4), dtype=np.float32)
        records.append({"threat": runs.QUICK[0], "sample": sample, "label": table.label[i],
                        "prediction": table.prediction[i], "margin": -1.0, "clean": clean,
                        "attacked": clean if sample < 3 else clean * 0.9})  # fmt: skip
    ((first, second),) = [group.thumbnails for group in worst_confusions(summary, iter(records))]
    assert {first.sample, second.sample} == {3, 4}


def test_sizes_stay_within_the_budget(plan):
    attacks = [f"{name}@linf:{n}/255" for name in ("pgd", "apgd-ce", "apgd-dlr", "fab") for n in (1, 2, 4, 8, 16)]
    for classes, samples, threats in ((10, 1000, attacks), (100, 10000, attacks), (1000, 10000, attacks[:5])):
        big = runs.manifest([f"the class number {c}" for c in range(classes)], threats, samples)
        table = runs.rows(big)
        text = to_html(summarise(big, table), big, runs.found(big, table.where(table.sample < 200)))
        assert len(text.encode()) < 6 * MEGABYTE, (classes, len(threats))


def test_the_page_is_written_whole_or_not_at_all(tmp_path, plan, table, summary):
    path = tmp_path / "new" / "report.html"
    write_html(path, summary, plan, runs.found(plan, table))
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError):
        write_html(tmp_path / "file" / "report.html", summary, plan)


def test_the_same_run_gives_the_same_page(plan, table, summary, text):
    assert to_html(summary, plan, runs.found(plan, table)) == text


def test_the_report_needs_no_torch():
    code = "import sys, weakspot.report.html, weakspot.report.pictures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
