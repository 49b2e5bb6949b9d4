"""Conformance: every planted fault is noticed by its checks, and no check fails on an honest model."""

from dataclasses import replace

import pytest
import torch

import planted
from weakspot.doubts import CHECKS, examine
from weakspot.doubts.check import LEVELS

STATUS = {"ok", "warn", "fail"}


@pytest.mark.parametrize("name", planted.HONEST)
def test_honest_models_are_not_doubted(name: str) -> None:
    context = planted.with_rows(planted.context_of(planted.HONEST[name]()))
    findings = examine(context, "doctor")
    assert [f.check for f in findings] == [check.id for check in CHECKS.values() if check.when == "doctor"]
    assert [f for f in findings if f.status != "ok"] == []


@pytest.mark.parametrize("name", planted.HONEST)
def test_honest_models_are_worth_testing(name: str) -> None:
    """A model at chance, or one that every attack breaks, would prove nothing about the checks."""
    context = planted.with_rows(planted.context_of(planted.HONEST[name]()))
    assert planted.clean_accuracy(planted.HONEST[name]()) > 0.85
    assert 0.2 < planted.robust_share(context, f"pgd@{planted.RADIUS}") < 0.85


@pytest.mark.parametrize("name", planted.BROKEN)
def test_broken_models_are_noticed(name: str) -> None:
    broken = planted.BROKEN[name]
    found = {f.check: f for f in examine(planted.context_of(broken.make()), "doctor")}
    assert {check: found[check].status for check in broken.noticed_by if found[check].status == "ok"} == {}


@pytest.mark.parametrize("name", planted.BROKEN)
def test_findings_can_be_shown_and_stored(name: str) -> None:
    for finding in examine(planted.context_of(planted.BROKEN[name].make()), "doctor"):
        assert finding.check in CHECKS
        assert finding.status in STATUS
        assert finding.says.endswith(".")
        assert "\n" not in finding.says
        assert finding.figure is None or isinstance(finding.figure, float)
        assert finding.threshold is None or isinstance(finding.threshold, float)


def test_a_threat_that_leaves_its_set_is_noticed() -> None:
    context = planted.context_of(planted.HONEST["mlp"]())
    rows, _ = planted.measured(context, planted.Leaving())
    found = {f.check: f for f in examine(replace(context, rows=rows), "doctor")}
    assert found["T4"].status == "fail"
    # Every image it returned, save for those that were wrong when clean: they keep their clean row in any case.
    right = (context.logits().argmax(1) == context.labels).double().mean().item()
    assert found["T4"].figure == pytest.approx(right)


def test_checks_change_nothing() -> None:
    model = planted.HONEST["small-cnn"]()
    context = planted.context_of(model)
    before = [p.clone() for p in model.parameters()], context.images.clone()
    examine(context, "doctor")
    assert all(torch.equal(a, b) for a, b in zip(before[0], model.parameters(), strict=True))
    assert torch.equal(before[1], context.images)
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())


def test_every_check_declares_itself() -> None:
    for key, check in CHECKS.items():
        assert key == check.id
        assert check.when in LEVELS
        assert (check.cost == 0) == (check.samples == 0)
        assert check.cost > 0 or check.rows
