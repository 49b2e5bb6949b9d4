"""The study of the long tail: every step is accepted, its rules decide as planned, its page comes from tiny runs."""

from dataclasses import replace

import numpy as np
import pytest

import weakspot
from weakspot.analysis.class_means import Estimate
from weakspot.analysis.measures import Measure
from weakspot.errors import InputError
from weakspot.recipes import catalogue, longtail, longtail_gains, longtail_runs, longtail_verdicts
from weakspot.recipes.longtail_runs import name_of, runs
from weakspot.recipes.study import Sets, Trained

SETS = Sets(dict.fromkeys(("fashion-mnist", "cifar10", "cifar100"), "fashion-mnist-mini"))


@pytest.mark.parametrize("scale", longtail_runs.TRAINING)
def test_what_is_built_on_comes_first_and_the_primary_endpoint_before_all(scale):
    made = runs(scale)
    places = {run.name: at for at, run in enumerate(made)}
    assert len(places) == len(made)
    built = [run for run in made if run.base]
    assert len(built) == 10
    assert all(places[run.base] < places[run.name] for run in built)
    primary = {name_of(name, seed) for name in longtail_runs.LEADING for seed in longtail_runs.SEEDS}
    assert primary <= {run.name for run in made[:21]}
    wanted = longtail_gains.sweeps_wanted()
    assert set(wanted) <= set(places)
    assert len(longtail.steps(scale, SETS)) == len(made) + len(wanted)


@pytest.mark.parametrize("scale", ["cpu", "gpu"])
def test_every_step_is_accepted_as_it_will_be_called(scale, tmp_path, monkeypatch, planned):
    begun, audits = planned
    # The network is one that is drawn at once.
    training = {**longtail_runs.TRAINING[scale], "model": "lenet5"}
    monkeypatch.setattr(longtail_runs, "TRAINING", {scale: training})
    monkeypatch.setattr(longtail_runs, "SEEDS", (1,))
    made = runs(scale)
    for run in made:
        run.step(SETS).make(tmp_path)
    assert [one.folder.name for one in audits] == [f"{run.name}-audit" for run in made]
    assert len(begun) == len({config.digest() for config in begun}) == sum(isinstance(run, Trained) for run in made)
    assert {config.epochs for config in begun} == {1, 4 if scale == "cpu" else 25, training["epochs"]}


def test_the_wide_size_is_another_network_and_nothing_else():
    wide = [
        replace(run, training={**run.training, "model": "wrn-34-10"}) if isinstance(run, Trained) else run
        for run in runs("gpu")
    ]
    assert wide == list(runs("gpu-wide"))


def test_what_papers_set_otherwise_for_a_hundred_classes_is_accepted_and_all_else_is_the_same(tmp_path, planned):
    before = {run.name: run for run in runs("gpu")}
    other = [run for run in runs("gpu-100") if replace(run, data="cifar10") != before.pop(run.name)]
    assert not before
    assert {run.method for run in other} == {"robal-n-100", "robal-r-100", "trades"}
    assert [run.training["policy"] for run in other if run.method == "trades"] == ["dafa(lam=1.5)"]
    for run in other:
        if run.training["seed"] == 1:
            replace(run, training={**run.training, "model": "lenet5"}).step(SETS).make(tmp_path)
    assert len(planned.begun) == 2 * 3 + 1


def test_holm_counts_what_is_missing_as_no_finding():
    found = longtail_gains.corrected({"a": 0.01, "b": 0.04}, ["a", "b", "c", "d"])
    assert found == pytest.approx({"a": 0.04, "b": 0.12})


def test_the_p_of_an_interval_is_that_of_its_limits():
    assert longtail_gains.p_value(Estimate(0.0196, 0.0, 0.0392)) == pytest.approx(0.05)
    assert longtail_gains.p_value(Estimate(0.0, -0.01, 0.01)) == pytest.approx(1)


def test_an_error_limits_only_if_all_three_seeds_say_so():
    up, down, open_ = Estimate(0.1, 0.05, 0.15), Estimate(-0.1, -0.15, -0.05), Estimate(0.01, -0.01, 0.03)
    assert longtail_verdicts.limiting([up, up, up]) == "boundary error"
    assert longtail_verdicts.limiting([down, down, down]) == "natural error"
    assert longtail_verdicts.limiting([up, up, open_]) == "neither"
    assert longtail_verdicts.limiting([up, up]) == "-"


