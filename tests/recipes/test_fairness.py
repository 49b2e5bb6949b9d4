"""The study of class fairness: every step is accepted, its rules decide as planned, its page comes from tiny runs."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import weakspot
from weakspot.analysis.measures import Measure
from weakspot.analysis.scores import Scores
from weakspot.data import limit
from weakspot.data.named import NAMED
from weakspot.errors import InputError
from weakspot.recipes import (
    catalogue,
    fairness,
    fairness_pair,
    fairness_picture,
    fairness_runs,
    fairness_verdicts,
)
from weakspot.recipes.fairness_pair import changed, exchanged, spat_claim
from weakspot.recipes.fairness_runs import LEADING, METHODS, Hard, hard_of, name_of, runs
from weakspot.recipes.fairness_verdicts import Against, differences, ours_claim, speaking
from weakspot.recipes.study import Sets
from weakspot.run import Run


def points(value, low, high):
    """A difference with its limits."""
    return Measure(value, low, high, low, high)


def compared(worst, overall=(0.0, -0.01, 0.01), seeds=3, base=0.2, hard=(0.0, -0.01, 0.01)):
    """A method against TRADES."""
    return Against(seeds, points(*overall), points(*worst), points(*hard), ("cat",), ("cat", "bird"), base, 0.5)


@pytest.mark.parametrize("scale", ["cpu", "gpu"])
def test_every_step_is_accepted_as_it_will_be_called(scale, tmp_path, monkeypatch, planned):
    begun, audits = planned
    monkeypatch.setattr(fairness_runs, "TRAINING", {scale: {**fairness_runs.TRAINING[scale], "model": "lenet5"}})
    monkeypatch.setattr(fairness_runs, "SEEDS", (1,))
    made = runs(scale)
    sets = Sets({"cifar10": "fashion-mnist-mini"})
    for run in made:
        run.step(sets).make(tmp_path)
    assert {one.folder.name for one in audits} == {f"{name_of(name, 1)}-audit" for name in METHODS}
    assert {config.average for config in begun} == {0.999}
    assert {run.name for run in made if run.training["radius"] != run.audit["radius"]} == {"trades-small-1"}


def test_the_wide_size_is_another_network_and_nothing_else():
    assert [
        replace(run, training={**run.training, "model": "wrn-34-10"}) for run in runs("gpu")
    ] == list(runs("gpu-wide"))  # fmt: skip


def test_dafa_weighs_as_its_paper_has_it_for_a_hundred_classes_and_all_else_is_the_same():
    before = {run.name: run for run in runs("gpu")}
    other = [run for run in runs("gpu-100") if replace(run, data="cifar10") != before.pop(run.name)]
    assert not before
    assert [run.training["policy"] for run in other] == 3 * ["dafa(lam=1.5)"]


def test_what_the_verdicts_need_comes_first_seed_by_seed():
    names = [run.name for run in runs("cpu")]
    assert len(names) == len(set(names)) == 23
    assert names[:15] == [name_of(name, seed) for seed, name in product((1, 2, 3), LEADING)]
    assert set(names[15:]) == {name_of(name, 1) for name in METHODS if name not in LEADING}
    assert all(run.method.endswith("(steps=5)") for run in runs("cpu"))


@pytest.mark.parametrize(
    "worst, overall, more, says",
    [
        ((0.1, 0.05, 0.15), (0.0, -0.01, 0.01), {}, "raised"),
        ((0.1, 0.05, 0.15), (-0.05, -0.06, -0.031), {}, "raised, but traded"),
        ((0.1, 0.05, 0.15), (-0.02, -0.04, 0.0), {}, "raised, cost unclear"),
        ((0.1, -0.01, 0.2), (-0.2, -0.3, -0.1), {}, "not resolved"),
        ((-0.1, -0.2, -0.01), (0.0, -0.01, 0.01), {}, "lowered"),
        ((0.1, 0.05, 0.15), (0.0, -0.01, 0.01), {"base": 0.049}, "off the floor"),
        ((0.1, 0.05, 0.15), (0.0, -0.01, 0.01), {"base": 0.049, "hard": (0.02, 0.01, 0.03)}, "raised"),
        ((0.1, 0.05, 0.15), (0.0, -0.01, 0.01), {"base": 0.05}, "raised"),
    ],
)
def test_a_raise_needs_its_interval_and_must_not_cost_the_average(worst, overall, more, says):
    assert compared(worst, overall, **more).says == says


def test_one_seed_is_described_whatever_its_interval_says():
    raised = (0.1, 0.05, 0.15)
    rows = list(differences({"dafa": compared(raised, seeds=2), "wat": compared(raised, seeds=1)}))
    assert [row["verdict"] for row in rows] == ["(described)", "(described)"]
    assert [row["interval over"] for row in rows] == ["images, seeds", "images only"]
    assert next(differences({"dafa": compared(raised)}))["verdict"] == "raised"


@pytest.mark.parametrize(
    "worst, overall, says",
    [
        ((0.06, 0.01, 0.1), (-0.01, -0.029, 0.01), "earns"),
        ((0.04, 0.01, 0.1), (-0.01, -0.029, 0.01), "is not seen to earn"),
        ((0.06, -0.01, 0.1), (-0.01, -0.029, 0.01), "is not seen to earn"),
        ((0.06, 0.01, 0.1), (-0.01, -0.031, 0.01), "is not seen to earn"),
        ((0.03, 0.01, 0.049), (-0.01, -0.029, 0.01), "does not earn"),
        ((0.06, 0.01, 0.1), (-0.05, -0.08, -0.031), "does not earn"),
    ],
)
def test_our_own_policy_must_gain_and_not_cost(worst, overall, says):
    assert ours_claim({"confusion": compared(worst, overall)}).startswith(f"Our own policy (confusion) {says} its")
    assert "not decided, 2 of 3 seeds" in ours_claim({"confusion": compared(worst, overall, seeds=2)})
    assert "not decided, 0 of 3 seeds" in ours_claim({})


@pytest.mark.parametrize(
    "trades, spat, says",
    [
        ((30, 30, 30), (10, 11, 12), "holds, -19.0 ["),
        ((10, 11, 12), (30, 30, 30), "is contradicted, +19.0 ["),
        ((30, 30, 30), (29, 31, 30), "is not resolved"),
        ((30, 30), (10, 10), "not decided, 2 of 3 seeds are there and robust"),
        ((), (), "not decided, 0 of 3 seeds are there and robust"),
    ],
)
def test_spat_must_lower_the_hard_pair_beyond_images_and_seeds(trades, spat, says, monkeypatch):
    # A run that sees so many of 100 images, the first ones, as the other class is no more than that number here.
    class Seen(Run):
        manifest = {"data": {"classes": ["cat", "dog"]}}

    monkeypatch.setattr(
        fairness_pair,
        "exchanged",
        lambda run: Scores(np.arange(100), np.arange(100) % 2, (np.arange(100) < int(run.folder.name)).astype(float)),
    )
    monkeypatch.setattr(fairness_runs, "HARD", {"two": Hard(("dog", "cat"), ("cat", "dog"))})
    found = {name_of("trades", seed): Seen(Path(str(share))) for seed, share in enumerate(trades, 1)}
    found |= {name_of("spat", seed): Seen(Path(str(share))) for seed, share in enumerate(spat, 1)}
    assert says in spat_claim(found, "dog", "cat")


def test_what_is_hard_goes_by_the_names_of_the_classes():
    cifar10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    assert hard_of(cifar10).pair == ("dog", "cat")
    assert hard_of(NAMED["cifar100"].classes).classes == ("baby", "boy", "girl", "man", "woman")
    with pytest.raises(InputError, match=r"classes named bird, cat, deer, dog, or baby, .*; these are 3, 8"):
        hard_of(("3", "8"))


def test_a_model_that_may_answer_one_class_takes_no_part():
    class Robust(Run):
        @property
        def robust(self):
            return {"low": float(self.folder.name)}

    found = {low: Robust(Path(low)) for low in ("0.1", "0.099")}
    assert set(speaking(found)) == {"0.1"}


def test_feature_space_is_compared_seed_by_seed():
    pairs = [[{"cosine": 0.2}, {"cosine": 0.3}], [{"cosine": 0.4}, {"cosine": 0.35}]]
    assert changed(pairs, "cosine") == "0.325 (TRADES 0.3; by seed +0.1, -0.05)"
    assert changed([*pairs, [{"cosine": None}, {"cosine": 0.0}]], "cosine") == "-"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Tiny runs of three steps of four."""
    methods = {"trades": ("trades", {}), "pgd-at": ("pgd-at", {"radius": "linf:5/255"})}
    for module in (fairness_runs, fairness_verdicts, fairness_picture):
        monkeypatch.setattr(module, "LEADING", ("trades", "pgd-at"))
    for module in (fairness, fairness_pair, fairness_runs, fairness_verdicts, fairness_picture):
        monkeypatch.setattr(module, "METHODS", methods)
        monkeypatch.setattr(module, "SEEDS", (0, 1))
    monkeypatch.setattr(fairness_runs, "STEPS", 1)
    monkeypatch.setattr(fairness_verdicts, "LEAST", 0.0)
    monkeypatch.setattr(fairness_verdicts, "CONTROL", "trades")
    monkeypatch.setattr(fairness_verdicts, "CONTROLLED", ("pgd-at", "cfa"))
    hard = {"cifar10": Hard(("Shirt", "Coat"), ("Shirt", "Coat", "Pullover"))}
    for module in (fairness, fairness_runs):
        monkeypatch.setattr(module, "HARD", hard)
    monkeypatch.setattr(fairness_runs, "AUDITED", {"cpu": 30})
    tiny = {"model": "lenet5", "epochs": 1, "validation_steps": 1, "select": "last"}
    monkeypatch.setattr(fairness_runs, "TRAINING", {"cpu": tiny})
    mini = limit(weakspot.load_data("fashion-mnist-mini"), 150)
    images = tmp_path / "mini.npz"
    np.savez(images, images=mini.batch(range(150)).numpy(), labels=mini.labels.numpy(), classes=mini.classes)
    wanted = ["trades-0", "pgd-at-0", "trades-1"]
    return catalogue.reproduce("fairness", only=wanted, sets={"cifar10": f"npz:{images}"}, out=tmp_path / "study")


