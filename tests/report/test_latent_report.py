"""Feature space in every output: the same numbers, dashes for what is undefined, names letter by letter."""

import csv
import io
import json
import re

import jsonschema
import numpy as np
import plotly.graph_objects as go
import pytest
import synthetic_runs as runs
from pages import Page
from test_tables import latex_plain, shown

from weakspot.landscape.latent import describe
from weakspot.landscape.seen import Seen
from weakspot.report.findings import findings
from weakspot.report.html import to_html
from weakspot.report.latent_figures import COLOURS
from weakspot.report.latent_tables import length
from weakspot.report.latex import to_latex
from weakspot.report.markdown import to_markdown
from weakspot.report.schema import SCHEMA_FILE
from weakspot.report.summary import summarise
from weakspot.report.values import to_csv
from weakspot.report.words import printable

PUBLISHED = json.loads(SCHEMA_FILE.read_text())
TITLES = (
    "Classes in feature space",
    "Spread and distances in feature space",
    "What goes with the robustness of the classes",
)


def look(plan, table, attack="pgd@linf:8/255", dimensions=6) -> Seen:
    """Features that nobody computed: classes around random centres, the attacked ones drawn to class 3."""
    random = np.random.default_rng(1)
    clean = table.of("clean")
    names, label = tuple(plan["data"]["classes"]), clean.label
    centres = random.standard_normal((len(names), dimensions)) * 3
    features = centres[label] + random.standard_normal((len(label), dimensions))
    moved = features + 0.3 * (centres[3 % len(names)] - features) if attack else None
    attacked = None if moved is None else moved.astype(np.float32)
    rows = table.of(attack) if attack else None
    return Seen("fc", names, clean.sample, label, features.astype(np.float32), clean, attack, attacked, rows)


def made(names, samples=300, attack="pgd@linf:8/255"):
    """A summary with latent figures, its manifest, and latent.json."""
    plan = runs.manifest(names, runs.QUICK[:1] if attack else (), samples)
    table = runs.rows(plan)
    found = describe(look(plan, table, attack), seed=0)
    return summarise(plan, table, latent=found), plan, found


@pytest.fixture(scope="module")
def usual():
    return made(runs.CIFAR)


@pytest.fixture(scope="module")
def page(usual):
    return Page(to_html(usual[0], usual[1], latent=usual[2]))


def pc(entry):
    return f"{100 * entry['value']:.1f} [{100 * entry['low']:.1f}, {100 * entry['high']:.1f}]"


def three(value):
    return "0" if value == 0 else f"{value:#.3g}".rstrip(".")


def limited(entry):
    return f"{three(entry['value'])} [{three(entry['low'])}, {three(entry['high'])}]"


def signed(entry):
    return "-" if entry is None else f"{entry['value']:+.2f} [{entry['low']:+.2f}, {entry['high']:+.2f}]"


@pytest.fixture(scope="module")
def expected(usual):
    """The tables by their title, made without the code under test."""
    summary = usual[0]
    accuracy = [entry["accuracy"] for entry in summary["robust"]["classes"]]
    entries = [summary["latent"]["classes"][c] for c in np.argsort(accuracy, kind="stable")]
    words = ("distance to the nearest class", "mean clean margin", "test images", "CFPS")
    variables = zip(words, summary["latent"]["explains"]["variables"].values(), strict=True)
    return dict(zip(TITLES, (
        [
            [e["name"], e["clean"]["nearest"], pc(e["clean"]["purity"]), pc(e["attacked"]["purity"]),
             limited(e["clean"]["distance"]), limited(e["shift"]), e["toward"]]
            for e in entries
        ],
        [
            [e["name"], limited(e["clean"]["spread"]), limited(e["clean"]["mean_distance"]),
             three(e["clean"]["cosine"]), limited(e["attacked"]["spread"]), e["attacked"]["nearest"],
             limited(e["attacked"]["distance"])]
            for e in entries
        ],
        [
            [word, signed(e["rank_correlation"]), signed(e["coefficient"]), f"{e['unique']:+.2f}"]
            for word, e in variables
        ],
    ), strict=True))  # fmt: skip


