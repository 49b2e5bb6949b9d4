"""Each architecture against the same network written as a straight list of operations on its weights."""

import pytest
import torch
import torch.nn.functional as F

from weakspot import rng
from weakspot.models import build


@pytest.fixture
def batch():
    return rng.uniform((3, 32, 32), torch.arange(4), 0, "oracle-images")


def shaken(name):
    """A model whose norms are no identities, so that a forgotten one shows."""
    model = build(name, channels=3, classes=7, size=32, seed=1).eval()
    for index, (key, value) in enumerate(model.state_dict().items()):
        if value.is_floating_point() and value.ndim == 1 and "normalize" not in key:
            noise = rng.uniform(tuple(value.shape), torch.tensor([index]), 0, "shake")[0]
            value.copy_(0.5 + noise)
    return model


def norm(x, state, name):
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    scale = state[f"{name}.weight"] / (var + 1e-5).sqrt()
    return (x - mean[:, None, None]) * scale[:, None, None] + state[f"{name}.bias"][:, None, None]


def test_lenet5(batch):
    model = shaken("lenet5")
    w = model.state_dict()
    x = F.conv2d(batch, w["conv1.weight"], w["conv1.bias"], padding=1).relu().unfold(2, 2, 2).unfold(3, 2, 2)
    x = F.conv2d(x.amax(dim=(4, 5)), w["conv2.weight"], w["conv2.bias"], padding=1).relu()
    x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(4, 5)).flatten(1)
    x = (x @ w["linear1.weight"].T + w["linear1.bias"]).relu()
    torch.testing.assert_close(model(batch), x @ w["linear2.weight"].T + w["linear2.bias"])


def test_small_cnn(batch):
    model = shaken("small-cnn")
    w = model.state_dict()
    x = F.conv2d(batch, w["0.weight"], w["0.bias"], stride=2, padding=1).relu()
    x = F.conv2d(x, w["2.weight"], w["2.bias"], stride=2, padding=1).relu().flatten(1)
    x = (x @ w["5.weight"].T + w["5.bias"]).relu()
    torch.testing.assert_close(model(batch), x @ w["7.weight"].T + w["7.bias"])


def test_resnet18(batch):
    model = shaken("resnet18-w4")
    w = model.state_dict()
    x = norm(F.conv2d(batch, w["conv1.weight"], padding=1), w, "bn1").relu()
    for layer in (1, 2, 3, 4):
        for block in (0, 1):
            here, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            short = x
            if stride == 2:
                short = norm(F.conv2d(x, w[f"{here}.shortcut.0.weight"], stride=2), w, f"{here}.shortcut.1")
            x = norm(F.conv2d(x, w[f"{here}.conv1.weight"], stride=stride, padding=1), w, f"{here}.bn1").relu()
            x = norm(F.conv2d(x, w[f"{here}.conv2.weight"], padding=1), w, f"{here}.bn2")
            x = (x + short).relu()
    torch.testing.assert_close(model(batch), F.linear(x.mean((2, 3)), w["linear.weight"], w["linear.bias"]))


def test_preact_resnet18(batch):
    model = shaken("preact-resnet18-w4")
    w = model.state_dict()
    x = F.conv2d(batch, w["conv1.weight"], padding=1)
    for layer in (1, 2, 3, 4):
        for block in (0, 1):
            here, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            active = norm(x, w, f"{here}.bn1").relu()
            short = F.conv2d(active, w[f"{here}.shortcut.0.weight"], stride=2) if stride == 2 else x
            x = F.conv2d(active, w[f"{here}.conv1.weight"], stride=stride, padding=1)
            x = F.conv2d(norm(x, w, f"{here}.bn2").relu(), w[f"{here}.conv2.weight"], padding=1) + short
    x = norm(x, w, "bn").relu().mean((2, 3))
    torch.testing.assert_close(model(batch), F.linear(x, w["linear.weight"], w["linear.bias"]))


def test_wide_resnet(batch):
    model = shaken("wrn-16-2")
    w = model.state_dict()
    x = F.conv2d(batch, w["conv1.weight"], padding=1)
    for stage in (1, 2, 3):
        for block in (0, 1):
            here, stride = f"block{stage}.layer.{block}", 2 if stage > 1 and block == 0 else 1
            active = norm(x, w, f"{here}.bn1").relu()
            short = x if block else F.conv2d(active, w[f"{here}.convShortcut.weight"], stride=stride)
            x = F.conv2d(active, w[f"{here}.conv1.weight"], stride=stride, padding=1)
            x = F.conv2d(norm(x, w, f"{here}.bn2").relu(), w[f"{here}.conv2.weight"], padding=1) + short
    x = norm(x, w, "bn1").relu().mean((2, 3))
    torch.testing.assert_close(model(batch), F.linear(x, w["fc.weight"], w["fc.bias"]))


def test_first_weights_have_the_spread_they_should():
    model = build("wrn-16-4", channels=3, classes=10, size=32)
    conv, fc = model.get_parameter("block2.layer.1.conv1.weight"), model.get_parameter("fc.weight")
    assert conv.var().item() == pytest.approx(2 / (128 * 9), rel=0.02)  # He's variance with fan out
    assert fc.var().item() == pytest.approx(1 / (3 * 256), rel=0.1)  # uniform in +-1/16
    assert fc.abs().max().item() <= 1 / 16
    lenet = build("lenet5", channels=1, classes=10, size=28)
    assert lenet.get_parameter("linear1.weight").var().item() == pytest.approx(1 / (3 * 3136), rel=0.02)
    assert lenet.get_parameter("linear1.bias").abs().max().item() <= 1 / 56