def cells(page, start, number):
    """What follows in the number-th row that begins so."""
    rows = [line for line in page.splitlines() if line.startswith(start)]
    return rows[number].removeprefix(start).strip(" |").split(" | ")


def test_the_page_of_what_is_done_names_what_is_not(study):
    assert (study.done, study.left) == (("trades-0", "pgd-at-0", "trades-1"), ("pgd-at-1",))
    page, drawn, table = (path.read_text() for path in study.pages)
    assert "hours in trainings" in page
    assert "3 of 4 runs. Not run: pgd-at-1." in page
    assert "| pgd-at | 1 | " in page
    assert "Shirt and Coat seen as each other: not decided" in page
    assert "without part in what follows: none" in page
    texts = {each.text for each in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")}
    assert {"trades", "pgd-at (1 of 2 seeds)"} <= texts
    assert len(table.splitlines()) == 1 + 3 * 10
    base, other = (weakspot.open_run(study.folder / f"{name}-audit") for name in ("trades-0", "pgd-at-0"))
    confusion, names = np.array(base.robust["confusion"]), [entry["name"] for entry in base.classes]
    shirt, coat = names.index("Shirt"), names.index("Coat")
    seen = exchanged(base)
    assert seen.score.sum() == confusion[shirt, coat] + confusion[coat, shirt]
    assert len(seen.label) == confusion[[shirt, coat]].sum()
    shares = [exchanged(run).score.mean() for run in (base, other)]
    ways = [line for line in page.splitlines() if line.startswith("| pgd-at | 1 | images only | ")]
    exchange = next(line for line in ways if len(line.split(" | ")) == 6).split(" | ")
    assert float(exchange[3].split(" ")[0]) == pytest.approx(100 * (shares[1] - shares[0]), abs=0.06)
    was, became = (np.array(run.robust["confusion"])[shirt] for run in (base, other))
    expected = 100 * (became[coat] / became.sum() - was[coat] / was.sum())
    assert float(exchange[4].split(" ")[0]) == pytest.approx(expected, abs=0.06)
    row = next(line for line in page.splitlines() if line.startswith("| pgd-at | 1 | "))
    difference = 100 * (other.robust["accuracy"] - base.robust["accuracy"])
    assert float(row.split(" | ")[6].split(" ")[0]) == pytest.approx(difference, abs=0.06)
    assert cells(page, "| pgd-at | ", 1) == cells(page, "| pgd-at | 1 | ", 0)[1:5]  # the control is TRADES here
    one, two = (run.latent["distances"]["clean"]["cosine"][shirt][coat] for run in (base, other))
    assert f"{two:.3g} (TRADES {one:.3g}; by seed {two - one:+.2g})" in page
    models = [
        line.split(" | ") for line in page[page.index("## Models") :].splitlines() if "-0 |" in line or "-1 |" in line
    ]
    assert [line[6] for line in models] == ["8.0", "5.0", "8.0"]


def test_the_page_of_nothing_is_a_page(tmp_path):
    assert "0 of 23 runs" in fairness.pages(tmp_path, "cpu")["fairness.md"]
