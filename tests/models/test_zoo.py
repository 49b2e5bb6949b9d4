"""What every zoo model must do; the families appear by their patterns, none is treated apart."""

import re
from itertools import product

import pytest
import torch

from weakspot import rng
from weakspot.errors import InputError
from weakspot.models import NAMES, build
from weakspot.models.zoo import ZOO

# One affordable member of each family: what holds at 4 channels holds at 64.
SMALL = ("cnn", "lenet5", "small-cnn", "small-cnn-bn", "resnet18-w4", "preact-resnet18-w4", "wrn-10-1")
SHAPES = [*product((1, 3), (2, 10, 1000), (28, 32, 64))]

every_family = pytest.mark.parametrize("name", SMALL)


def images(count, channels=1, size=28, seed=0):
    return rng.uniform((channels, size, size), torch.arange(count), seed, "test-images")


def small(name, channels=1, classes=10, size=28, seed=0):
    return build(name, channels=channels, classes=classes, size=size, seed=seed)


@pytest.mark.parametrize("pattern", ZOO)
def test_each_family_is_tested_here_and_listed(pattern):
    assert any(re.fullmatch(pattern, name) for name in SMALL)
    assert any(re.fullmatch(pattern, name) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_listed_name_belongs_to_one_family(name):
    assert sum(bool(re.fullmatch(pattern, name)) for pattern in ZOO) == 1


@every_family
@pytest.mark.parametrize("channels, classes, size", SHAPES)
def test_any_shape_goes_through(name, channels, classes, size):
    model = small(name, channels, classes, size).eval()
    batch = images(2, channels, size)
    features, logits = model.features(batch), model(batch)
    assert logits.shape == (2, classes)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert features.ndim == 2
    torch.testing.assert_close(model.head(features), logits)


@every_family
@pytest.mark.parametrize("size", [4, 5, 29, 31, 33])
def test_odd_and_tiny_images_go_through(name, size):
    assert small(name, size=size).eval()(images(2, size=size)).shape == (2, 10)


@every_family
@pytest.mark.parametrize("training", [False, True])
def test_a_gradient_reaches_every_image_and_every_parameter(name, training):
    model = small(name).train(training)
    batch = images(4).requires_grad_()
    model(batch).square().sum().backward()
    assert (batch.grad.flatten(1).abs().amax(dim=1) > 0).all()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name


@every_family
def test_in_eval_mode_a_sample_does_not_see_its_batch(name):
    model = small(name).eval()
    batch = images(5)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    together = model(batch)
    alone = torch.cat([model(batch[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), f"a forward pass in eval mode changed {key}"


@every_family
def test_train_and_eval_switch_every_part(name):
    model = small(name)
    assert all(module.training for module in model.modules())
    assert not any(module.training for module in model.eval().modules())


@every_family
def test_the_memory_layout_changes_nothing(name):
    model, batch = small(name, 3, size=32).eval(), images(3, 3, 32)
    usual = model(batch)
    last = model.to(memory_format=torch.channels_last)(batch.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, usual)
    # The same pixels, stored with the columns outermost: a stride that no convolution prefers.
    permuted = batch.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0)
    assert not permuted.is_contiguous()
    torch.testing.assert_close(model(permuted), usual)


@every_family
def test_bfloat16_autocast_agrees_roughly(name):
    model, batch = small(name).eval(), images(8)
    exact = model(batch)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(batch)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() <= 0.1 * exact.abs().max()


@every_family
def test_float64_is_kept(name):
    assert small(name).double().eval()(images(2).double()).dtype == torch.float64


@every_family
def test_weights_depend_on_the_seed_alone(name):
    first = small(name, seed=3).state_dict()
    outer = torch.random.get_rng_state()
    again, other = small(name, seed=3).state_dict(), small(name, seed=4).state_dict()
    assert torch.equal(torch.random.get_rng_state(), outer), "building a model moved the global stream"
    assert all(torch.equal(first[key], again[key]) for key in first)
    drawn = [key for key, value in first.items() if value.min() != value.max()]
    assert drawn
    assert not any(torch.equal(first[key], other[key]) for key in drawn)
    assert len({first[key].flatten()[0].item() for key in drawn}) == len(drawn), "two layers share their draws"


@every_family
def test_normalisation_is_part_of_the_model(name):
    plain = small(name, 3).eval()
    normal = build(name, channels=3, classes=10, size=28, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0)).eval()
    batch = images(2, 3)
    by_hand = torch.stack([(batch[:, 0] - 0.1) / 0.5, (batch[:, 1] - 0.2) / 0.25, (batch[:, 2] - 0.3) / 2], dim=1)
    torch.testing.assert_close(normal(batch), plain(by_hand))


@pytest.mark.parametrize(
    "name, parameters",  # with 3 channels and 10 classes, as their papers' code counts them
    [("resnet18", 11_173_962), ("preact-resnet18", 11_172_170), ("wrn-28-10", 36_479_194), ("wrn-34-10", 46_160_474)],
)
def test_full_sizes_are_those_of_the_literature(name, parameters, monkeypatch):
    monkeypatch.setattr("weakspot.models.zoo.initialise", lambda model, seed: None)  # counted without being drawn
    with torch.device("meta"):
        model = build(name, channels=3, classes=10, size=32)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_the_packaged_architecture_stays_below_a_megabyte():
    model = build("cnn", channels=1, classes=10, size=28)
    assert sum(value.numel() for value in model.state_dict().values()) < 240_000


@pytest.mark.parametrize(
    "typo, nearest",
    [("resnet-18", "resnet18"), ("lenet", "lenet5"), ("smallcnn", "small-cnn"), ("wrn-28", "wrn-28-10"),
     ("preactresnet18", "preact-resnet18"), ("resnet18-16", "resnet18-w16")],
)  # fmt: skip
def test_a_typo_names_the_nearest(typo, nearest):
    with pytest.raises(InputError, match=f"did you mean '{nearest}'"):
        build(typo, channels=1, classes=10, size=28)


@pytest.mark.parametrize("name", ["resnet18-w0", "resnet18-w", "wrn-28-0", "wrn--10", " cnn", "cnn\n"])
def test_impossible_names_are_refused(name):
    with pytest.raises(InputError, match="unknown model"):
        build(name, channels=1, classes=10, size=28)


def test_a_depth_that_no_wide_resnet_has_names_one():
    with pytest.raises(InputError, match=r"got 30; try wrn-28-10"):
        build("wrn-30-10", channels=1, classes=10, size=28)


@pytest.mark.parametrize("channels, classes, size", [(0, 10, 28), (1, 1, 28), (1, 10, 3)])
def test_impossible_shapes_are_refused(channels, classes, size):
    with pytest.raises(InputError, match="needs at least"):
        build("cnn", channels=channels, classes=classes, size=size)


@pytest.mark.parametrize("mean, std, says", [((0.1, 0.2), (1.0,), "1 or 3 numbers"), ((0.0,), (0.0,), "positive")])
def test_impossible_normalisations_are_refused(mean, std, says):
    with pytest.raises(InputError, match=says):
        build("cnn", channels=3, classes=10, size=28, mean=mean, std=std)


@every_family
def test_images_of_another_size_work_or_are_refused_in_one_line(name):
    model, other, batch = small(name, size=28).eval(), small(name, size=64).eval(), images(2, size=64)
    if {p.shape for p in model.parameters()} != {p.shape for p in other.parameters()}:
        with pytest.raises(InputError, match="built for 28x28 images, got 64x64"):
            model(batch)
    else:
        torch.testing.assert_close(model(batch), other(batch))
