"""The tables: every format holds the summary's numbers, read back; names stay names."""

import copy
import csv
import io
import re

import pytest
import synthetic_runs as runs
from rich.console import Console

from weakspot.report.latex import to_latex
from weakspot.report.markdown import to_markdown
from weakspot.report.summary import summarise
from weakspot.report.tables import class_rows, columns
from weakspot.report.terminal import terminal
from weakspot.report.values import to_csv
from weakspot.report.words import amount, chance, duration, percent, printable

HEADINGS = ["class", "n", "robust", "clean", "natural error", "boundary error", "false pos.", "false pos. rate",
            "CFPS", "CFNS"]  # fmt: skip


@pytest.fixture(scope="module")
def hostile():
    plan = runs.manifest(runs.HOSTILE, samples=1400)
    return summarise(plan, runs.rows(plan), runs.doubts("fail"))


def shown(summary, width, colour=False, whole=True):
    console = Console(
        width=width, file=io.StringIO(), force_terminal=colour, color_system="truecolor" if colour else None
    )
    console.print(terminal(summary, width, whole=whole))
    return console.file.getvalue()


def expected(summary):
    """The cells of the class table as texts, made without the code under test."""
    clean = summary["threats"]["clean"]["classes"]
    lines = []
    for c, entry in enumerate(summary["robust"]["classes"]):
        lines.append([
            entry["name"],
            f"{entry['samples']:,}",
            *(f"{100 * e['accuracy']:.1f} [{100 * e['low']:.1f}, {100 * e['high']:.1f}]" for e in (entry, clean[c])),
            *(f"{100 * entry[key]:.1f}" for key in ("natural_error", "boundary_error")),
            f"{entry['false_positives']:,}",
            f"{100 * entry['false_positive_rate']:.1f}",
            f"{100 * entry['cfps']:.1f} [{100 * entry['cfps_low']:.1f}, {100 * entry['cfps_high']:.1f}]",
            f"{100 * entry['cfns']:.1f} [{100 * entry['cfns_low']:.1f}, {100 * entry['cfns_high']:.1f}]",
        ])  # fmt: skip
    order = sorted(range(len(lines)), key=lambda c: summary["robust"]["classes"][c]["accuracy"])
    return [lines[c] for c in order]


def test_the_terminal_shows_the_summary(summary):
    lines = shown(summary, 200).splitlines()
    assert [text.strip() for text in re.split(r"\s{2,}", lines[0].strip())] == HEADINGS
    table = [re.split(r"\s{2,}", line.strip()) for line in lines[2:12]]
    table[0][0] = table[0][0].removesuffix(" <- worst")
    assert table == expected(summary)


@pytest.mark.parametrize("width", [60, 80, 110])
def test_a_narrow_terminal_folds_tables_and_drops_nothing(summary, width):
    text = shown(summary, width)
    tables = re.split(r"\n\s*\n", text)
    for place, heading in enumerate(HEADINGS[1:], 1):
        (mine,) = [t for t in tables if re.search(rf"(^|\s\s){re.escape(heading)}(\s\s|\n)", t.split("\u2500")[0])
                   and "airplane" in t and t.split()[0] == "class" and "freed" not in t][:1]  # fmt: skip
        for line in expected(summary):
            assert any(row.startswith(line[0]) and line[place] in row for row in mine.splitlines())
    assert text.count("p of equal") == 1


def test_false_positives_have_a_rate_where_classes_differ_in_size(summary):
    even = copy.deepcopy(summary)
    for entry in even["robust"]["classes"]:
        entry["samples"] = 200
    rates = [f"{100 * entry['false_positive_rate']:.1f}" for entry in summary["robust"]["classes"]]
    assert sorted(columns(summary)["false pos. rate"]) == sorted(rates)
    assert "false pos. rate" not in columns(even)


def test_the_worst_class_is_marked_without_colour(summary):
    assert "cat <- worst" in shown(summary, 200)
    assert shown(summary, 200).count("<- worst") == 1
    assert "\x1b[" in shown(summary, 80, colour=True)


