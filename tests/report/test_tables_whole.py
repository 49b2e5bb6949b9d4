"""Corruptions, directed pairs, attractors and disparity: the same numbers in the terminal, Markdown, LaTeX and CSV."""

import csv
import io
import re

import pytest
import synthetic_runs as runs
from test_tables import latex_plain, shown

from weakspot.report.findings import findings
from weakspot.report.latex import to_latex
from weakspot.report.markdown import to_markdown
from weakspot.report.summary import summarise
from weakspot.report.tables import class_rows, grids
from weakspot.report.values import to_csv
from weakspot.report.verdict import verdict
from weakspot.report.words import chance, chances, points, rank


def pc(value):
    return "-" if value is None else f"{100 * value:.1f}"


def limited(entry, key="accuracy", start=""):
    return f"{pc(entry[key])} [{pc(entry[f'{start}low'])}, {pc(entry[f'{start}high'])}]"


@pytest.fixture(scope="module")
def expected(whole):
    """Some tables by their title, made without the code under test."""
    corrupted = whole["corrupted"]
    weakest = [min(range(10), key=lambda c: e["classes"][c]["accuracy"]) for e in corrupted["by_corruption"]]
    cell = whole["robust"]
    roles = [("attracts", role) for role in cell["attractors"]] + [("leaks", role) for role in cell["leaks"]]
    return {
        "Corruptions, meaned over severities": [
            [e["name"], limited(e), f"{runs.CIFAR[c]}: {pc(e['classes'][c]['accuracy'])}", f"{100 * e['slope']:+.1f}"]
            for e, c in zip(corrupted["by_corruption"], weakest, strict=True)
        ],
        "Corruptions by severity": [[str(e["severity"]), limited(e)] for e in corrupted["by_severity"]],
        "Directed pairs, easiest first": [
            [p["source"], p["target"], limited(p, "success"), pc(p["back"]), pc(p["symmetric"]),
             f"{100 * p['asymmetric']:+.1f}", str(p["samples"]), str(p["already"])]
            for p in whole["pairs"]["top"][:10]
        ],
        "Classes that attract errors or leak (robust)": [
            [r["name"], kind, str(r["count"]), f"{r['expected']:.1f}", limited(r, "share"), chances(r["p"])]
            for kind, r in roles
        ],
        **related(whole),
    }  # fmt: skip


def signed(found):
    limits = "" if found["low"] is None else f" [{found['low']:+.2f}, {found['high']:+.2f}]"
    return f"{found['value']:+.2f}{limits}"


def related(whole):
    """The tables of relations by their title, made without the code under test."""
    corrupted, pairs, coupled = whole["corrupted"], whole["pairs"], whole["relations"]["coupling"]
    conditions = {"clean": whole["threats"]["clean"], "robust": whole["robust"], "corrupted": corrupted}
    return {
        "How sure the weakest class is": [
            [name, (w := c["worst_class"])["name"], limited(w), pc(w["corrected"]), chance(w["probability"])]
            for name, c in conditions.items()
        ],
        "Corruption error, not divided by a reference model's": [
            ["mean (mCE)", pc(corrupted["mean_corruption_error"])],
            ["added to the clean error (relative mCE)", pc(corrupted["relative_corruption_error"])],
        ],
        "Accuracy that corruptions cost each class, in points": [
            [name, f"{-100 * lost:+.1f}", f"{100 * slope:+.1f}"]
            for name, lost, slope in zip(runs.CIFAR, corrupted["relative_errors"], corrupted["slopes"], strict=True)
        ],
        "Rank correlation of CFPS with accuracy": [
            [name, signed(c["over_classes"]), signed(c["over_images"]),
             f"{c['null_mean']:+.2f} [{c['null_low']:+.2f}, {c['null_high']:+.2f}]", chances(c["p"]),
             signed(c["uncoupled"])]
            for name, c in coupled.items()
        ],
        "Rank correlation between random halves of the images": [
            [name, *(f"{c['split_half'][key]:+.2f}" for key in ("cfps", "accuracy", "crossed"))]
            for name, c in coupled.items()
        ],
        "Whether the weak classes are the same ones (rank correlation)": [
            [f"{a['first']} and {a['last']}", signed(a["correlation"]), f"{a['shared']} of {a['k']}",
             f"{a['by_chance']:.1f}"]
            for a in whole["relations"]["agreement"]
        ],
        "Errors of attacks that aim at nothing, in the easiest directed pairs": [
            [str(n), pc(pairs["explained"][n - 1]), pc(n / pairs["attacked"])] for n in (1, 3, 10, 30)
        ],
        "Hubs (driven into) and exposure (driven elsewhere), mean success": [
            [e["name"], pc(e["hub"]), pc(e["exposure"])] for e in pairs["classes"]
        ],
        "Directed pairs beside attacks that aim at nothing": [
            ["hub and CFPS", signed(pairs["hub_cfps"])],
            ["exposure and accuracy", signed(pairs["exposure_accuracy"])],
        ],
    }  # fmt: skip


