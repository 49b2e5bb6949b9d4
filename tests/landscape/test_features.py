"""The last layer is found in models of many shapes; hooks, modes and gradients are given back whatever happens."""

import pytest
import torch
from torch import Tensor, nn

from weakspot.errors import InputError
from weakspot.landscape.features import features_of, find_layer, tapped
from weakspot.models import build
from weakspot.models.exported import Exported
from weakspot.models.heads import set_head
from weakspot.rng import uniform

IMAGES = uniform((1, 8, 8), torch.arange(6), 0, "test images")


class Branches(nn.Module):
    """Its last layer is first in the list; two others have as many outputs: one runs earlier, one never."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(5, 3)
        self.unused = nn.Linear(7, 3)
        self.gate = nn.Linear(64, 3)
        self.body = nn.Sequential(nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 5))

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        gate = self.gate(flat)
        return self.last(input=self.body(flat)) + gate.softmax(1)


def state(model: nn.Module) -> tuple[object, ...]:
    hooks = [len(m._forward_pre_hooks) + len(m._forward_hooks) for m in model.modules()]
    modes = [m.training for m in model.modules()]
    buffers = [b.clone() for b in model.buffers()]
    return hooks, modes, [p.requires_grad for p in model.parameters()], [p.grad for p in model.parameters()], buffers


def same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return one[:4] == other[:4] and all(torch.equal(a, b) for a, b in zip(one[4], other[4], strict=True))  # type: ignore[call-overload]


def test_the_last_linear_layer_that_runs_is_found() -> None:
    model = Branches()
    model.body[0].eval()  # a mode of its own
    model.gate.requires_grad_(False)
    before = state(model)
    layer = find_layer(model, IMAGES, 3)
    assert (layer.name, layer.module) == ("last", model.last)
    found = features_of(model, layer, IMAGES)
    assert same(before, state(model))
    with torch.no_grad():
        expected = model.eval().body(IMAGES.flatten(1))
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("name", ["lenet5", "preact-resnet18-w16"])
def test_zoo_models(name: str, head: str) -> None:
    size = 28 if name == "lenet5" else 8
    model = build(name, channels=1, classes=10, size=size)
    set_head(model, head)
    images = uniform((1, size, size), torch.arange(3), 0, "zoo images")
    layer = find_layer(model, images, 10)
    assert layer.name == model.head_name
    expected = model.eval().features(images)
    torch.testing.assert_close(features_of(model.train(), layer, images), expected.detach())
    assert model.training


def test_a_layer_named_by_its_path() -> None:
    model = Branches().eval()
    layer = find_layer(model, IMAGES, 3, "body.2")
    torch.testing.assert_close(features_of(model, layer, IMAGES), model.body[:2](IMAGES.flatten(1)))
    with pytest.raises(InputError, match="no module 'body.4' in this Branches; did you mean body"):
        find_layer(model, IMAGES, 3, "body.4")
    with pytest.raises(InputError, match="no module ''"):
        find_layer(model, IMAGES, 3, "")


def test_a_convolution_named_by_its_path_gives_flat_features() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 3, 6), nn.Flatten())
    with pytest.raises(InputError, match="no linear layer with 3 outputs runs.*name the module.*'3'"):
        find_layer(model, IMAGES, 3)
    assert features_of(model, find_layer(model, IMAGES, 3, "2"), IMAGES).shape == (6, 72)


def test_what_has_no_layers_is_refused() -> None:
    model = Branches().eval()
    for given, said in [
        (Exported(model), "an exported program"),
        (lambda images: model(images), "a plain function"),
    ]:
        with pytest.raises(InputError, match=f"got {said}, which has none; hand over the module"):
            find_layer(given, IMAGES, 3)


class Breaks(Branches):
    def forward(self, images: Tensor) -> Tensor:
        super().forward(images)
        raise RuntimeError("planted")


def test_hooks_and_modes_come_back_after_an_exception() -> None:
    model = Breaks()
    before = state(model)
    with pytest.raises(RuntimeError, match="planted"):
        find_layer(model, IMAGES, 3)
    layer = find_layer(model, IMAGES, 3, "last")
    with pytest.raises(RuntimeError, match="planted"):
        features_of(model, layer, IMAGES)
    with pytest.raises(KeyError), tapped(layer):
        raise KeyError
    assert same(before, state(model))


def test_features_that_do_not_fit_are_refused() -> None:
    model = Branches().eval()
    with pytest.raises(InputError, match=r"'unused' must get one row of features for each of 6 images, got no call"):
        features_of(model, find_layer(model, IMAGES, 3, "unused"), IMAGES)
    patches = nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (-1, 32)), nn.Linear(32, 3))
    with pytest.raises(InputError, match=r"got an input of shape \(12, 32\)"):
        features_of(patches, find_layer(patches, IMAGES, 3), IMAGES)
    with torch.no_grad():
        model.body[2].bias.fill_(float("nan"))
    with pytest.raises(InputError, match="'last' is NaN or infinite for 6 of 6 images"):
        features_of(model, find_layer(model, IMAGES, 3), IMAGES)


def test_a_layer_that_runs_twice_counts_at_its_last_call() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(64, 3)

        def forward(self, images: Tensor) -> Tensor:
            flat = images.flatten(1)
            return self.last(flat) + self.last(2 * flat)

    model = Twice()
    torch.testing.assert_close(features_of(model, find_layer(model, IMAGES, 3), IMAGES), 2 * IMAGES.flatten(1))


def test_gradients_flow_through_tapped_features() -> None:
    model = Branches().eval()
    images = IMAGES.clone().requires_grad_()
    with tapped(find_layer(model, IMAGES, 3)) as seen:
        model(images)
    (gradient,) = torch.autograd.grad(seen[-1].sum(), images)
    assert gradient.abs().sum() > 0