@pytest.mark.parametrize("width", [30, 50, 72, 80, 100, 130, 200])
def test_no_line_is_wider_than_the_terminal(summary, width):
    text = shown(summary, width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    if width >= 50:
        assert "12.8 [8.7, 18.3]" in text  # the first rate and its interval always stay


def test_the_footer_tells_protocol_cost_limits_and_what_failed(plan, table):
    gone = [unit["file"] for unit in plan["units"]][-2:]
    cost = {"forwards_per_sample": 1234.0, "backwards_per_sample": 60.25, "seconds": 192.4}
    text = shown(summarise(plan, runs.without(plan, table, gone), runs.doubts("fail"), cost, gone), 300)
    for part in (
        "FAIL input gradients: 6.2 %",
        "INCOMPLETE: 2 planned units",
        "apgd-dlr@linf:8/255",
        "1,234 forward and 60.2 backward passes per sample, 3 min 12 s",
        "upper bound",
    ):
        assert part in text
    assert "eval mode" not in text


def test_many_classes_show_the_weakest(plan):
    plan = runs.manifest([f"class {c}" for c in range(300)], samples=3000)
    summary = summarise(plan, runs.rows(plan))
    text = shown(summary, 100)
    assert "... and 280 classes that are less weak." in text
    first = class_rows(summary)[0]
    assert f"{first.name} <- worst" in text
    assert len(to_markdown(summary).splitlines()) > 300


def test_csv_holds_every_number_with_all_its_digits(summary):
    lines = list(csv.DictReader(io.StringIO(to_csv(summary))))
    cells = {**summary["threats"], "robust": summary["robust"]}
    assert sum(line["scope"] in ("all", "class") for line in lines) == len(cells) * 11
    for line in lines:
        cell = cells.get(line["threat"])
        if line["scope"] == "all":
            entry = cell
        elif line["scope"] != "class":
            continue
        else:
            (entry,) = [e for e in cell["classes"] if e["name"] == line["class"]]
        for key in ("samples", "correct", "accuracy", "low", "high", "natural_error", "boundary_error",
                    "false_positives", "cfps", "cfns"):  # fmt: skip
            if key in entry:
                assert float(line[key]) == entry[key]
            else:
                assert line[key] == ""


def test_markdown_shows_the_summary(summary):
    lines = [line for line in to_markdown(summary).split("###")[0].splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.replace("\\", "").strip("|").split(" | ")] for line in lines]
    table[2][0] = re.fullmatch(r"\*\*(.*)\*\* \(worst\)", table[2][0])[1]
    assert table[0] == HEADINGS
    assert table[2:-1] == expected(summary)
    assert table[-1][:3] == ["all", "2,000", "47.4 [45.2, 49.6]"]


def test_latex_shows_the_summary(summary):
    table = latex_table(to_latex(summary))
    assert table[0] == HEADINGS
    assert table[1:-1] == expected(summary)
    assert table[-1][:3] == ["all", "2,000", "47.4 [45.2, 49.6]"]


def latex_table(text):
    """The cells of a tabular, with the commands for special characters read back."""
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0].replace(r"\midrule", "")
    lines = [line.strip().removesuffix(r"\\").strip() for line in body.strip().split("\n") if line.strip()]
    return [[latex_plain(cell.strip()) for cell in re.split(r"(?<!\\)&", line)] for line in lines]


def latex_plain(text):
    if bold := re.fullmatch(r"\\textbf\{(.*)\}", text):
        text = bold[1]
    text = text.removeprefix("{}")
    named = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<",
             "textgreater": ">", "textbar": "|", "textquotedbl": '"'}  # fmt: skip
    return re.sub(r"\\([a-z]+)\{\}|\\([{}$&#_%])", lambda found: named[found[1]] if found[1] else found[2], text)