def test_markdown_holds_them(whole, expected):
    parts = {part.splitlines()[0].strip(): part for part in to_markdown(whole).split("### ")[1:]}
    for title, lines in expected.items():
        table = [line for line in parts[title].replace("\\", "").splitlines() if line.startswith("|")]
        assert [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]] == lines


def test_latex_holds_them(whole, expected):
    parts = {part.splitlines()[0]: part for part in to_latex(whole).split("\n% ")}
    for title, lines in expected.items():
        body = parts[title].split(r"\midrule")[1].split(r"\bottomrule")[0]
        table = [line.strip().removesuffix(r"\\").strip() for line in body.strip().splitlines()]
        assert [[latex_plain(cell.strip()) for cell in re.split(r"(?<!\\)&", line)] for line in table] == lines


def test_the_terminal_holds_them(whole, expected):
    text = shown(whole, 150)
    for title, lines in expected.items():
        part = text.split(f"{title}:\n")[1].splitlines()[2:]
        assert [re.split(r"\s{2,}", line.strip()) for line in part[: len(lines)]] == lines


def test_csv_holds_every_number_of_them(whole):
    lines = list(csv.DictReader(io.StringIO(to_csv(whole))))
    keys = ("scope", "threat", "class", "target", "radius", "variable")
    assert len({tuple(line[key] for key in keys) for line in lines}) == len(lines)
    at = {(line["scope"], line["threat"], line["class"], line["target"]): line for line in lines}
    found = whole["pairs"]
    for i, source in enumerate(runs.CIFAR):
        for j, target in enumerate(runs.CIFAR):
            if i != j:
                line = at["pair", "pairs", source, target]
                assert float(line["share"]) == found["success"][i][j]
                assert int(line["count"]) == found["ended"][i][j]
                assert int(line["already"]) == found["already"][i][j]
        assert float(at["pair class", "pairs", source, ""]["hub"]) == found["classes"][i]["hub"]
        for entry in whole["corrupted"]["by_corruption"]:
            line = at["corruption", entry["name"], source, ""]
            assert float(line["accuracy"]) == entry["classes"][i]["accuracy"]
            assert float(line["slope"]) == entry["classes"][i]["slope"]
        line = at["class", "corrupted", source, ""]
        assert float(line["cfps_high"]) == whole["corrupted"]["classes"][i]["cfps_high"]
    for threat, cell in whole["threats"].items():
        line = at["all", threat, "", ""]
        for key, value in cell["disparity"].items():
            assert line[key] == ("" if value is None else str(value))
        for pair in cell["top_confusions"]:
            assert int(at["confusion", threat, pair["source"], pair["target"]]["count"]) == pair["count"]


