"""The mechanism: what runs when, on how many samples, and what happens when a check breaks."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import broken
import planted
from weakspot.addresses import Radius
from weakspot.doubts import CHECKS, Check, Finding, doctor, examine
from weakspot.doubts.context import Context, gather, stratified
from weakspot.doubts.finding import grade


class Failing(nn.Module):
    """A model that raises."""

    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("out of luck\nsecond line")


def test_a_check_that_breaks_warns_with_the_reason() -> None:
    findings = examine(planted.context_of(Failing().eval()), "doctor")
    broke = [f for f in findings if f.status == "warn"]
    assert len(broke) >= 4
    assert all("RuntimeError: out of luck." in f.says and f.figure is None for f in broke)
    assert not any(f.status == "ok" and f.figure is not None for f in findings)


def test_checks_of_rows_are_left_out_without_rows() -> None:
    context = planted.context_of(planted.HONEST["linear"]())
    assert "T4" not in {f.check for f in examine(context, "full")}
    assert "T4" in {f.check for f in examine(planted.with_rows(context, ()), "doctor")}


def test_a_gradient_that_is_missing_is_reported_once() -> None:
    found = {f.check: f for f in examine(planted.context_of(broken.Detached(planted.HONEST["mlp"]())), "doctor")}
    assert found["T5"].status == "fail"
    for check in CHECKS.values():
        if check.gradient and check.when == "doctor":
            assert found[check.id].status == "skipped"
            assert found[check.id].figure is None
            assert "T5" in found[check.id].says


def test_a_budget_shrinks_the_dear_checks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}

    def note(name: str, when: str, cost: int) -> Check:
        def run(context: Context) -> Finding:
            seen[name] = len(context)
            return Finding(name, "ok", 0.0, 0.0, "Fine.")

        return Check(id=name, name=name, when=when, cost=cost, samples=64, run=run)  # type: ignore[arg-type]

    checks = {c.id: c for c in (note("A", "doctor", 2), note("B", "audit", 10), note("C", "audit", 90))}
    monkeypatch.setattr("weakspot.doubts.running.CHECKS", checks)
    monkeypatch.setattr("weakspot.doubts.running.OVERHEAD", 0)
    context = planted.context_of(planted.HONEST["linear"]())
    examine(context, "audit")
    assert seen == {"A": 64, "B": 64, "C": 64}
    examine(context, "audit", budget=2 * 64 + 100 * 16)
    assert seen == {"A": 64, "B": 16, "C": 16}
    seen.clear()
    findings = examine(context, "audit", budget=0)
    assert seen == {"A": 64}
    assert [f.figure for f in findings] == [0.0, None, None]
    seen.clear()
    # C alone would leave B no room: the dearest is left out, and the rest is run in full.
    examine(context, "audit", budget=2 * 64 + 10 * 64)
    assert seen == {"A": 64, "B": 64}
    seen.clear()
    # Each of a check's evaluations is also a call, which costs as much as so many samples.
    monkeypatch.setattr("weakspot.doubts.running.OVERHEAD", 256)
    examine(context, "audit", budget=(2 * (64 + 256) + 10 * (20 + 256)) // 2)
    assert seen == {"A": 64, "B": 20}


def test_too_few_samples_are_said_and_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """An undefended model leaves nobody standing: the checks of survivors have nothing to look at."""
    context = planted.with_rows(planted.context_of(planted.HONEST["linear"]()), ("pgd@linf:0.5",))
    context = replace(context, radius=Radius.of("linf:0.5"))
    found = {f.check: f for f in examine(context, "audit", budget=10**9)}
    assert "only 0 samples" in found["T15"].says
    assert (found["T15"].status, found["T15"].figure) == ("skipped", None)


def test_survivors_are_those_that_no_threat_of_the_radius_broke() -> None:
    context = planted.with_rows(
        planted.context_of(planted.HONEST["mlp"]()), ("pgd", "apgd-dlr(steps=10)", "pgd@linf:0.3")
    )
    rows = context.rows
    assert rows is not None
    of_radius = [rows.of(t).correct for t in ("clean", "pgd@linf:0.1", "apgd-dlr(steps=10)@linf:0.1")]
    standing = rows.of("clean").sample[np.logical_and.reduce(of_radius)]
    assert sorted(context.survivors().sample.tolist()) == sorted(standing.tolist())


def test_checks_of_the_same_samples_share_a_memo(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(context: Context) -> Finding:
        context.memo["left"] = len(context)
        return Finding("A", "ok", 0.0, 0.0, "Fine.")

    def read(context: Context) -> Finding:
        return Finding("B", "ok", float(context.memo.get("left", -1)), 0.0, "Fine.")

    checks = [
        Check(id="A", name="a", when="audit", cost=1, samples=16, run=leave, of="correct"),
        Check(id="B", name="b", when="audit", cost=0, samples=16, run=read, of="correct"),
        Check(id="C", name="c", when="audit", cost=0, samples=17, run=read, of="correct"),
    ]
    monkeypatch.setattr("weakspot.doubts.running.CHECKS", {c.id: c for c in checks})
    context = planted.context_of(planted.HONEST["linear"]())
    assert [f.figure for f in examine(context, "audit")] == [0.0, 16.0, -1.0]
    assert context.memo == {}


@pytest.mark.parametrize("radius", [None, "l1:3"])
def test_checks_that_need_a_radius_say_so_without_one(radius: str | None) -> None:
    at = None if radius is None else Radius.of(radius)
    context = replace(planted.context_of(planted.HONEST["linear"]()), radius=at)
    for finding in examine(context, "full"):
        if CHECKS[finding.check].radius:
            assert (finding.status, finding.figure) == ("skipped", None)
            assert "radius" in finding.says
        else:
            assert finding.status == "ok"


def test_after_an_audit_the_budget_is_a_share_of_its_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    spent: list[int] = []

    def run(context: Context) -> Finding:
        spent.append(len(context) * 50)
        return Finding("B", "ok", 0.0, 0.0, "Fine.")

    dear = Check(id="B", name="b", when="audit", cost=50, samples=10**6, run=run)
    monkeypatch.setattr("weakspot.doubts.running.CHECKS", {"B": dear})
    context = planted.with_rows(planted.context_of(planted.HONEST["linear"]()))
    assert context.rows is not None
    examine(context, "audit")
    cost = int(context.rows.forwards.sum()) + 2 * int(context.rows.backwards.sum())
    assert 0.1 * cost < spent[0] <= 0.15 * cost


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 60), st.integers(0, 5))
def test_a_draw_is_balanced_in_every_prefix(labels: list[int], samples: int, seed: int) -> None:
    given_labels = torch.tensor(labels)
    drawn = stratified(given_labels, samples, seed)
    assert len(set(drawn.tolist())) == len(drawn) == min(samples, len(labels))
    whole = Counter(labels)
    taken: Counter[int] = Counter()
    for position in drawn.tolist():
        taken[labels[position]] += 1
        # No class is ahead of one that still has samples to give.
        behind = min((taken[c] for c in whole if taken[c] < whole[c]), default=max(taken.values()))
        assert max(taken.values()) <= behind + 1


def test_a_draw_depends_on_the_seed_alone() -> None:
    labels = planted.digits().labels
    assert torch.equal(stratified(labels, 50, 1), stratified(labels, 50, 1))
    assert not torch.equal(stratified(labels, 50, 1), stratified(labels, 50, 2))


def test_gather_reads_the_samples_it_names() -> None:
    data = planted.digits()
    context = gather(planted.HONEST["linear"](), data, None, seed=3, samples=20)
    for image, label, number in zip(context.images, context.labels, context.sample, strict=True):
        assert torch.equal(image, data.batch([int(number)])[0])
        assert label == data.labels[number]


def test_doctor_takes_the_customary_radius_and_leaves_the_model_alone() -> None:
    model = broken.train_mode()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    findings = doctor(model, planted.digits())
    assert {f.check for f in findings if f.status == "fail"} >= {"T0", "T2"}
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.training


@pytest.mark.parametrize(
    "figure, status, threshold",
    [(0.5, "ok", 1.0), (1.0, "ok", 1.0), (1.5, "warn", 1.0), (2.5, "fail", 2.0), (float("nan"), "warn", 1.0)],
)
def test_grades(figure: float, status: str, threshold: float) -> None:
    made = grade("X", figure, "Says.", warn=1.0, fail=2.0)
    assert (made.status, made.threshold) == (status, threshold)
    assert made.figure == figure or np.isnan(figure)