def test_only_the_leading_imbalance_is_judged():
    up, open_ = Measure(0.1, 0.05, 0.15, 0.06, 0.14), Measure(0.1, -0.05, 0.25, -0.04, 0.24)
    assert longtail_verdicts.judged(up, 3, 50) == "better"
    assert longtail_verdicts.judged(open_, 3, 50) == "not resolved"
    assert longtail_verdicts.judged(up, 2, 50) == "-"
    assert longtail_verdicts.judged(up, 3, 10) == "(described)"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Tiny runs of three steps, one of them an adjustment."""
    patch = pytest.MonkeyPatch()
    tiny = {**longtail_runs.TRAINING["cpu"], "model": "lenet5", "epochs": 1, "validation_steps": 1}
    patch.setattr(longtail_runs, "TRAINING", {"cpu": tiny})
    patch.setattr(longtail_runs, "AUDIT", {"cpu": {**longtail_runs.AUDIT["cpu"], "limit": 12}})
    patch.setattr("weakspot.recipes.longtail_setting.STEPS", 1)
    patch.setattr("weakspot.recipes.sweeps.IMAGES", 10)
    out = tmp_path_factory.mktemp("study")
    wanted = [name_of("pgd-at"), name_of("robal-r"), name_of("cdt"), f"{name_of('cdt')}-sweep"]
    with pytest.raises(InputError, match="cdt-ir50-s1 builds on pgd-at-ir50-s1, which is not trained yet"):
        catalogue.reproduce("longtail", only=[name_of("cdt")], sets={"fashion-mnist": "fashion-mnist-mini"}, out=out)
    found = catalogue.reproduce("longtail", only=wanted, sets={"fashion-mnist": "fashion-mnist-mini"}, out=out)
    yield out, found
    patch.undo()


def test_the_page_of_what_is_done_names_what_is_not(study):
    out, found = study
    assert set(found.done) == {*(name_of(name) for name in ("pgd-at", "robal-r", "cdt")), f"{name_of('cdt')}-sweep"}
    made = {path.name: path.read_text() for path in found.pages}
    assert set(made) == {"longtail.md", "longtail.svg", "longtail.csv", "longtail-groups.csv"}
    page = made["longtail.md"]
    assert "hours in trainings" in page
    assert "3 of 84 runs. Not run: la-ir50-s1, at-bsl-ir50-s1" in page
    assert "| cdt-ir50-s1 | " in page
    assert "21 are missing: the finding is not decided" in page
    assert len(made["longtail.csv"].splitlines()) == 1 + 3 * 10
    assert len(made["longtail-groups.csv"].splitlines()) == 1 + 3 * 3


def test_the_page_of_nothing_is_a_page(tmp_path):
    assert "0 of 84 runs" in longtail.pages(tmp_path, "cpu")["longtail.md"]


def test_errors_and_differences_against_plain_loops(study):
    out, _ = study
    base, other = (weakspot.open_run(out / f"{name_of(name)}-audit") for name in ("pgd-at", "robal-r"))
    right = {name: {} for name in ("clean", "pgd@linf:0.05", "standard@linf:0.05")}
    label = {}
    for threat, sample, truth, correct in zip(
        base.rows.threat, base.rows.sample, base.rows.label, base.rows.correct, strict=True
    ):
        right[threat][int(sample)] = bool(correct)
        label[int(sample)] = int(truth)
    held = {sample: all(each[sample] for each in right.values()) for sample in label}
    tail = []
    for c in (7, 8, 9):
        mine = [sample for sample in label if label[sample] == c]
        natural = sum(not right["clean"][sample] for sample in mine)
        boundary = sum(right["clean"][sample] and not held[sample] for sample in mine)
        tail.append((boundary - natural) / len(mine))
    assert longtail_verdicts.excess(base).value == pytest.approx(np.mean(tail))
    difference, p = longtail_verdicts.changed(base, other, "robust")
    assert difference == pytest.approx(other.robust["accuracy"] - base.robust["accuracy"])
    assert longtail_verdicts.changed(base, base, "clean") == (0, 1)
    part = longtail_verdicts.crossed([base], [other], groups=("tail",)).balanced
    after = other.rows
    survived = dict.fromkeys(label, True)
    for sample, correct in zip(after.sample, after.correct, strict=True):
        survived[int(sample)] &= bool(correct)
    changes = [
        np.mean([survived[sample] - held[sample] for sample in label if label[sample] == c], dtype=float)
        for c in (7, 8, 9)
    ]
    assert part.value == pytest.approx(np.mean(changes))
    everything = longtail_verdicts.crossed([base], [other], groups=("head", "medium", "tail")).overall
    assert everything.value == pytest.approx(difference)
    assert 0 < p <= 1
