"""The surface over a model's parameters: filter lengths, a linear model in closed form, nothing left behind."""

import torch
from torch import nn

import planted
from weakspot.landscape import parameters
from weakspot.landscape.parameters import filter_normalised, parameter_surface
from weakspot.landscape.surfaces import grid
from weakspot.maths.losses import cross_entropy, margin


def test_each_filter_keeps_its_length():
    model = planted.HONEST["small-cnn"]()
    for name, direction in filter_normalised(model, 0, "test").items():
        weight = model.get_parameter(name)
        if weight.ndim < 2:
            assert (direction == 0).all()
        else:
            torch.testing.assert_close(direction.flatten(1).norm(dim=1), weight.flatten(1).norm(dim=1))
    assert not torch.equal(
        *(filter_normalised(model, seed, "test")[next(iter(dict(model.named_parameters())))] for seed in (0, 1))
    )


def test_a_linear_model_in_closed_form():
    model, data = planted.HONEST["linear"](), planted.digits()
    images, labels = data.batch(range(25)), data.labels[:25]
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    offsets = grid(5, 1.0), grid(3, 0.5)
    found = parameter_surface(model, images, labels, offsets, seed=2)
    assert found.decision.shape == (1, 5, 3)
    first, second = (filter_normalised(model, 2, f"parameter surface/{which}") for which in ("first", "second"))
    for at, i in enumerate(offsets[0]):
        for place, j in enumerate(offsets[1]):
            logits = model(images) + nn.functional.linear(
                images.flatten(1), i * first["1.weight"] + j * second["1.weight"]
            )
            torch.testing.assert_close(found.cross_entropy[0, at, place], cross_entropy(logits, labels).mean())
            torch.testing.assert_close(found.decision[0, at, place], margin(logits, labels).mean())
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_large_images_pass_through_a_few_at_a_time(monkeypatch):
    model, data = planted.HONEST["small-cnn"](), planted.digits()
    images, labels = data.batch(range(8)), data.labels[:8]
    whole = parameter_surface(model, images, labels, (grid(3, 0.5), grid(3, 0.5)), seed=0)
    sizes = []
    model.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    monkeypatch.setattr(parameters, "NUMBERS", 3 * images[0].numel())
    parts = parameter_surface(model, images, labels, (grid(3, 0.5), grid(3, 0.5)), seed=0)
    assert sizes == [3, 3, 2] * 9
    torch.testing.assert_close(parts.cross_entropy, whole.cross_entropy)
    torch.testing.assert_close(parts.decision, whole.decision)