def test_csv_holds_the_relations(whole):
    lines = list(csv.DictReader(io.StringIO(to_csv(whole))))
    at = {tuple(line[key] for key in ("scope", "threat", "class", "target", "variable")): line for line in lines}

    def holds(key, entry, names):
        for column, name in names.items():
            assert at[key][column] == ("" if entry[name] is None else str(entry[name])), (key, column)

    def same(*names):
        return {name: name for name in names}

    for threat, cell in {**whole["threats"], "robust": whole["robust"], "corrupted": whole["corrupted"]}.items():
        worst = cell["worst_class"]
        limits = same("accuracy", "low", "high", "corrected", "probability")
        holds(("worst class", threat, worst["name"], "", ""), worst, limits)
        for scope, found in (("attracts", cell["attractors"]), ("leaks", cell["leaks"])):
            for role in found:
                limits = same("count", "expected", "share", "low", "high", "p")
                holds((scope, threat, role["name"], "", ""), role, limits)
    ranked = {"rank": "value", **same("low", "high", "resampled")}
    for condition, each in whole["relations"]["coupling"].items():
        for variable, key in (("over classes", "over_classes"), ("over images", "over_images"),
                              ("uncoupled", "uncoupled")):  # fmt: skip
            holds(("coupling", condition, "", "", variable), each[key], ranked)
        null = {"rank": "null_mean", "low": "null_low", "high": "null_high"}
        holds(("coupling", condition, "", "", "null"), each, null)
        assert at["coupling", condition, "", "", "over classes"]["p"] == str(each["p"])
        for key in ("cfps", "accuracy", "crossed"):
            holds(("coupling", condition, "", "", f"split half {key}"), each["split_half"], {"rank": key})
    for each in whole["relations"]["agreement"]:
        line = ("agreement", each["first"], "", "", each["last"])
        holds(line, each["correlation"], ranked)
        holds(line, each, {"shared": "shared", "k": "k", "expected": "by_chance"})
    pairs, corrupted = whole["pairs"], whole["corrupted"]
    for pair in pairs["top"]:
        key = ("pair", "pairs", pair["source"], pair["target"], "")
        names = {"share": "success", **same("low", "high", "back", "symmetric", "asymmetric")}
        for column, name in names.items():
            assert float(at[key][column]) == pytest.approx(pair[name], abs=1e-12)
    assert [line["share"] for line in lines if line["scope"] == "explained"] == [str(s) for s in pairs["explained"]]
    holds(("aimed", "pairs", "", "", "hub and cfps"), pairs["hub_cfps"], ranked)
    holds(("aimed", "pairs", "", "", "exposure and accuracy"), pairs["exposure_accuracy"], ranked)
    holds(("corruption error", "corrupted", "", "", "mean"), corrupted, {"value": "mean_corruption_error"})
    holds(("corruption error", "corrupted", "", "", "relative"), corrupted, {"value": "relative_corruption_error"})
    for c, name in enumerate(runs.CIFAR):
        line = at["corruption error", "corrupted", name, "", "relative"]
        assert [line["value"], line["slope"]] == [str(corrupted[key][c]) for key in ("relative_errors", "slopes")]


def test_the_findings_say_what_the_summary_holds(whole):
    text = " ".join(findings(whole))
    for each in whole["relations"]["agreement"]:
        assert f"{each['first']} and {each['last']}: {each['shared']} of the 3 weakest" in text
        assert rank(each["correlation"]["value"]) in text
    coupled = whole["relations"]["coupling"]["robust"]
    for value in (coupled["over_classes"]["value"], coupled["null_mean"], coupled["split_half"]["crossed"]):
        assert rank(value) in text
    assert f"hold {pc(whole['pairs']['explained'][9])} % of the errors" in text
    assert text in " ".join(shown(whole, 100_000).split())
    assert all(sentence in to_latex(whole) for sentence in findings(whole))


