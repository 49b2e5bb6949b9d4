"""Conformance: every planted fault is noticed by its checks, and no check fails on an honest model."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

import broken
import planted
from weakspot.doubts import CHECKS, Context, Finding, examine
from weakspot.doubts.check import LEVELS
from weakspot.threats import parse_threat

FEEDS = {"T9": ("T8",), "T20": ("T12", "T13", "T15")}
"""Checks that read what others left."""
DOCTOR = [check.id for check in CHECKS.values() if check.when == "doctor"]


@pytest.fixture(autouse=True)
def threats() -> Iterator[None]:
    with broken.planted_threats():
        yield


def findings(context: Context, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    """What these checks say, and nothing else is run."""
    wanted = {*ids, *(feed for id in ids for feed in FEEDS.get(id, ()))}
    chosen = {id: check for id, check in CHECKS.items() if id in wanted}
    monkeypatch.setattr("weakspot.doubts.running.CHECKS", chosen)
    return {finding.check: finding for finding in examine(context, "full")}


@pytest.fixture
def short_anchor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the steps of the audit stand in for AutoAttack's 5,000 queries (benchmarks/doubts.py runs those)."""
    short = [parse_threat("apgd-dlr", planted.RADIUS)]
    monkeypatch.setattr("weakspot.doubts.anchor.anchor_threats", lambda radius: short)


@pytest.mark.usefixtures("short_anchor")
@pytest.mark.parametrize("name", planted.HONEST)
def test_no_check_fails_on_an_honest_model(name: str) -> None:
    context = planted.with_rows(planted.context_of(planted.HONEST[name](), samples=64))
    found = examine(context, "full")
    assert [f.check for f in found] == list(CHECKS)
    assert [f for f in found if f.status == "fail"] == []
    # A warning may be right: two losses that disagree, or one more sample that 500 steps break. A cheap check has no
    # reason to warn, and no check may have broken or found nothing to look at.
    assert [f for f in found if f.check in DOCTOR and f.status != "ok"] == []
    assert [f for f in found if f.figure is None] == []


@pytest.mark.parametrize("name", planted.HONEST)
def test_honest_models_are_worth_testing(name: str) -> None:
    """A model at chance, or one that every attack breaks, would prove nothing about the checks."""
    context = planted.with_rows(planted.context_of(planted.HONEST[name]()), ("pgd",))
    assert planted.clean_accuracy(planted.HONEST[name]()) > 0.85
    assert 0.2 < planted.robust_share(context, f"pgd@{planted.RADIUS}") < 0.85


@pytest.mark.usefixtures("short_anchor")
@pytest.mark.parametrize("name", broken.BROKEN)
def test_broken_models_are_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = broken.BROKEN[name]
    context = planted.context_of(plant.make(), samples=256)
    if not set(plant.noticed_by) <= set(DOCTOR):
        context = planted.with_rows(context, plant.threats)
    found = findings(context, list(plant.noticed_by), monkeypatch)
    assert [id for id in plant.noticed_by if found[id].status in ("ok", "skipped")] == []
    assert [found[id].says for id in plant.noticed_by if "The check of" in found[id].says] == []


def test_every_check_has_a_plant() -> None:
    noticed = {id for plant in broken.BROKEN.values() for id in plant.noticed_by}
    assert set(CHECKS) - noticed == {"T4"}  # its plant is a threat, in the next test


def test_a_threat_that_leaves_its_set_is_noticed() -> None:
    context = planted.context_of(planted.HONEST["mlp"]())
    rows, _ = planted.measured(context, broken.Leaving())
    found = {f.check: f for f in examine(replace(context, rows=rows), "doctor")}
    assert found["T4"].status == "fail"
    # Every image it returned, save for those that were wrong when clean: they keep their clean row in any case.
    right = (context.logits().argmax(1) == context.labels).double().mean().item()
    assert found["T4"].figure == pytest.approx(right)


@pytest.mark.parametrize("name", ["noisy", "nan", "detached", "probabilities"])
def test_findings_can_be_shown_and_stored(name: str) -> None:
    for finding in examine(planted.context_of(broken.BROKEN[name].make()), "full"):
        assert finding.check in CHECKS
        assert finding.status in ("ok", "warn", "fail", "skipped")
        assert finding.says.endswith(".")
        assert "\n" not in finding.says
        assert isinstance(finding.figure, float | None)
        assert isinstance(finding.threshold, float | None)
        assert finding.figure == finding.figure  # no NaN: JSON has none


def test_checks_change_nothing() -> None:
    model = planted.HONEST["small-cnn"]()
    context = planted.with_rows(planted.context_of(model, samples=32), ("pgd",))
    before = [p.clone() for p in model.parameters()], context.images.clone()
    stream = torch.random.get_rng_state()
    examine(context, "audit")
    assert torch.equal(stream, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(before[0], model.parameters(), strict=True))
    assert torch.equal(before[1], context.images)
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())


def test_the_same_seed_gives_the_same_findings() -> None:
    context = planted.with_rows(planted.context_of(planted.HONEST["mlp"](), samples=48), ("pgd",))
    assert examine(context, "audit") == examine(replace(context, memo={}), "audit")


def test_every_check_declares_itself() -> None:
    for key, check in CHECKS.items():
        assert key == check.id
        assert check.when in LEVELS
        assert check.samples > 0 or (check.cost == 0 and check.rows)
        assert check.of != "survivors" or check.rows
