"""What imbalance costs: the steps are the plan's, its rules decide as planned, its page comes from tiny runs."""

from dataclasses import replace

import pytest

import weakspot
from weakspot.analysis.measures import Measure
from weakspot.recipes import catalogue, longtail_balanced, longtail_runs, study
from weakspot.recipes.longtail_balanced import BASE, EVEN, LEVEL, RATIOS, costs, growth, runs, sides, verdict
from weakspot.recipes.longtail_runs import SEEDS, name_of
from weakspot.recipes.study import Sets

SETS = Sets(dict.fromkeys(("fashion-mnist", "cifar10", "cifar100"), "fashion-mnist-mini"))


def points(value, low, high):
    """A difference with its limits."""
    return Measure(value, low, high, low, high)


@pytest.mark.parametrize("scale", ["cpu", "gpu"])
def test_every_step_is_accepted_as_it_will_be_called(scale, tmp_path, monkeypatch, planned):
    begun, audits = planned
    monkeypatch.setattr(longtail_runs, "TRAINING", {scale: {**longtail_runs.TRAINING[scale], "model": "lenet5"}})
    monkeypatch.setattr(longtail_balanced, "SEEDS", (1,))
    made = runs(scale)
    for run in made:
        run.step(SETS).make(tmp_path)
    assert [one.folder.name for one in audits] == [f"{run.name}-audit" for run in made]
    assert len(begun) == len({config.digest() for config in begun}) == 2 * len(RATIOS)


def test_the_runs_are_those_of_the_long_tail_s_study_and_its_control_at_all_imbalances():
    made = {run.name: run for run in runs("cpu")}
    assert len(made) == 18
    before = {run.name: run for run in longtail_runs.runs("cpu")}
    assert set(made) - set(before) == {name_of(EVEN, seed, ratio) for ratio in (10, 100) for seed in SEEDS}
    assert all(made[name] == before[name] for name in set(made) & set(before))
    assert {made[name_of(EVEN, 1, ratio)].part for ratio in RATIOS} == {f"+lt=balanced:{ratio}" for ratio in RATIOS}
    names = [step.name for step in longtail_balanced.steps("cpu", SETS)]
    assert names == [name for run in made for name in (run, f"{run}-sweep")]
    assert [name.split("-s")[0] for name in list(made)[::6]] == [f"{EVEN}-ir{ratio}" for ratio in (100, 10, 50)]


def test_the_wide_size_is_another_network_and_nothing_else():
    wide = [replace(run, training={**run.training, "model": "wrn-34-10"}) for run in runs("gpu")]
    assert wide == list(runs("gpu-wide"))


def test_a_hundred_classes_are_other_images_and_nothing_else():
    assert [replace(run, data="cifar10") for run in runs("gpu-100")] == list(runs("gpu"))


def test_pairs_are_of_models_that_are_planned():
    pairs = [pair for each in longtail_balanced.controls().values() for pair in each]
    assert len(pairs) == len(set(pairs)) == 36 + 9
    assert {name for pair in pairs for name in pair} == {run.name for run in runs("cpu")}


def test_it_costs_only_if_the_interval_of_all_seeds_says_so():
    assert pytest.approx(0.98333, abs=1e-5) == LEVEL
    assert verdict(points(0.03, 0.01, 0.05), 3) == "imbalance costs"
    assert verdict(points(-0.03, -0.05, -0.01), 3) == "imbalance gains"
    assert verdict(points(0.03, -0.01, 0.07), 3) == "not resolved"
    assert verdict(points(0.03, 0.01, 0.05), 2) == "-"


@pytest.mark.parametrize(
    "short, long, says",
    [
        (points(0.01, 0.0, 0.02), points(0.05, 0.03, 0.07), "grows"),
        (points(0.05, 0.03, 0.07), points(0.01, 0.0, 0.02), "falls"),
        (points(0.01, 0.0, 0.04), points(0.05, 0.03, 0.07), "not resolved"),
    ],
)
def test_it_grows_only_beyond_both_intervals(short, long, says, monkeypatch):
    class Crossed:
        def __init__(self, overall):
            self.overall = overall

    monkeypatch.setattr(longtail_balanced, "sides", lambda found, ratio: ([ratio] * 3, [ratio] * 3))
    monkeypatch.setattr(longtail_balanced, "crossed", lambda first, *_, **__: Crossed({10: short, 100: long}[first[0]]))
    assert growth({}).endswith(f": {says}.")


def test_the_page_of_nothing_is_a_page(tmp_path):
    page = longtail_balanced.pages(tmp_path, "cpu")["longtail-balanced.md"]
    assert "0 of 18 runs" in page
    assert "Not decided, runs are missing" in page
    assert "No pair of plain models is there." in page


def test_the_page_of_what_is_done_against_plain_counts(tmp_path, monkeypatch, capsys):
    tiny = {**longtail_runs.TRAINING["cpu"], "model": "lenet5", "epochs": 1, "validation_steps": 1}
    monkeypatch.setattr(longtail_runs, "TRAINING", {"cpu": tiny})
    monkeypatch.setattr(longtail_runs, "AUDIT", {"cpu": {**longtail_runs.AUDIT["cpu"], "limit": 12}})
    monkeypatch.setattr("weakspot.recipes.longtail_setting.STEPS", 1)
    monkeypatch.setattr(study, "EVERY", 0.0)
    names = [name_of(name, 1, 50) for name in (EVEN, BASE)]
    made = catalogue.reproduce(
        "longtail-balanced", only=names, sets={"fashion-mnist": "fashion-mnist-mini"}, out=tmp_path / "study"
    )
    assert made.done == tuple(names)
    assert "audit: 1 of 3 units done, clean" in capsys.readouterr().err
    page = (made.folder / "longtail-balanced.md").read_text()
    assert "2 of 18 runs. Not run: balanced-ir100-s1" in page
    assert "Images: fashion-mnist+lt=balanced:50 as placed" in page
    found = {name: weakspot.open_run(made.folder / f"{name}-audit") for name in names}
    assert sides(found, 10) == ([], [])
    (row,) = costs(found)
    even, tail = (found[name] for name in names)
    assert (row["imbalance"], row["seeds"], row["verdict"]) == (50, 1, "-")
    for column, shares in (
        ("robust, all images", [run.robust["accuracy"] for run in (even, tail)]),
        ("clean", [run.summary["threats"]["clean"]["accuracy"] for run in (even, tail)]),
    ):
        assert row[column].split(" ")[0] == f"{100 * (shares[0] - shares[1]):+.1f}"
    head = [sum(run.classes[c]["accuracy"] for c in (0, 1, 2) if run.classes[c]["samples"]) / 3 for run in (even, tail)]
    assert row["head"].split(" ")[0] == f"{100 * (head[0] - head[1]):+.1f}"
    assert len((made.folder / "longtail-balanced.csv").read_text().splitlines()) == 1 + 2 * 10
