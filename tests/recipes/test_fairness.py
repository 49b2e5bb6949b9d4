"""The study of class fairness: every step is accepted, its rules decide as planned, its page comes from tiny runs."""

from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import weakspot
from weakspot.data import limit
from weakspot.recipes import catalogue, fairness, fairness_picture, fairness_runs, fairness_verdicts
from weakspot.recipes.fairness_runs import LEADING, METHODS, name_of, runs
from weakspot.recipes.fairness_verdicts import Against, differences, ours_claim, pair_change, pair_seen, spat_claim
from weakspot.recipes.study import Sets
from weakspot.run import Run


def changed(value, low, high, **more):
    """A difference of shares with its limits."""
    return {"difference": value, "low": low, "high": high, **more}


def compared(worst, overall=(0.0, -0.01, 0.01), seeds=3):
    """A method against TRADES."""
    return Against(seeds, changed(*overall), changed(*worst, first_class="cat", last_class="bird"), 0.5)


@pytest.mark.parametrize("scale", ["cpu", "gpu"])
def test_every_step_is_accepted_as_it_will_be_called(scale, tmp_path, monkeypatch, planned):
    begun, audits = planned
    monkeypatch.setattr(fairness_runs, "TRAINING", {scale: {**fairness_runs.TRAINING[scale], "model": "lenet5"}})
    monkeypatch.setattr(fairness_runs, "SEEDS", (0,))
    made = runs(scale)
    sets = Sets({"cifar10": "fashion-mnist-mini"})
    for run in made:
        run.step(sets).make(tmp_path)
    assert [one.folder.name for one in audits] == [f"{name_of(name, 0)}-audit" for name in METHODS]
    assert {config.average for config in begun} == {0.999}


def test_the_first_seed_of_all_methods_comes_first():
    names = [run.name for run in runs("cpu")]
    assert len(names) == len(set(names)) == 22
    assert set(names[:12]) == {name_of(name, 0) for name in METHODS}
    assert set(names[12:]) == {name_of(name, seed) for name, seed in product(LEADING, (1, 2))}


@pytest.mark.parametrize(
    "worst, overall, says",
    [
        ((0.1, 0.05, 0.15), (0.0, -0.01, 0.01), "raised"),
        ((0.1, 0.05, 0.15), (-0.031, -0.04, -0.02), "raised, but traded"),
        ((0.1, 0.05, 0.15), (-0.03, -0.04, -0.02), "raised"),
        ((0.1, -0.01, 0.2), (-0.2, -0.3, -0.1), "not seen"),
        ((-0.1, -0.2, -0.01), (0.0, -0.01, 0.01), "lowered"),
    ],
)
def test_a_raise_needs_its_interval_and_must_not_cost_the_average(worst, overall, says):
    assert compared(worst, overall).says == says


def test_one_seed_is_described_whatever_its_interval_says():
    rows = list(differences({"dafa": compared((0.1, 0.05, 0.15), seeds=2), "wat": compared((0.1, 0.05, 0.15))}))
    assert [row["verdict"] for row in rows] == ["(described)", "(described)"]
    assert next(differences({"dafa": compared((0.1, 0.05, 0.15))}))["verdict"] == "raised"


@pytest.mark.parametrize(
    "worst, overall, says",
    [
        ((0.06, 0.01, 0.1), (-0.01, -0.029, 0.01), "earns"),
        ((0.04, 0.01, 0.1), (-0.01, -0.029, 0.01), "does not earn"),
        ((0.06, -0.01, 0.1), (-0.01, -0.029, 0.01), "does not earn"),
        ((0.06, 0.01, 0.1), (-0.01, -0.031, 0.01), "does not earn"),
    ],
)
def test_our_own_policy_must_gain_and_not_cost(worst, overall, says):
    assert ours_claim({"confusion": compared(worst, overall)}).startswith(f"Our own policy (confusion) {says} its")
    assert "not decided" in ours_claim({"confusion": compared(worst, overall, seeds=2)})
    assert "not decided" in ours_claim({})


