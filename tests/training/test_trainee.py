"""What attacks go through in training: the same function without batch norms, at the weights as they are."""

import subprocess
import sys

import torch
from torch import nn

from weakspot.models import ModelSpec
from weakspot.training.inner import attack_mode, gradient_at
from weakspot.training.trainee import Trainee


def zoo(seed=0):
    return ModelSpec(zoo="resnet18-w16", channels=1, classes=4, size=12, head="linear").build(seed)


def images():
    return torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def loss(logits):
    return torch.nn.functional.cross_entropy(logits, torch.arange(6) % 4, reduction="none")


def test_the_attack_sees_the_model_at_every_step_of_its_weights():
    model = zoo().double()
    trainee = Trainee(model, rough=False).train()
    optimizer = torch.optim.SGD(trainee.parameters(), lr=0.1)
    before = None
    for _ in range(3):
        loss(trainee(images().double())).sum().backward()
        optimizer.step()
        with attack_mode(trainee) as quiet:
            found, _ = gradient_at(quiet, images().double(), loss)
            expected, _ = gradient_at(model, images().double(), loss)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
        assert before is None or not torch.allclose(found, before, rtol=0.01)
        before = found
        assert all(part.training for part in trainee.modules())
        assert all(parameter.requires_grad for parameter in trainee.parameters())


def test_no_weight_is_counted_twice():
    model = zoo()
    trainee = Trainee(model, rough=True)
    with attack_mode(trainee):
        assert [*trainee.parameters()] == [*model.parameters()]
    assert len([*trainee.modules()]) == len([*model.modules()]) + 2


def test_in_bfloat16_it_answers_as_float32_does_to_two_digits():
    model = zoo()
    with attack_mode(Trainee(model, rough=True)) as quiet, torch.no_grad():
        logits, exact = quiet(images()), model(images())
    assert logits.dtype == torch.float32
    assert 0 < (logits - exact).abs().max() < 0.05 * exact.abs().max()


FOLDED = """
from torch import nn
from weakspot.models import ModelSpec
from weakspot.training.inner import attack_mode
from weakspot.training.trainee import Trainee
for zoo in ("resnet18-w16", "preact-resnet18", "wrn-28-10"):
    model = ModelSpec(zoo=zoo, channels=1, classes=4, size=12, head="cosine").build(0)
    with attack_mode(Trainee(model, rough=False)) as quiet:
        kept, had = (sum(isinstance(part, nn.BatchNorm2d) for part in of.modules()) for of in (quiet, model))
    print(zoo, had, kept)
"""


def test_norms_behind_convolutions_are_gone():
    """In a process of its own: what checks annotations in tests refuses the symbols of torch.fx."""
    # Where a norm comes before its convolution, only every second one stands behind another convolution; that of the
    # first wide block stands behind the stem, whose output nothing else reads.
    ran = subprocess.run([sys.executable, "-c", FOLDED], capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[:3] == ["resnet18-w16 20 0", "preact-resnet18 17 9", "wrn-28-10 25 12"]


def test_a_module_of_ones_own_and_batch_statistics_are_attacked_as_they_are():
    own = Trainee(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(400, 4)), rough=False)
    with attack_mode(own) as quiet:
        assert quiet is own
    trainee = Trainee(zoo(), rough=False)
    with attack_mode(trainee, batch_statistics=True) as quiet:
        assert quiet is trainee
