"""A frozen model comes back as it was."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from weakspot.models import build, frozen


class Stop(Exception):
    pass


def flags(model):
    return [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]


@given(seed=st.integers(0, 2**20), fails=st.booleans())
def test_every_flag_comes_back(seed, fails):
    model = build("wrn-10-1", channels=1, classes=2, size=8)
    for index, part in enumerate([*model.modules(), *model.parameters()]):
        flag = bool(hash((seed, index)) % 2)
        if isinstance(part, nn.Module):
            part.training = flag
        else:
            part.requires_grad_(flag)
    before = flags(model)
    try:
        with frozen(model) as held:
            assert held is model
            modes, open_parameters = flags(model)
            assert not any(modes)
            assert not any(open_parameters)
            if fails:
                raise Stop
    except Stop:
        pass
    assert flags(model) == before


def test_gradients_reach_images_only():
    model = build("cnn", channels=1, classes=3, size=8)
    image = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    with frozen(model):
        model(image).sum().backward()
    assert image.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.parameters())


def test_batch_norms_keep_their_statistics():
    model = build("resnet18-w4", channels=1, classes=3, size=8)
    before = model.bn1.running_mean.clone()
    with frozen(model):
        model(torch.full((4, 1, 8, 8), 0.5))
    assert torch.equal(model.bn1.running_mean, before)
    assert model.training


def test_frozen_twice_is_frozen_until_the_outer_end():
    model = build("cnn", channels=1, classes=3, size=8)
    with frozen(model):
        with frozen(model):
            pass
        assert not model.training
        assert not any(p.requires_grad for p in model.parameters())
    assert model.training


def test_a_plain_callable_is_left_alone():
    def model(images):
        return images.flatten(1)

    with frozen(model) as held:
        assert held is model


def test_a_module_without_modes_is_held_too():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def train(self, mode=True):
            raise NotImplementedError

    model = Fixed()
    with frozen(model):
        assert not model.weight.requires_grad
    assert model.weight.requires_grad


def test_an_error_while_freezing_gives_the_flags_back():
    class Odd(nn.Linear):
        def train(self, mode=True):
            raise RuntimeError("no modes today")

    model = Odd(2, 2)
    with pytest.raises(RuntimeError, match="no modes today"), frozen(model):
        pass
    assert all(p.requires_grad for p in model.parameters())