def test_the_brief_report_has_a_table_of_each_thing_that_was_asked_for(whole):
    text = shown(whole, 100, whole=False)
    titles = [grid.title for grid in grids(whole)]
    for title in ("Corruptions, meaned over severities", "Directed pairs, easiest first"):
        assert title in titles
        assert f"{title}:" in text
    assert "Corruptions by severity:" not in text
    assert len(text.splitlines()) < len(shown(whole, 100).splitlines()) / 2


def test_the_many_corruptions_are_one_line_among_the_threats(whole):
    text = shown(whole, 130)
    assert "fog@3" not in text
    assert "75 corruption threats" in text
    threats = next(grid for grid in grids(whole) if grid.title == "Threats")
    assert threats.columns["threat"][-3:] == ["robust", "robust at linf:4/255", "corrupted"]
    assert threats.columns["n"][-1] == "2,000"  # images, not their 150,000 rows


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(whole, width):
    longest = max(len(line.rstrip()) for line in shown(whole, width).splitlines())
    assert longest <= max(width, 72)


def test_without_attacks_corruptions_are_the_headline():
    plan = runs.manifest(runs.CIFAR, (), 600, ["fog@1", "fog@5", "snow@5"])
    found = summarise(plan, runs.rows(plan))
    text = shown(found, 100)
    assert text.splitlines()[0].split()[:3] == ["class", "n", "corrupted"]
    assert sum(row.images for row in class_rows(found)) == 600
    said = verdict(found)
    assert "are right on average under corruptions" in said.sentence
    assert "of all 600 images" in said.sentence
    assert [figure.label for figure in said.figures[:2]] == ["Natural", "Corrupted"]


def test_undefined_values_are_dashes(whole_plan, whole_table):
    plan = runs.manifest(runs.CIFAR, (runs.QUICK[0], "pairs@linf:8/255"), 300, ["fog@2"])
    table = runs.rows(plan)
    found = summarise(plan, table.where((table.label != 4) & (table.label != 5)))
    made = {grid.title: grid for grid in grids(found)}
    assert made["Corruptions, meaned over severities"].columns["per severity"] == ["-"]
    lines = {line[0]: line for line in made["Classes"].lines}
    assert lines["deer"][2:5] == ["-", "-", "-"]
    for text in (shown(found, 200), to_markdown(found), to_latex(found)):
        assert "None" not in text
        assert "nan" not in text


def test_words_of_relations():
    assert (points(None), points(0.0123), points(-0.4)) == ("-", "+1.2", "-40.0")
    assert (rank(None), rank(0.623), rank(-1.0)) == ("-", "+0.62", "-1.00")
    assert (chances(None), chances(0.0004), chances(0.0244), chances(1.0)) == ("-", "< 0.001", "0.024", "1")


def test_a_substituted_corruption_is_said_in_every_form(whole):
    assert whole["corrupted"]["substituted"] == ["frost"]
    sentence = "frost: drawn with a substitute for what was published"
    made = [shown(whole, 1000), to_markdown(whole), to_latex(whole), shown(whole, 1000, whole=False)]
    assert all(sentence in text for text in made)
    plan = runs.manifest(runs.CIFAR, (), 300, ["fog@1", "snow@5"])
    without = summarise(plan, runs.rows(plan))
    assert without["corrupted"]["substituted"] == []
    assert "substitute" not in shown(without, 1000)


@pytest.mark.parametrize(
    ("classes", "says"),
    [(3, "2 instead of 9 targets, and the DLR loss"), (5, "4 instead of 9 targets, where"), (10, None)],
)
def test_where_autoattack_fails_the_fallback_is_stated(classes, says):
    plan = runs.manifest(runs.CIFAR[:classes], ("autoattack@linf:8/255",), 300)
    found = summarise(plan, runs.rows(plan))
    for text in (shown(found, 1000), shown(found, 1000, whole=False), to_markdown(found), to_latex(found)):
        assert ("autoattack on" in text) == (says is not None)
        assert says is None or says in text