def test_latex_reads_hostile_names_back(hostile):
    table = latex_table(to_latex(hostile))
    names = [line[0] for line in table[1:-1]]
    assert sorted(names) == sorted(printable(name).strip() for name in runs.HOSTILE)
    assert all(len(line) == len(HEADINGS) for line in table)


def test_markdown_keeps_hostile_names_in_their_cells(hostile):
    lines = [line for line in to_markdown(hostile).split("###")[0].splitlines() if line.startswith("|")]
    assert len(lines) == len(runs.HOSTILE) + 3
    assert {len(re.split(r"(?<!\\)\|", line)) for line in lines} == {len(HEADINGS) + 2}
    text = "\n".join(lines)
    assert "<script>" not in text
    assert "[text](" not in text


def test_the_terminal_gets_no_control_characters_or_markup(hostile):
    text = shown(hostile, 200)
    assert not set(text) & {"\x1b", "\u202e", "\r"}
    assert r"line\nbreak\x1b[31m red \u202e reversed" in text
    assert "[red]markup[/red]" in text


def test_csv_disarms_formulas_and_keeps_the_other_names(hostile):
    names = [line["class"] for line in csv.DictReader(io.StringIO(to_csv(hostile))) if line["scope"] == "class"]
    assert "'=1+1" in names
    assert set(runs.HOSTILE) - set(names) == {"=1+1"}


def test_ties_mark_the_class_that_the_summary_names(summary):
    tied = copy.deepcopy(summary)
    for entry in tied["robust"]["classes"][:5]:
        entry["accuracy"] = 0.0
    most = max(tied["robust"]["classes"][:5], key=lambda entry: entry["samples"])
    assert class_rows(tied)[0].headline == most
    assert [row.worst for row in class_rows(tied)] == [True] + [False] * 9


def test_degenerate_runs_have_tables(plan, table):
    clean_only = runs.manifest(runs.CIFAR, ())
    empty = table.where(table.sample < 0)
    for summary in (
        summarise(clean_only, table.of("clean")),
        summarise(plan, empty, missing=[unit["file"] for unit in plan["units"]]),
        summarise({**plan, "threats": []}, empty),
    ):
        for width in (40, 120):
            assert "cifar10" in shown(summary, width)
        assert isinstance(to_markdown(summary) + to_latex(summary) + to_csv(summary), str)
    assert "cat <- worst" in shown(summarise(clean_only, table.of("clean")), 80)


def test_words():
    assert (percent(None), percent(0.12345), percent(1.0)) == ("-", "12.3", "100.0")
    assert (chance(1.0), chance(0.5), chance(0.0), chance(None)) == ("over 99.9", "50.0", "under 0.1", "-")
    assert (amount(None), amount(3.0), amount(1234.4), amount(0.06213)) == ("-", "3", "1,234", "0.0621")
    assert [duration(s) for s in (None, 3.21, 61.0, 7500.0)] == ["-", "3.21 s", "1 min 1 s", "2 h 5 min"]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_brief_report_fits_one_screen_and_says_where_the_rest_is(summary, width):
    text = shown(summary, width, whole=False)
    assert len(text.splitlines()) < 50
    assert text.splitlines() == [line for line in text.splitlines() if len(line.rstrip()) <= width]
    table = text.partition("\n\n")[0]
    for line in expected(summary):
        assert any(row.startswith(line[0]) and line[2] in row for row in table.splitlines())
    assert "Disparity over classes" not in text
    assert "Disparity over classes" in shown(summary, width)
    assert "weakspot report RUN --full" in " ".join(text.split())
    assert "weakspot report RUN --full" not in " ".join(shown(summary, width).split())


def test_the_brief_report_keeps_what_failed(plan, table):
    gone = [unit["file"] for unit in plan["units"]][-2:]
    text = shown(summarise(plan, runs.without(plan, table, gone), runs.doubts("fail"), None, gone), 300, whole=False)
    for part in ("FAIL input gradients: 6.2 %", "INCOMPLETE: 2 planned units", "upper bound"):
        assert part in text