@pytest.mark.parametrize(
    "trades, spat, says",
    [
        ((30, 30, 30), (20, 29, 10), "holds (by seed, in points: -10.0 ["),
        ((30, 30, 30), (20, 30, 10), "does not hold"),
        ((30, 30, 30), (40, 31, 50), "does not hold"),
        ((30, 30), (20, 20), "not decided, seeds are missing"),
        ((), (), "not decided, seeds are missing (by seed, in points: none)"),
    ],
)
def test_spat_must_lower_the_hard_pair_in_all_seeds(trades, spat, says, monkeypatch):
    # A run that sees so many of 100 dogs as cats, the first ones, is no more than that number here.
    monkeypatch.setattr(fairness_verdicts, "pair_seen", lambda run: np.arange(100) < int(run.folder.name))
    found = {name_of("trades", seed): Run(Path(str(share))) for seed, share in enumerate(trades)}
    found |= {name_of("spat", seed): Run(Path(str(share))) for seed, share in enumerate(spat)}
    assert says in spat_claim(found)


def test_the_change_of_the_hard_pair_is_paired(monkeypatch):
    monkeypatch.setattr(
        fairness_verdicts, "pair_seen", lambda run: np.array([1, 1, 0, 0, 0], bool)[:: int(run.folder.name)]
    )
    found = pair_change(Run(Path("1")), Run(Path("-1")))
    # Two lost, two gained, of five: Wald's interval with a half added to each cell.
    half = 1.959964 * np.sqrt(5) / 7
    assert found == pytest.approx({"difference": 0, "low": -half, "high": half})


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Tiny runs of three steps of four."""
    methods = {"trades": ("trades(steps=1)", "none"), "pgd-at": ("n-fgsm", "none")}
    for module in (fairness_runs, fairness_verdicts, fairness_picture):
        monkeypatch.setattr(module, "METHODS", methods)
        monkeypatch.setattr(module, "LEADING", ("trades", "pgd-at"))
        monkeypatch.setattr(module, "SEEDS", (0, 1))
    for module in (fairness, fairness_verdicts):
        monkeypatch.setattr(module, "HARD_PAIR", ("Shirt", "Coat"))
    monkeypatch.setattr(fairness_runs, "AUDITED", {"cpu": 40})
    tiny = {"model": "lenet5", "epochs": 1, "validation_steps": 1, "select": "last"}
    monkeypatch.setattr(fairness_runs, "TRAINING", {"cpu": tiny})
    mini = limit(weakspot.load_data("fashion-mnist-mini"), 150)
    images = tmp_path / "mini.npz"
    np.savez(images, images=mini.batch(range(150)).numpy(), labels=mini.labels.numpy(), classes=mini.classes)
    wanted = ["trades-0", "pgd-at-0", "trades-1"]
    return catalogue.reproduce("fairness", only=wanted, sets={"cifar10": f"npz:{images}"}, out=tmp_path / "study")


def test_the_page_of_what_is_done_names_what_is_not(study):
    assert (study.done, study.left) == (("trades-0", "pgd-at-0", "trades-1"), ("pgd-at-1",))
    page, drawn, table = (path.read_text() for path in study.pages)
    assert "hours in trainings" in page
    assert "3 of 4 runs. Not run: pgd-at-1." in page
    assert "| pgd-at | 1 | " in page
    assert "Shirt seen as Coat: not decided" in page
    texts = {each.text for each in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")}
    assert {"trades", "pgd-at (1 of 2 seeds)"} <= texts
    assert len(table.splitlines()) == 1 + 3 * 10
    base, other = (weakspot.open_run(study.folder / f"{name}-audit") for name in ("trades-0", "pgd-at-0"))
    confusion, names = base.robust["confusion"], [entry["name"] for entry in base.classes]
    shirts = confusion[names.index("Shirt")]
    assert pair_seen(base).mean() == pytest.approx(shirts[names.index("Coat")] / sum(shirts))
    row = next(line for line in page.splitlines() if line.startswith("| pgd-at | 1 | "))
    difference = 100 * (other.robust["accuracy"] - base.robust["accuracy"])
    assert float(row.split(" | ")[2].split(" ")[0]) == pytest.approx(difference, abs=0.06)


def test_the_page_of_nothing_is_a_page(tmp_path):
    assert "0 of 22 runs" in fairness.pages(tmp_path, "cpu")["fairness.md"]