def test_the_summary_is_valid_and_leaves_the_large_tables_out(usual):
    summary, _, found = usual
    jsonschema.Draft202012Validator(PUBLISHED).validate(summary)
    assert summary["latent"] == {key: value for key, value in found.items() if key not in ("distances", "maps")}
    spoilt = {**summary, "latent": {**summary["latent"], "maps": {}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(PUBLISHED).validate(spoilt)


def test_every_table_holds_the_same(usual, expected, page):
    summary = usual[0]
    markdown = {part.splitlines()[0].strip(): part for part in to_markdown(summary).split("### ")[1:]}
    latex = {part.splitlines()[0]: part for part in to_latex(summary).split("\n% ")}
    screen = shown(summary, 200)
    pages = [page.table(table)[1:] for table in page.find("table")]
    for title, lines in expected.items():
        table = [line for line in markdown[title].replace("\\", "").splitlines() if line.startswith("|")]
        assert [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]] == lines
        body = latex[title].split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
        table = [line.strip().removesuffix(r"\\").strip() for line in body]
        assert [[latex_plain(cell.strip()) for cell in re.split(r"(?<!\\)&", line)] for line in table] == lines
        part = screen.split(f"{title}:\n")[1].splitlines()[2:]
        assert [re.split(r"\s{2,}", line.strip()) for line in part[: len(lines)]] == lines
        assert lines in pages


def test_csv_holds_every_number(usual):
    latent = usual[0]["latent"]
    lines = list(csv.DictReader(io.StringIO(to_csv(usual[0]))))
    at = {(line["scope"], line["threat"], line["class"], line["variable"]): line for line in lines}
    for threat, side in (("clean", "clean"), (latent["threat"], "attacked")):
        whole = at["latent", threat, "", ""]
        assert float(whole["ratio_high"]) == latent[side]["high"]
        assert float(whole["latent_purity"]) == latent[side]["purity"]
        for entry in latent["classes"]:
            line = at["latent class", threat, entry["name"], ""]
            assert line["nearest"] == entry[side]["nearest"]
            for name in ("spread", "distance", "mean_distance", "purity"):
                assert float(line[f"latent_{name}"]) == entry[side][name]["value"]
                assert float(line[f"latent_{name}_low"]) == entry[side][name]["low"]
            assert line["toward"] == (entry["toward"] if side == "attacked" else "")
            assert line["latent_shift"] == ("" if side == "clean" else str(entry["shift"]["value"]))
    explains = latent["explains"]
    assert float(at["latent explains", "robust", "", ""]["r2"]) == explains["r2"]
    for name, each in explains["variables"].items():
        line = at["latent variable", "robust", "", name]
        assert float(line["latent_rank_correlation"]) == each["rank_correlation"]["value"]
        assert float(line["latent_coefficient_high"]) == each["coefficient"]["high"]
        values = [float(at["latent value", "robust", entry["name"], name]["value"]) for entry in latent["classes"]]
        assert values == each["values"]


def test_the_sentences(usual, page):
    latent, text = usual[0]["latent"], " ".join(findings(usual[0]))
    assert "6 features before layer fc, 300 images" in text
    assert f"{100 * latent['attacked']['purity']:.1f} % of an image's nearest clean images are of its class" in text
    assert f"explain a share of {latent['explains']['r2']:.2f}" in text
    (section,) = page.find("section", id="latent")
    assert all(sentence in " ".join(section[2].split()) for sentence in findings(usual[0])[-3:])


def test_the_maps_hold_every_image_in_the_colour_of_its_class(usual, page):
    _, _, found = usual
    drawn = page.drawings()["figures"]
    charts = {chart[1]["data-figure"] for chart in page.find("div", class_="chart")}
    assert {"latent-pca", "latent-tsne", "latent-distances"} <= charts == set(drawn)
    label = np.array(found["maps"]["label"])
    for method in ("pca", "tsne"):
        go.Figure(drawn[f"latent-{method}"])
        traces = drawn[f"latent-{method}"]["data"]
        assert len({trace["marker"]["color"] for trace in traces}) == 10
        for side, symbol in (("clean", "circle"), ("attacked", "x-thin")):
            mine = [trace for trace in traces if trace["marker"]["symbol"] == symbol]
            points = {
                (sample, trace["text"][i]): [trace["x"][i], trace["y"][i]]
                for trace in mine
                for i, (sample, _) in enumerate(trace["customdata"])
            }
            assert points == {
                (sample, runs.CIFAR[label[i]]): found["maps"][method][side][i]
                for i, sample in enumerate(found["maps"]["sample"])
            }
    heat = drawn["latent-distances"]["data"][0]
    order = [runs.CIFAR.index(name) for name in drawn["latent-distances"]["layout"]["yaxis"]["ticktext"]]
    table = np.array(found["distances"]["clean"]["euclidean"])[np.ix_(order, order)]
    assert heat["z"] == np.where(np.eye(10, dtype=bool), np.array(None), table).tolist()


def test_hostile_names_stay_texts():
    summary, plan, found = made(runs.HOSTILE, 700)
    text = to_html(summary, plan, latent=found)
    assert text.count("<script") == 3  # ours
    page = Page(text)
    (table,) = [each for each in map(page.table, page.find("table")) if "attacked purity" in each[0]]
    assert sorted(line[0] for line in table[1:]) == sorted(" ".join(printable(name).split()) for name in runs.HOSTILE)
    for name in ("latent-pca", "latent-tsne"):
        traces = page.drawings()["figures"][name]["data"]
        assert len({trace["name"] for trace in traces if trace["showlegend"]}) <= len(COLOURS)
        assert not any(
            re.search(r"<(script|b|a|img)", part) for trace in traces for part in [trace["name"], *trace["text"]]
        )
    csv_names = {line["class"] for line in csv.DictReader(io.StringIO(to_csv(summary))) if "latent" in line["scope"]}
    assert "'=1+1" in csv_names
    assert "=1+1" not in csv_names


def test_without_an_attack_and_without_samples():
    plan = runs.manifest(runs.CIFAR[:4], (), 60)
    table = runs.rows(plan)
    table = table.where(table.label != 2)
    found = describe(look(plan, table, None))
    summary = summarise(plan, table, latent=found)
    jsonschema.Draft202012Validator(PUBLISHED).validate(summary)
    part = shown(summary, 200).split(f"{TITLES[0]}:\n")[1].splitlines()
    assert re.split(r"\s{2,}", part[0].strip()) == ["class", "nearest", "purity", "distance"]
    empty = next(line for line in part if line.startswith("bird"))
    assert empty.split() == ["bird", "-", "-", "-"]
    page = Page(to_html(summary, plan, latent=found))
    assert "attacked" not in page.find("section", id="latent")[0][2]
    assert len(page.drawings()["figures"]["latent-pca"]["data"]) == 3
    assert not any("latent" in sentence for sentence in findings(summary))


@pytest.mark.parametrize("samples", [2, 5])
def test_hardly_any_images(samples):
    summary, plan, found = made(runs.CIFAR[:2], samples)
    jsonschema.Draft202012Validator(PUBLISHED).validate(summary)
    page = Page(to_html(summary, plan, latent=found))
    assert {name for name in page.drawings()["figures"] if "latent" in name} == {"latent-pca", "latent-distances"}
    assert all(isinstance(make(summary), str) for make in (to_markdown, to_latex, to_csv))


def test_many_classes_have_one_grey_and_no_matrix():
    summary, plan, found = made([f"class {c}" for c in range(120)], 600)
    page = Page(to_html(summary, plan, latent=found))
    drawn = page.drawings()["figures"]
    assert "latent-distances" not in drawn
    names = [trace["name"] for trace in drawn["latent-pca"]["data"] if trace["showlegend"]]
    assert len(names) == len(COLOURS)
    assert names[0].endswith("less weak classes")
    assert sum(len(trace["x"]) for trace in drawn["latent-pca"]["data"]) == 1200


@pytest.mark.parametrize(
    "value, text", [(None, "-"), (0.0, "0"), (0.02314, "0.0231"), (3.0, "3.00"), (99.99, "100"), (1234.5, "1,234")]
)
def test_lengths_have_three_digits(value, text):
    assert length(value) == text
