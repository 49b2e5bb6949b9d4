"""The same digest, the same results; whatever changes results changes the digest."""

import pytest
import torch
from torch import nn

from weakspot.models import build, digest
from weakspot.models.digest import digest_by_behaviour
from weakspot.models.factories import make
from weakspot.models.zoo.model import Shape


def small(seed=0):
    return build("resnet18-w4", channels=1, classes=10, size=28, seed=seed)


def test_equal_models_agree_whatever_their_mode_and_layout():
    first = digest(small())
    assert len(first) == 64
    assert digest(small()) == first
    assert digest(small().eval()) == first
    assert digest(small().to(memory_format=torch.channels_last)) == first
    held = small()
    for parameter in held.parameters():
        parameter.requires_grad_(False)
    assert digest(held) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.linear.weight.data.view(-1)[5:6].mul_(1 + 1e-6),
        lambda m: m.bn1.running_var[0:1].add_(1e-6),
        lambda m: m.normalize.mean.add_(0.1),
        lambda m: m.double(),
        lambda m: setattr(m.conv1, "padding", (0, 0)),
        lambda m: setattr(m.bn1, "eps", 1e-3),
        lambda m: setattr(m, "temperature", 2.0),
        lambda m: setattr(m, "linear", nn.Sequential(m.linear)),
        lambda m: m.register_buffer("extra", torch.zeros(1), persistent=False),
        lambda m: setattr(m.layer1[0].conv1, "weight", nn.Parameter(m.layer1[0].conv1.weight.flip(0))),
    ],
)
def test_each_change_shows(change):
    model = small()
    before = digest(model)
    change(model)
    assert digest(model) != before


def test_names_and_shapes_count_beside_bytes():
    class Pair(nn.Module):
        def __init__(self, **values):
            super().__init__()
            for name, value in values.items():
                self.register_buffer(name, value)

    one, two = torch.ones(2), torch.zeros(2)
    digests = {digest(Pair(a=one, b=two)), digest(Pair(a=two, b=one)), digest(Pair(a=one, c=two)),
               digest(Pair(a=one[None], b=two)), digest(Pair(a=torch.cat([one, two])))}  # fmt: skip
    assert len(digests) == 5
    assert digest(Pair(b=two, a=one)) == digest(Pair(a=one, b=two)), "the order of registration counts"


NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(10, 784))
    def forward(self, images):
        return {} @ self.weight.T
"""


def test_an_edited_forward_is_another_model(tmp_path):
    digests = []
    for edit in ("images.flatten(1)", "(images - 0.5).flatten(1)", "images.flatten(1)"):
        (tmp_path / "net.py").write_text(NET.format(edit))
        digests.append(digest(make(f"{tmp_path}/net.py:Net", Shape(1, 10, 28))))
    assert digests[0] == digests[2] != digests[1]


def test_a_callable_is_known_by_what_it_does():
    weight = torch.ones(10, 784)

    def model(images):
        return images.flatten(1) @ weight.T

    before = digest_by_behaviour(model, (1, 28, 28))
    assert digest_by_behaviour(model, (1, 28, 28)) == before
    weight[3, 100] += 0.01
    assert digest_by_behaviour(model, (1, 28, 28)) != before
