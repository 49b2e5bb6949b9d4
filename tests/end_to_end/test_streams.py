"""stdout carries results and nothing else, stderr the rest, and a reader that leaves is no failure."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = str(Path(sys.executable).parent / "weakspot")
MODEL = ("models.py:net", "--data", "data.py:make", "--radius", "linf:0.1")
AUDIT = ("audit", *MODEL, "--threats", "pgd(steps=2)", "--out", "my run")


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-o", "pipefail", "-c", line]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, text=True, capture_output=True, timeout=120, check=False
    )


def test_json_is_one_object_and_equals_summary_json(place) -> None:
    ended = place.run(*AUDIT, "--json")
    assert ended.code == 0
    printed = json.loads(ended.out)
    assert printed == json.loads((place.folder / "my run/summary.json").read_text())
    assert printed["threats"]["clean"]["samples"] == 40
    assert "auditing models.py:net" in ended.err


def test_json_of_the_other_verbs(place) -> None:
    assert place.run(*AUDIT, "--quiet").code == 0
    for arguments, key in [
        (("report", "my run"), "threats"),
        ((*AUDIT, "--dry-run"), "seconds"),
        (("data", "list"), "sets"),
        (("data", "describe", "data.py:make"), "classes"),
        (("doctor", *MODEL), "findings"),
    ]:
        ended = place.run(*arguments, "--json")
        assert ended.code in (0, 1), ended.err
        assert key in json.loads(ended.out)


def test_the_last_line_is_a_path_that_a_shell_takes(place) -> None:
    ended = place.run(*AUDIT)
    assert ended.code == 0
    found = shell(f"ls {ended.out.splitlines()[-1]}", place.folder)
    assert found.stdout == "my run/report.html\n"


def test_quiet_says_nothing_on_stderr_and_verbose_says_each_unit(place) -> None:
    assert place.run(*AUDIT, "--quiet").err == ""
    verbose = place.run(*AUDIT[:-1], "other", "--block", "10", "--verbose").err
    units = [line.partition(" units")[0] for line in verbose.splitlines() if " units, " in line and " left: " in line]
    assert units == [f"{i} of 8" for i in range(1, 9)]


def test_report_writes_every_form(place) -> None:
    assert place.run(*AUDIT, "--quiet").code == 0
    names = ["page.html", "table.tex", "numbers.csv", "table.md"]
    flags = [word for flag, name in zip(("--html", "--latex", "--csv", "--markdown"), names, strict=True)
             for word in (flag, name)]  # fmt: skip
    ended = place.run("report", "my run", *flags)
    assert ended.code == 0
    assert ended.out.splitlines()[-4:] == names
    starts = ["<!doctype html>", "%", "threat,", "| class"]
    for name, start in zip(names, starts, strict=True):
        assert (place.folder / name).read_text().lower().startswith(start)


def test_dry_run_writes_nothing(place) -> None:
    ended = place.run(*AUDIT, "--dry-run")
    assert ended.code == 0
    assert "2 of 2 units are to do" in ended.out
    assert not (place.folder / "my run").exists()
    assert not (place.folder / "runs").exists()


def test_dry_run_counts_what_is_left(place) -> None:
    assert place.run(*AUDIT, "--quiet", "--block", "10", "--shard", "0/2").code == 0
    ended = place.run(*AUDIT, "--block", "10", "--dry-run", "--json")
    cost = json.loads(ended.out)
    assert (cost["planned"], cost["units"]) == (8, 4)
    assert {one["threat"]: one["samples"] for one in cost["threats"]} == {"clean": 20, "pgd(steps=2)@linf:0.1": 20}
    assert cost["seconds"] > 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_stream_is_no_failure(place, stream) -> None:
    ended = place.run(*AUDIT, **{stream: None})
    assert ended.code == 0
    assert json.loads((place.folder / "my run/summary.json").read_text())["missing"] == []


def test_a_full_disk_behind_stdout(place) -> None:
    ended = place.run("data", "list", stdout="/dev/full")
    assert ended.code == 3
    assert "stdout" in ended.line


def test_a_reader_that_leaves_is_silent(place) -> None:
    """The pipe's reader is gone before anything is printed."""
    done = shell(f"{SCRIPT} data list --json | true", place.folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_colours_where_stdout_is_a_file(place) -> None:
    ended = place.run("doctor", *MODEL)
    assert "OK" in ended.out
    assert "\033" not in ended.out


def test_environment_variables_are_options_and_flags_come_first(place) -> None:
    (place.folder / "options.yaml").write_text("limit: 10\nseed: 5\nblock: 20\n")
    variables = {"WEAKSPOT_CONFIG": "options.yaml", "WEAKSPOT_SEED": "6", "WEAKSPOT_LIMIT": "30"}
    ended = place.run(*AUDIT, "--limit", "12", "--quiet", **variables)
    assert ended.code == 0, ended.err
    config = (place.folder / "my run/config.yaml").read_text()
    assert "limit: 12\n" in config
    assert "seed: 6\n" in config
    assert "block: 20\n" in config


@pytest.mark.parametrize(
    "text, words",
    [
        ("sede: 3", ("sede", "'seed'")),
        ("- 3", ("key: value",)),
        ("a: [1", ("no YAML", "line")),
        ("limit: x", ("limit",)),
    ],
)
def test_config_files_that_are_wrong(place, text, words) -> None:
    (place.folder / "options.yaml").write_text(text)
    ended = place.run("audit", "--config", "options.yaml")
    assert ended.code == 2
    for word in words:
        assert word in ended.line


def test_verbose_shows_the_traceback_of_an_input_error(place) -> None:
    ended = place.run("audit", "--radius", "nonsense", "--verbose")
    assert ended.code == 2
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("weakspot: a radius is written")
