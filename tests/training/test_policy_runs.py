"""Policies in whole runs: resumed to the last bit, refused where they do not fit, and fed with held-out images only."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.runs import STEPS, digits, mlp
from tests.training.test_resume import Stopping, assert_same_run
from torch import nn

from weakspot.data.arrays import ArrayData
from weakspot.errors import InputError
from weakspot.training import Interrupted, Objective, train
from weakspot.training.objectives.pgd_at import PgdAt
from weakspot.training.policies import POLICIES

NAMES = [name for name in POLICIES if name != "none"]


def run(out: Path, policy: str, objective: str | Objective | None = None, **changed: Any) -> Path:
    """Three epochs of 3 batches with everything switched on; the epoch's share makes late starts act in the last."""
    options: dict[str, Any] = {
        "epochs": 3, "batch": 32, "lr": 0.05, "average": 0.9, "validation_steps": 2, "device": "cpu",
    }  # fmt: skip
    return train(objective or PgdAt(steps=1), digits(120), policy=policy, out=out, **options | changed)


@pytest.mark.parametrize("policy", NAMES)
def test_resuming_restores_the_policys_state_to_the_last_bit(policy: str, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", policy)
    with pytest.raises(Interrupted):
        run(tmp_path / "run", policy, Stopping(steps=1))
    stored = load_file(tmp_path / "run" / "checkpoint.safetensors")
    run(tmp_path / "run", policy)
    assert_same_run(tmp_path / "run", whole)
    final = load_file(whole / "checkpoint.safetensors")
    names = {name for name in final if name.startswith("policy/")}
    assert names == {name for name in stored if name.startswith("policy/")}
    assert json.loads((whole / "policy.json").read_text())["policy"] == policy


def weights(out: Path, policy: str, method: str) -> dict[str, torch.Tensor]:
    """The live weights after a run of a small network."""
    run(out, policy, method, model=mlp("linear"))
    return {n: v for n, v in load_file(out / "checkpoint.safetensors").items() if n.startswith("model/")}


@pytest.mark.parametrize("method", ["pgd-at(steps=1)", "trades(steps=1)", "mart(steps=1)"])
def test_every_policy_changes_the_weights_over_every_method(method: str, tmp_path: Path) -> None:
    without = weights(tmp_path / "none", "none", method)
    for policy in NAMES:
        found = weights(tmp_path / policy, policy, method)
        assert all(value.isfinite().all() for value in found.values())
        assert any(not torch.equal(value, found[name]) for name, value in without.items()), policy


@pytest.mark.parametrize("policy", NAMES)
def test_absent_classes_and_more_classes_than_the_batch_are_no_obstacle(policy: str, tmp_path: Path) -> None:
    data = digits(60)
    few = ArrayData.of((data.batch(range(60)) * 255).round().byte().numpy(), data.labels.numpy(), name="few",
                       classes=[*"0123456789", "absent"], radius="linf:0.1")  # fmt: skip
    out = train(
        "trades(steps=1)", few, policy=policy, model=nn.Sequential(nn.Flatten(), nn.Linear(64, 11)), epochs=3, batch=4,
        validation_steps=1, out=tmp_path / "run", device="cpu",
    )  # fmt: skip
    state = load_file(out / "checkpoint.safetensors")
    assert all(value.isfinite().all() for value in state.values())
    last = json.loads((out / "history.jsonl").read_text().splitlines()[-1])
    assert last["samples"][10] == 0
    assert all(torch.tensor(values).isfinite().all() for values in last["knobs"].values())


def test_another_policy_is_refused(tmp_path: Path) -> None:
    out = run(tmp_path / "run", "dafa", epochs=2)
    with pytest.raises(InputError, match=r"policy: 'dafa' -> 'dafa\(lam=1.5\)'"):
        run(out, "dafa(lam=1.5)", epochs=2)
    with pytest.raises(InputError, match="policy: 'dafa' -> 'none'"):
        run(out, "none", epochs=2)


@pytest.mark.parametrize(
    "policy, method, changed, says",
    [
        ("dafa", "standard", {}, "policy dafa sets the radius of each class, which standard does not have"),
        ("fair-tat", "n-fgsm", {}, "sets the target of each class, which n-fgsm does not have; use it over pgd-at"),
        ("dafa", "pgd-at", {"epochs": 1}, "learns in one epoch and acts in the next, got epochs=1"),
        ("cfa", "trades", {"validation": 0.0}, "looks at held-out images, got validation=0"),
        (
            "cfa",
            "trades",
            {"average": 0.0},
            "averages the weights itself, got average=0.0; omit it or use cfa(fawa=False)",
        ),
        ("daffa", "trades", {}, "did you mean 'dafa'"),
        ("dafa@linf:0.1", "trades", {}, "a policy has no place"),
        ("dafa(lam=-1)", "trades", {}, "greater than or equal to 0"),
        ("cfa(lambda_1=much)", "trades", {}, "lambda_1"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(
    policy: str, method: str, changed: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        run(tmp_path / "run", policy, method, **changed)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_the_history_holds_the_knobs_of_each_class(tmp_path: Path) -> None:
    out = run(tmp_path / "run", "dafa")
    rows = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert STEPS == 3
    assert [rows[e]["knobs"]["radius"] == [pytest.approx(0.1)] * 10 for e in range(3)] == [True, True, False]
    assert sum(rows[2]["knobs"]["radius"]) == pytest.approx(1.0)
    assert rows[2]["knobs"]["robust"] == pytest.approx([10 * size for size in rows[2]["knobs"]["radius"]])


def test_the_history_holds_the_chances_of_a_policy_that_draws(tmp_path: Path) -> None:
    out = run(tmp_path / "run", "cfol(gamma=0.5, eta=100)")
    first, *_, last = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert first["knobs"]["chance"] == pytest.approx([0.1] * 10)  # as the epoch begins
    assert sum(last["knobs"]["chance"]) == pytest.approx(1.0)
    assert min(last["knobs"]["chance"]) >= 0.05
    assert max(last["knobs"]["chance"]) > 0.2


@pytest.mark.parametrize("method, combination", [("trades", "paper"), ("mart", "ours"), ("trades+awp", "ours")])
def test_combinations_of_ours_are_marked(
    method: str, combination: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(tmp_path / "run", "cfa", method, epochs=2)
    assert json.loads((out / "policy.json").read_text())["combination"] == combination
    assert (f"cfa over {method} is a combination of ours" in capsys.readouterr().err) == (combination == "ours")


def test_fawa_averages_the_live_weights_of_the_epochs_that_pass(tmp_path: Path) -> None:
    def stored(epochs: int, policy: str) -> dict[str, torch.Tensor]:
        out = run(tmp_path / f"{epochs} {policy}", policy, model=mlp("linear"), epochs=epochs, schedule="constant")
        return load_file(out / "checkpoint.safetensors")

    live = [stored(epochs, "cfa(delta=0)") for epochs in (2, 3, 4)]
    blocked = stored(4, "cfa(delta=1)")
    for name in (n.removeprefix("model/") for n in live[0] if n.startswith("model/") and "tracked" not in n):
        two, three, four = (state[f"model/{name}"] for state in live)
        # A quarter of 4 epochs: from the second on, whose copy is the start.
        expected = 0.85 * (0.85 * two + 0.15 * three) + 0.15 * four
        torch.testing.assert_close(live[2][f"average/{name}"], expected)
        assert torch.equal(blocked[f"average/{name}"], blocked[f"model/{name}"]), "no epoch passes: the live weights"
