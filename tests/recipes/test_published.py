"""Published numbers: the runs are those of the plan's table, every one is accepted, and the page says what is met."""

import re
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch

import weakspot
from weakspot import rng
from weakspot.data import limit
from weakspot.errors import InputError
from weakspot.models.zoo import is_zoo_name
from weakspot.recipes import catalogue, published, published_runs
from weakspot.recipes.published_runs import (
    AUTOATTACK,
    AUTOATTACK_TAIL,
    AUTOATTACK_WORST,
    CLEAN,
    CLEAN_WORST,
    CW,
    DOG_AS_CAT,
    FGSM,
    PGD,
    PGD_TAIL,
    PUBLISHED,
    SCALED,
    Published,
)
from weakspot.recipes.study import Sets, Trained
from weakspot.training.schedules import PUBLISHED as SCHEDULES

PLAN = Path(__file__).parents[2] / "docs/studies/published-plan.md"
TABLES = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in PLAN.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| run", "| model"))
]
PLANNED, MORE = ([row for row in TABLES if len(row) == columns] for columns in (12, 4))
DEFAULTS = {
    "augment": "none", "policy": "none", "batch": "128", "validation": "0.0", "lr": "0.1", "average": "0.0",
}  # fmt: skip


def numbers(clean, pgd, autoattack):
    """The plan's cells as numbers by figure."""
    found = {}
    for text, figure in ((pgd, PGD_TAIL), (autoattack, AUTOATTACK_TAIL)):
        if tail := re.search(r", tail ([\d.]+)", text):
            found[figure] = float(tail[1])
    pgd, autoattack = (text.split(", tail")[0] for text in (pgd, autoattack))
    for text, average, worst in ((clean, CLEAN, CLEAN_WORST), (autoattack, AUTOATTACK, AUTOATTACK_WORST)):
        for figure, number in zip((average, worst), re.findall(r"[\d.]+", text), strict=False):
            found[figure] = float(number)
    if pgd:
        found[DOG_AS_CAT if pgd.startswith("dog as cat") else PGD] = float(re.findall(r"[\d.]+", pgd)[0])
    return found


@pytest.mark.parametrize("row, each", list(zip(PLANNED, PUBLISHED, strict=True)), ids=[row[0] for row in PLANNED])
def test_each_run_is_the_plans(row, each):
    name, images, method, network, epochs, decay, radius, otherwise, clean, pgd, autoattack, _ = row
    run, training = each.run, each.run.training
    assert (run.name, run.data + run.part, run.method, training["model"]) == (name, images, method, network)
    assert is_zoo_name(network)
    assert f"{training['epochs']}, {training['schedule']}" == epochs
    assert SCHEDULES[training["schedule"]].epochs == training["epochs"]
    assert training["weight_decay"] == float(decay)
    assert [training["radius"], run.audit["radius"]] == [f"linf:{radius.split(' / ')[place]}" for place in (0, -1)]
    changed = {**DEFAULTS, **dict(part.split(" ") for part in otherwise.split(", ") if part)}
    if "cfa" in changed["policy"]:
        changed["average"] = "0.999"  # of its own; 0 would be refused
    for option, value in changed.items():
        ours = training.get(option, DEFAULTS[option])
        assert float(ours) == pytest.approx(float(value), rel=1e-5) if value[0].isdigit() else ours == value, option
    more = {row[0]: dict(zip((FGSM, CW), row[1:3], strict=True)) for row in MORE}.get(name, {})
    attacks = {figure: float(text.strip("*")) for figure, text in more.items() if text}
    assert each.numbers == numbers(clean, pgd, autoattack) | attacks
    assert each.selected == ("*" in clean + pgd + autoattack)
    fixed = {"select": "last", "seed": 0}
    assert {option: training[option] for option in fixed} == fixed
    assert run.audit["limit"] == 10_000
    threats = {FGSM: "fgsm", CW: "cw-pgd"}
    first = (f"pgd(step={0.1 if name == 'spat' else 0.25})", "autoattack")
    assert run.audit["threats"] == (*first, *(threats[figure] for figure in attacks))


def test_ten_times_the_logits_are_the_plans():
    planned = {f"{row[0]}-x10": (row[0], float(row[3].strip("*"))) for row in MORE if row[3]}
    assert {each.run.name: (each.run.base, each.numbers[PGD]) for each in SCALED} == planned
    assert {each.run.adjustment for each in SCALED} == {"scale(by=10)"}
    data = {each.run.name: each.run.data for each in PUBLISHED}
    assert all(each.selected and each.run.data == data[each.run.base] for each in SCALED)


def test_the_primary_runs_are_the_long_tails_and_spat():
    names = {each.run.name for each in PUBLISHED if each.run.part or each.run.method == "spat"}
    assert set(published_runs.PRIMARY) == names


def test_every_step_is_accepted_as_it_will_be_called(tmp_path, planned):
    begun, audits = planned
    sets = Sets({"cifar10": "fashion-mnist-mini", "cifar100": "fashion-mnist-mini"})
    for run in published_runs.runs():
        made = replace(run, training={**run.training, "model": "lenet5"}) if isinstance(run, Trained) else run
        made.step(sets).make(tmp_path)
    assert len(begun) == len(PUBLISHED)
    assert len(audits) == len(PUBLISHED) + len(SCALED)


