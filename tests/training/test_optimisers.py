"""Optimiser, decay and SWA options against plain restatements, in whole runs where they only show there."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.runs import digits
from tests.training.test_resume import Stopping, assert_same_run
from tests.training.test_train import mlp
from torch import nn

from weakspot.errors import InputError
from weakspot.training import Interrupted, train
from weakspot.training.averaging import swa_keep
from weakspot.training.objectives.pgd_at import PgdAt
from weakspot.training.optimisers import optimiser_of
from weakspot.training.pool import batches, split


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("spare", [False, True])
def test_without_gradients_only_the_decay_moves_the_weights(kind: Any, spare: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(2.0)
            parameter.grad = torch.zeros_like(parameter)
    optimiser_of(kind, model, lr=0.1, momentum=0.9, weight_decay=0.5, spare_norms=spare).step()
    for parameter in model.parameters():
        spared = spare and parameter.ndim == 1
        assert torch.allclose(parameter, torch.full_like(parameter, 2.0 if spared else 2.0 * (1 - 0.1 * 0.5)))


def test_sgd_and_adamw_are_their_equations() -> None:
    for kind in ("sgd", "adamw"):
        weight = nn.Parameter(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
        holder = nn.Module()
        holder.register_parameter("weight", weight)
        optimiser = optimiser_of(kind, holder, lr=0.1, momentum=0.8, weight_decay=0.01, spare_norms=True)
        w, m, v = weight.detach().clone(), torch.zeros(1, 2).double(), torch.zeros(1, 2).double()
        for t in range(1, 5):
            g = torch.tensor([[0.3 * t, -0.1 / t]], dtype=torch.float64)
            weight.grad = g.clone()
            optimiser.step()
            if kind == "sgd":
                m = 0.8 * m + g + 0.01 * w
                w = w - 0.1 * m
            else:
                m, v = 0.8 * m + 0.2 * g, 0.999 * v + 0.001 * g**2
                w = w - 0.1 * 0.01 * w
                w = w - 0.1 * (m / (1 - 0.8**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
            torch.testing.assert_close(weight.detach(), w)


def test_swa_counts_the_last_quarter_alike() -> None:
    total = 0.0
    for epoch in range(12):
        keep = swa_keep(epoch, 12)
        total = keep * total + (1 - keep) * epoch
        assert total == pytest.approx(epoch if epoch < 9 else sum(range(9, epoch + 1)) / (epoch - 8))
    assert [swa_keep(epoch, 1) for epoch in range(1)] == [0.0]


def live(out: Path, epochs: int, average: Any) -> Path:
    return train(
        "standard", digits(120), model=mlp("linear"), epochs=epochs, batch=32, lr=0.05, schedule="constant", crop=0.0,
        flip=False, average=average, select="last", device="cpu", out=out,
    )  # fmt: skip


def test_swa_is_the_mean_of_the_epochs_with_statistics_of_its_own(tmp_path: Path) -> None:
    saved = load_file(live(tmp_path / "swa", 8, "swa") / "model.safetensors")
    ends = [load_file(live(tmp_path / f"{n}", n, 0.0) / "model.safetensors") for n in (7, 8)]
    for name, value in saved.items():
        if "running" not in name and "tracked" not in name:
            torch.testing.assert_close(value, (ends[0][name] + ends[1][name]) / 2)
    data = digits(120)
    kept, _ = split(data.labels, 10, 0.1, 0)
    means, variances = [], []
    for rows in batches(kept, 32, 0, 7):
        hidden = data.batch(rows.tolist()).flatten(1) @ saved["1.weight"].T + saved["1.bias"]
        means.append(hidden.mean(0))
        variances.append(hidden.var(0))
    torch.testing.assert_close(saved["2.running_mean"], torch.stack(means).mean(0))
    torch.testing.assert_close(saved["2.running_var"], torch.stack(variances).mean(0))


@pytest.mark.parametrize("options", [{"average": "swa", "epochs": 5}, {"optimizer": "adamw", "lr": 0.001}])
def test_resuming_reaches_the_same_bytes(options: dict[str, Any], tmp_path: Path) -> None:
    def go(objective: PgdAt, name: str) -> Path:
        fixed: dict[str, Any] = {"epochs": 3, "batch": 32, "lr": 0.05, "validation_steps": 2, "spare_norms": True}
        return train(objective, digits(120), out=tmp_path / name, device="cpu", **fixed | options)

    with pytest.raises(Interrupted):
        go(Stopping(steps=1), "run")
    go(PgdAt(steps=1), "run")
    assert_same_run(tmp_path / "run", go(PgdAt(steps=1), "whole"))


def test_swa_beside_a_policy_that_averages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="averages the weights itself, got average=swa"):
        train("trades", digits(40), policy="cfa", epochs=2, average="swa", out=tmp_path / "run")
