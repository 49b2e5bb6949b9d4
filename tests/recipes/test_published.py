"""Published numbers: every training is accepted, the page of tiny runs says what is met."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import weakspot
from weakspot import rng
from weakspot.data import limit
from weakspot.errors import InputError
from weakspot.recipes import catalogue, published, published_runs
from weakspot.recipes.published_runs import AUTOATTACK_WORST, CLEAN, CLEAN_WORST, DOG_AS_CAT, PGD, PUBLISHED, Published
from weakspot.recipes.study import Sets


def test_every_step_is_accepted_as_it_will_be_called(tmp_path, planned):
    begun, audits = planned
    sets = Sets({"cifar10": "fashion-mnist-mini", "cifar100": "fashion-mnist-mini"})
    for run in published_runs.runs():
        replace(run, training={**run.training, "model": "lenet5"}).step(sets).make(tmp_path)
    assert len(begun) == len(audits) == len(PUBLISHED)
    assert {config.average for config in begun if not config.policy.startswith("cfa")} == {0.0}
    assert all(set(each.numbers) <= set(published.FIGURES) for each in PUBLISHED)


def test_it_has_no_small_size(tmp_path):
    with pytest.raises(InputError, match="published has no size 'cpu'; add --scale gpu"):
        catalogue.reproduce("published", out=tmp_path, dry_run=True)
    assert len(catalogue.reproduce("published", scale="gpu", out=tmp_path, dry_run=True).left) == len(PUBLISHED)


@pytest.mark.parametrize(
    "difference, says", [(0.5, "met"), (-0.5, "met"), (0.51, "higher"), (-0.51, "lower"), (0, "met")]
)
def test_a_number_is_met_within_half_a_point(difference, says):
    assert published.verdict(difference) == says


def test_the_page_has_each_number_beside_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "DOG", "Shirt")
    monkeypatch.setattr(published, "CAT", "Coat")
    audit = {"radius": "linf:0.1", "limit": 60, "threats": ("pgd",)}
    data = limit(weakspot.load_data("fashion-mnist-mini"), 60)
    run = replace(published_runs.runs()[0], audit=audit)
    last = torch.nn.Linear(28 * 28, 10)
    last.weight.data = rng.uniform((28 * 28,), torch.arange(10), 0, "weights") - 0.5
    model = torch.nn.Sequential(torch.nn.Flatten(), last)
    weakspot.audit(model, data, out=run.audited(tmp_path), **audit)
    rows = weakspot.open_run(run.audited(tmp_path)).rows
    clean, pgd = (rows.of(address) for address in ("clean", "pgd@linf:0.1"))
    accuracy = 100 * clean.correct.mean()
    numbers = {CLEAN: accuracy, PGD: 100 * pgd.correct.mean() + 1, CLEAN_WORST: -1.0, DOG_AS_CAT: 0.0}
    other = replace(run, name="other")
    monkeypatch.setattr(
        published_runs, "PUBLISHED", (Published(run, numbers, "us", selected=True), Published(other, {}, ""))
    )
    pages = published.pages(tmp_path, "gpu")
    found = list(published.beside({run.name: weakspot.open_run(run.audited(tmp_path))}))
    shirts = [name == "Shirt" for name in np.array(data.classes)[pgd.label]]
    seen = np.array(data.classes)[pgd.prediction[shirts]] == "Coat"
    assert [row["verdict"] for row in found[:3]] == ["met", "lower", "higher"]
    assert found[3]["ours"].split(" ")[0] == f"{100 * seen.mean():.1f}"
    assert found[0]["published"].endswith("*")
    assert "1 of 2 runs. Not run: other." in pages["published.md"]
    assert AUTOATTACK_WORST not in pages["published.md"]
    assert len(pages["published.csv"].splitlines()) == 1 + len(numbers)
