"""bfloat16 may find an image and never call one wrong; a model that it does not fit is searched in float32."""

import pytest
import torch
from torch import nn

from weakspot.addresses import Radius
from weakspot.errors import InputError
from weakspot.maths.losses import margin
from weakspot.planning import prepare
from weakspot.threats.apgd import ApgdCe
from weakspot.threats.precision import TwoPrecisions, search_precision, with_rough
from weakspot.threats.search import Oracle, Search
from weakspot.threats.standard import Stage, Standard

RADIUS = Radius.of("linf:0.06")


def robust(net, model, images, labels):
    images, labels = images[:32], labels[:32]
    attacked = Standard(radius=RADIUS)(model, images, labels, torch.arange(len(labels)), 0)
    return net(attacked).argmax(1) == labels


def test_the_verdict_is_that_of_float32(digits):
    net, images, labels = digits
    twin, reason = with_rough(net, images)
    assert reason is None
    exact = robust(net, net, images, labels)
    assert 0 < int(exact.sum()) < 32
    assert torch.equal(robust(net, twin, images, labels), exact)


@pytest.mark.parametrize("lie", [-1.0, 0.0])
def test_a_twin_that_lies_convinces_nobody(digits, lie):
    """It says that all is wrong, or nothing at all: float32 judges its images, and the exact stages find the rest."""
    net, images, labels = digits

    def liar(x):
        return lie * net(x)

    search = Search(TwoPrecisions(net, liar), images, labels, torch.arange(len(labels)), 0)
    rows = torch.arange(len(labels))
    Stage(radius=RADIUS, loss="ce", steps=5, rough=True).run(search, rows)
    torch.testing.assert_close(search.lowest, margin(net(search.best), labels))
    exact = robust(net, net, images, labels)
    assert int((robust(net, TwoPrecisions(net, liar), images, labels) ^ exact).sum()) <= 1


def test_rough_evaluations_count_like_others(digits):
    net, images, labels = digits
    spent = []
    for model in (net, with_rough(net, images)[0]):
        oracle = Oracle(model, len(labels))
        search = Search(oracle, images, labels, torch.arange(len(labels)), 0)
        Stage(radius=RADIUS, loss="ce", steps=7, rough=True).run(search, torch.arange(len(labels)))
        spent.append((oracle.forwards - 1, oracle.backwards))
    assert torch.equal(spent[0][1], spent[1][1])
    confirmed = spent[1][0] - spent[0][0]  # one float32 look at what the rough search found
    assert set(confirmed.tolist()) == {0, 1} or set(confirmed.tolist()) == {1}


class Views(nn.Module):
    """A reshape that demands contiguous activations, as old code does."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, 3)

    def forward(self, images):
        hidden = self.first(images)
        return self.last(hidden.view(len(images), -1))


class ByNumpy(nn.Module):
    """Leaves torch on its way, where numpy knows no bfloat16."""

    def forward(self, images):
        torch.from_numpy(torch.nn.functional.conv2d(images, torch.ones(1, 3, 3, 3)).detach().numpy())
        return images.flatten(1)[:, :2]


class Thresholds(nn.Module):
    """Decides by the eighth binary digit behind the point, which bfloat16 does not have near 1."""

    def forward(self, images):
        first = images.flatten(1)[:, :1]
        odd = (first.matmul(torch.ones(1, 1)) * 512).round() % 2
        return torch.cat([odd, 1 - odd], 1)


def test_models_that_bfloat16_does_not_fit_are_named_and_left_alone():
    images = torch.rand(32, 3, 8, 8, generator=torch.Generator().manual_seed(0)) / 2 + 0.5
    views, thresholds = Views().requires_grad_(False), Thresholds()
    for model, word in (
        (views, "view"),
        (ByNumpy(), "BFloat16"),
        (thresholds, "clean predictions"),
        (lambda x: views(x), "no torch module"),
    ):
        found, reason = with_rough(model, images)
        assert found is model
        assert word in str(reason)


def test_what_is_asked_is_what_is_stored():
    def planned(threats, precision):
        return prepare(threats=threats, limit=4, precision=precision).config.precision

    assert planned(("standard",), "bf16") == "bf16"
    assert planned(("standard",), "fp32") == "fp32"
    assert planned((ApgdCe(radius=RADIUS),), "bf16") is None
    assert planned(("standard",), "auto") == search_precision("auto", torch.device("cpu"))
    with pytest.raises(InputError, match="unknown precision 'half'"):
        planned(("standard",), "half")
