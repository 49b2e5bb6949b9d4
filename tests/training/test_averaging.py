"""The moving average against a plain loop over numbers, batch-norm statistics included."""

import pytest
import torch
from torch import nn

from weakspot import rng
from weakspot.training.averaging import Average


def noise(like: torch.Tensor, step: int, name: str) -> torch.Tensor:
    return rng.normal(tuple(like.shape), torch.arange(1), 0, name, step)[0]


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_against_a_plain_loop(decay: float) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = Average(model, decay)
    expected = {name: value.flatten().tolist() for name, value in model.state_dict().items()}
    for step in range(12):
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.add_(noise(parameter, step, name))
            model(torch.ones(4, 3) * torch.arange(4)[:, None] * step)  # moves the running statistics
        average.update(model, step)
        keep = min(decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            live = value.flatten().tolist()
            counter = name.endswith("num_batches_tracked")
            expected[name] = [
                now if counter else keep * old + (1 - keep) * now for old, now in zip(expected[name], live, strict=True)
            ]
    for name, value in average.module.state_dict().items():
        assert value.flatten().tolist() == pytest.approx(expected[name], rel=1e-4, abs=1e-6), name
    assert not torch.equal(average.module[1].running_mean, model[1].running_mean)


def test_it_takes_no_gradients_and_leaves_the_model_alone() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average = Average(model, 0.9)
    average.update(model, 0)
    assert model.training
    assert not average.module.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
