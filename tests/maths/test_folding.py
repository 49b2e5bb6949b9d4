"""Folding a batch norm into its convolution changes nothing but the last digits, and never the module itself."""

import copy

import torch
from torch import nn

from weakspot.maths.folding import folded, twin_of


def drawn(module):
    """Statistics, weights and shifts that are not the first ones."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                for values in (part.running_var, part.weight):
                    values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
                for values in (part.running_mean, part.bias):
                    values.copy_(torch.randn(values.shape, generator=generator) / 3)
    return module.eval()


def norms(module):
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


class Residual(nn.Module):
    """A block of a ResNet: two norms behind convolutions, one in front of one."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.conv, self.norm = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.before = nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3))

    def forward(self, images):
        hidden = self.stem(images)
        return self.before(torch.relu(self.norm(self.conv(hidden)) + hidden)).flatten(1)


def test_answers_like_the_module():
    model = drawn(Residual())
    images = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    before = copy.deepcopy(model.state_dict())
    short = folded(model)
    assert (norms(model), norms(short)) == (3, 1)
    with torch.no_grad():
        torch.testing.assert_close(short(images), model(images), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


class Drifting(Residual):
    """The same, less a mean that is another tensor after each step."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, images):
        return super().forward(images - self.mean)


def test_a_twin_follows_the_weights_statistics_and_buffers_of_its_module():
    model = drawn(Drifting())
    images = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    twin = twin_of(model)
    before = twin.current()(images)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()(images).square().mean().backward()
    optimizer.step()
    model.eval()
    model.mean = model.mean + 0.3
    with torch.no_grad():
        after = twin.current()(images)
        torch.testing.assert_close(after, model(images), rtol=1e-4, atol=1e-5)
    assert (after - before).abs().max() > 0.1
    flags = [part.requires_grad for part in model.parameters()]
    assert all(flags)


class Shared(nn.Module):
    """One convolution with two batch norms, and one that is used before its norm as well: neither can be folded."""

    def __init__(self):
        super().__init__()
        self.conv, self.first, self.last = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.other, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, images):
        both = self.first(self.conv(images)) + self.last(self.conv(images.flip(3)))
        seen = self.other(both)
        return (seen + self.norm(seen)).flatten(1)


def test_a_convolution_with_two_readers_keeps_its_norms():
    model = drawn(Shared())
    images = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    assert norms(folded(model)) == 3
    torch.testing.assert_close(folded(model)(images), model(images))


class Decides(nn.Module):
    """Asks for a value on its way, which no symbol has."""

    def forward(self, images):
        return images.flatten(1) if images.mean() > 0 else -images.flatten(1)


def test_what_cannot_be_traced_or_is_in_training_is_left_alone():
    model = Decides().eval()
    assert folded(model) is model
    model = drawn(Shared()).train()
    assert folded(model) is model
