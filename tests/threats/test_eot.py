"""Expectation over transformation: means of draws, on models whose expectation is known."""

import pytest
import torch

from weakspot.maths.losses import cross_entropy, margin
from weakspot.threats import PRESETS, parse_threat
from weakspot.threats.apgd import ApgdCe, ApgdDlr
from weakspot.threats.eot import ExpectedSearch, Rand, attack_expected
from weakspot.threats.measure import measure
from weakspot.threats.pgd import Pgd
from weakspot.threats.search import attack


class Noisy(torch.nn.Module):
    """The digits' network behind Gaussian noise on its input: a random defence whose draws come from its own stream."""

    def __init__(self, net: torch.nn.Module, sigma: float, seed: int = 0):
        super().__init__()
        self.net, self.sigma, self.draw = net, sigma, torch.Generator().manual_seed(seed)

    def forward(self, images):
        return self.net(images + self.sigma * torch.randn(images.shape, generator=self.draw))


def accuracy(model, images, labels, draws: int = 40) -> float:
    with torch.no_grad():
        return sum((model(images).argmax(1) == labels).float().mean().item() for _ in range(draws)) / draws


def test_the_preset_is_autoattacks_rand():
    (name,) = PRESETS["rand"]
    threat = parse_threat(f"{name}@linf:8/255")
    assert threat.draws == 20
    assert [type(part) for part in threat.parts()] == [ApgdCe, ApgdDlr]
    assert all((part.steps, part.restarts) == (100, 1) for part in threat.parts())


def test_looks_are_means_of_single_draws(digits):
    net, images, labels = digits
    images, labels, rows = images[:10], labels[:10], torch.arange(10)
    search = ExpectedSearch(Noisy(net, 0.3), images, labels, rows, 0, draws=7)
    search.oracle.model.draw.manual_seed(5)
    values, gradient, logits = search.look(images, rows, cross_entropy)
    again, all_values, all_gradients, all_logits = Noisy(net, 0.3, seed=5), 0, 0, 0
    for _ in range(7):
        x = images.clone().requires_grad_()
        single = again(x)
        loss = torch.nn.functional.cross_entropy(single, labels, reduction="none")
        all_gradients = all_gradients + torch.autograd.grad(loss.sum(), x)[0] / 7
        all_values, all_logits = all_values + loss.detach() / 7, all_logits + single.detach() / 7
    torch.testing.assert_close(values, all_values)
    torch.testing.assert_close(gradient, all_gradients)
    torch.testing.assert_close(logits, all_logits)
    assert (search.oracle.forwards == 1 + 7 + 7).all()
    assert (search.oracle.backwards == 7).all()


def test_on_a_model_that_is_not_random_nothing_changes(digits):
    """The mean of four equal floats is that float, so every bit must agree."""
    net, images, labels = digits
    sample, parts = torch.arange(len(images)), Rand(radius="linf:0.08", steps=10).parts()
    once = attack(parts, net, images, labels, sample, 3)
    assert torch.equal(attack_expected(parts, 4, net, images, labels, sample, 3), once)
    assert (margin(net(once), labels) < 0).any()


class Turncoat(torch.nn.Module):
    """Two classes on a line; the gradient of each draw is the truth plus noise ten times as large, of mean 0."""

    def __init__(self):
        super().__init__()
        self.draw = torch.Generator().manual_seed(0)

    def forward(self, images):
        flat = images.flatten(1) - 0.5
        noise = 10 * torch.randn(flat.shape, generator=self.draw)
        score = (flat + noise * (flat - flat.detach())).sum(1)  # the noise is in the gradient alone
        return torch.stack([score, -score], 1)


def test_more_draws_find_what_one_cannot():
    model, sample = Turncoat(), torch.arange(20)
    images = torch.full((20, 1, 8, 8), 0.55)
    labels = torch.zeros(20, dtype=torch.long)
    single = attack([Pgd(radius="linf:0.1", steps=8, step=0.5)], model, images, labels, sample, 0)
    many = attack_expected([Pgd(radius="linf:0.1", steps=8, step=0.5)], 200, model, images, labels, sample, 0)
    # The least margin in the ball is 2 * 64 * (0.05 - 0.1).
    assert margin(model(many), labels).mean() < 0.75 * -6.4
    assert margin(model(single), labels).mean() > 0.4 * -6.4


def test_a_point_that_one_lucky_draw_gets_wrong_is_not_kept(digits):
    net, images, labels = digits
    model, sample = Noisy(net, 0.6), torch.arange(len(images))
    threat = Rand(radius="linf:0.001", steps=8, draws=10)  # next to no radius: only luck can succeed
    attacked = threat(model, images, labels, sample, 0)
    before, after = accuracy(model, images, labels), accuracy(model, attacked, labels)
    assert 0.3 < before < 0.98
    assert after == pytest.approx(before, abs=0.03)


def test_stronger_than_one_draw_on_a_random_defence(digits):
    net, images, labels = digits
    model, sample = Noisy(net, 0.3), torch.arange(len(images))
    radius, steps = "linf:0.08", 15
    single = attack(Rand(radius=radius, steps=steps).parts(), model, images, labels, sample, 0)
    expected = Rand(radius=radius, steps=steps, draws=10)(model, images, labels, sample, 0)
    assert accuracy(model, expected, labels) < accuracy(model, single, labels) - 0.03
    rows, _ = measure(model, Rand(radius=radius, steps=2, draws=3), "rand", images, labels, sample, 0)
    assert set(rows.found_by) <= {"", "clean", "apgd-ce", "apgd-dlr", "rand"}