def test_sgd_on_a_seventh_of_the_loss_is_another_rate_and_decay():
    share, weights = 1 / 7, [torch.nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2)]
    shared = published_runs.SHARED
    steps = [
        torch.optim.SGD([weights[0]], lr=0.1, momentum=0.9, weight_decay=5e-4),
        torch.optim.SGD([weights[1]], lr=shared["lr"], momentum=0.9, weight_decay=shared["weight_decay"]),
    ]
    for _ in range(5):
        for weight, sgd, scale in zip(weights, steps, (share, 1.0), strict=True):
            sgd.zero_grad()
            (scale * weight.pow(4).sum() / sqrt(2)).backward()
            sgd.step()
    assert torch.allclose(*weights, rtol=1e-5)


def test_it_has_no_small_size(tmp_path):
    with pytest.raises(InputError, match="published has no size 'cpu'; add --scale gpu$"):
        catalogue.reproduce("published", out=tmp_path, dry_run=True)
    assert len(catalogue.reproduce("published", scale="gpu", out=tmp_path, dry_run=True).left) == len(PUBLISHED) + len(
        SCALED
    )


@pytest.mark.parametrize(
    "number", sorted({number for each in (*PUBLISHED, *SCALED) for number in each.numbers.values()})
)
def test_half_a_point_is_met_however_it_is_rounded(number):
    found = [published.verdict(number, number + off, 0.0, 100.0) for off in (-0.5, 0.5)]
    assert found == ["met", "met"]


@pytest.mark.parametrize(
    "ours, low, high, says",
    [
        (30.6, 30.6, 30.7, "met"),
        (29.4, 28.9, 29.9, "lower"),
        (30.7, 29.9, 31.5, "not told apart"),
        (29.3, 28.5, 30.0, "not told apart"),
        (30.7, 30.2, 31.2, "higher"),
    ],
)
def test_verdicts(ours, low, high, says):
    assert published.verdict(30.0 if says != "met" else 30.1, ours, low, high) == says


def test_the_page_has_each_number_beside_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "DOG", "Shirt")
    monkeypatch.setattr(published, "CAT", "Coat")
    threats = ("pgd(steps=2)", "autoattack", "fgsm", "cw-pgd(steps=2)")
    audit = {"radius": "linf:0.1", "limit": 60, "threats": threats}
    data = limit(weakspot.load_data("fashion-mnist-mini"), 60)
    run = replace(published_runs.runs()[0], audit=audit)
    last = torch.nn.Linear(28 * 28, 10)
    last.weight.data = rng.uniform((28 * 28,), torch.arange(10), 0, "weights") - 0.5
    weakspot.audit(torch.nn.Sequential(torch.nn.Flatten(), last), data, out=run.audited(tmp_path), **audit)
    opened = weakspot.open_run(run.audited(tmp_path))
    shares = {figure: 100 * value for figure, value in counted(opened, data).items()}
    wanted = {figure: value + place for place, (figure, value) in enumerate(shares.items())}
    made = (Published(run, wanted, "us", selected=True), Published(replace(run, name="other"), {}, ""))
    monkeypatch.setattr(published_runs, "PUBLISHED", made)
    monkeypatch.setattr(published_runs, "SCALED", ())
    found = list(published.beside({run.name: opened}))
    assert [row["difference"] for row in found] == [f"{-place:+.2f}" for place in range(10)]
    assert [row["figure"] for row in found] == list(shares)
    assert (found[0]["verdict"], found[0]["published"]) == ("met", f"{shares[CLEAN]:.2f}*")
    pages = published.pages(tmp_path, "gpu")
    assert "1 of 2 runs. Not run: other." in pages["published.md"]
    met = [row["figure"] for row in found if row["verdict"] == "met"]
    primary = len({PGD, AUTOATTACK, DOG_AS_CAT} & set(met))
    assert f"Of 3 primary numbers: {primary} met" in pages["published.md"]
    assert f"of all 10: {len(met)} met" in pages["published.md"]
    assert len(pages["published.csv"].splitlines()) == 1 + len(wanted)


def counted(run, data):
    """All figures from the rows, by plain counting."""
    clean, pgd, auto, fgsm, cw = (run.rows.of(each["address"]) for each in run.manifest["threats"])
    names = np.array(data.classes)
    shirts = names[pgd.label] == "Shirt"

    def worst(rows):
        return min(rows.correct[rows.label == label].mean() for label in np.unique(rows.label))

    return {
        CLEAN: clean.correct.mean(), CLEAN_WORST: worst(clean), PGD: pgd.correct.mean(),
        AUTOATTACK: auto.correct.mean(), AUTOATTACK_WORST: worst(auto),
        PGD_TAIL: pgd.correct[pgd.label >= 2].mean(), AUTOATTACK_TAIL: auto.correct[auto.label >= 2].mean(),
        DOG_AS_CAT: (names[pgd.prediction[shirts]] == "Coat").mean(),
        FGSM: fgsm.correct.mean(), CW: cw.correct.mean(),
    }  # fmt: skip
