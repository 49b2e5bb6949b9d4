"""Updates that are more than one backward pass, against plain loops over the papers' algorithms in float64."""

from dataclasses import replace

import pytest
import torch
from tests.oracles.objectives import ball, ce, direction, kl
from tests.training.test_objectives import batch, knobs_of, planted
from torch import Tensor, nn

from weakspot.errors import InputError
from weakspot.training import Knobs, Losses
from weakspot.training.objective import Objective, Step
from weakspot.training.objectives import method_of, objective_of
from weakspot.training.objectives.awp import Awp


def step_of(model: nn.Module, lr: float, knobs: Knobs, memory: dict[str, Tensor]) -> Step:
    images, labels, sample = batch()

    def check(losses: Losses) -> None:
        assert losses.total.isfinite()

    sgd = torch.optim.SGD(model.parameters(), lr)
    return Step(model, sgd, lambda loss: loss.backward(), check, images, labels, sample, 4, 9, knobs, memory)


def smooth() -> nn.Sequential:
    """A network without batch norm, so that functional calls restate it."""
    plan = planted()
    return nn.Sequential(plan[0], plan[1], plan[3], plan[4])


def logits_at(weights: list[Tensor], x: Tensor) -> Tensor:
    return torch.tanh(x.flatten(1) @ weights[0].T + weights[1]) @ weights[2].T + weights[3]


@pytest.mark.parametrize("radius", ["linf:0.1", "l2:0.7"])
def test_free_is_shafahis_algorithm_1(radius: str) -> None:
    model, knobs, memory = smooth(), knobs_of(radius), {}
    images, labels, _ = batch()
    weights = [p.detach().clone() for p in model.parameters()]
    delta = torch.zeros_like(images)
    free = objective_of("free(replays=3)")
    for _ in range(2):  # the second batch carries the perturbation on
        free.update(step_of(model, 0.05, knobs, memory))
        for _ in range(3):
            live = [w.requires_grad_() for w in weights]
            x = (images + delta).detach().requires_grad_()
            z = logits_at(live, x)
            loss = sum(knobs.robust[c] * ce(z[i], c) for i, c in enumerate(labels.tolist())) / len(labels)
            *g_w, g_x = torch.autograd.grad(loss, [*live, x])
            weights = [(w - 0.05 * g).detach() for w, g in zip(live, g_w, strict=True)]
            for i, c in enumerate(labels.tolist()):
                eps = float(knobs.radius[c])
                moved = images[i] + ball(delta[i] + eps * direction(g_x[i], knobs.norm), eps, knobs.norm)
                delta[i] = moved.clamp(0, 1) - images[i]
    for parameter, expected in zip(model.parameters(), weights, strict=True):
        torch.testing.assert_close(parameter.detach(), expected)
    torch.testing.assert_close(memory["delta"], delta)


def test_a_carried_perturbation_fits_the_next_batchs_classes_and_range() -> None:
    knobs = knobs_of("linf:0.1")
    images, labels, _ = batch()
    memory = {"delta": torch.full_like(images, 0.9)}
    objective_of("free(replays=1)").update(step_of(smooth(), 0.0, knobs, memory))
    assert (memory["delta"].flatten(1).abs().amax(1) <= knobs.radius[labels] + 1e-12).all()
    assert (images + memory["delta"]).min() >= 0
    assert (images + memory["delta"]).max() <= 1


@pytest.mark.parametrize("method", ["pgd-at", "trades"])
def test_awp_is_wus_algorithm_1(method: str) -> None:
    model, knobs, lr, gamma = smooth(), knobs_of("linf:0.1"), 0.05, 0.03
    images, labels, sample = batch()
    weights = [p.detach().clone().requires_grad_() for p in model.parameters()]
    over = objective_of(method)
    x_adv = over.attack(smooth(), images, labels, sample, 4, 9, knobs).images

    def loss(w: list[Tensor]) -> Tensor:
        z, z_adv = logits_at(w, images), logits_at(w, x_adv)
        each = []
        for i, c in enumerate(labels.tolist()):
            if method == "pgd-at":
                each.append(knobs.robust[c] * ce(z_adv[i], c))
            else:
                each.append(knobs.natural[c] * ce(z[i], c) + knobs.robust[c] * 6 * knobs.beta[c] * kl(z[i], z_adv[i]))
        return sum(each) / len(each)

    g = torch.autograd.grad(loss(weights), weights)
    v = [
        gamma * w.norm() * a / a.norm() if w.ndim > 1 else torch.zeros_like(w) for w, a in zip(weights, g, strict=True)
    ]
    shifted = [(w + a).detach().requires_grad_() for w, a in zip(weights, v, strict=True)]
    assert loss(shifted) > loss(weights), "the perturbation raises the loss"
    g = torch.autograd.grad(loss(shifted), shifted)
    got = objective_of(f"{method}+awp(gamma={gamma})").update(step_of(model, lr, knobs, {}))
    torch.testing.assert_close(got.total.detach(), loss(shifted).detach())
    for parameter, weight, gradient in zip(model.parameters(), weights, g, strict=True):
        torch.testing.assert_close(parameter.detach(), (weight - lr * gradient).detach())


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def updated(objective: Objective, lr: float, progress: float) -> nn.Module:
    model = planted()
    objective.update(step_of(model, lr, replace(knobs_of("linf:0.1"), progress=progress), {}))
    return model


def test_awp_leaves_no_trace_of_its_perturbation() -> None:
    """With a learning rate of 0 the weights are the same to the last bit, and batch norm saw one batch, not two."""
    assert same_weights(updated(objective_of("pgd-at+awp(gamma=0.1)"), 0.0, 0.5)[1], planted()[1])
    assert updated(objective_of("pgd-at+awp"), 0.1, 0.5)[2].num_batches_tracked == 1


def test_awp_waits_for_its_warmup() -> None:
    plain, awp = objective_of("trades"), objective_of("trades+awp(warmup=0.4)")
    assert same_weights(updated(awp, 0.1, 0.3), updated(plain, 0.1, 0.3))
    assert not same_weights(updated(awp, 0.1, 0.4), updated(plain, 0.1, 0.4))


@pytest.mark.parametrize("method", ["trades+awp", "trades(beta=3.0)+awp(gamma=0.005,warmup=0.05)", "spat+awp"])
def test_an_address_with_a_stepper_reads_back(method: str) -> None:
    objective = objective_of(method)
    assert method_of(objective) == method
    assert objective.base == objective_of(method.partition("+")[0])
    assert objective_of(method_of(objective)) == objective


def test_numbers_may_hold_a_plus() -> None:
    assert objective_of("trades(beta=1e+1)+awp") == objective_of("trades(beta=10)+awp")


@pytest.mark.parametrize(
    "method, says",
    [
        ("trades+apw", "did you mean 'awp'"),
        ("awp", "goes around a training method"),
        ("free+awp", "takes its own steps"),
        ("trades+awp+awp", "awp takes its own steps"),
        ("trades(beta=3", "such as trades"),
        ("trades+awp(gamma=0)", "gamma"),
    ],
)
def test_wrong_steppers(method: str, says: str) -> None:
    with pytest.raises(InputError, match=says.replace("(", r"\(")):
        objective_of(method)


@pytest.mark.parametrize(
    "method, gamma", [("pgd-at+awp", 0.01), ("trades+awp", 0.005), ("trades+awp(gamma=0.02)", 0.02), ("mart+awp", 0.01)]
)
def test_gamma_is_by_default_the_papers_over_that_method(method: str, gamma: float) -> None:
    found = objective_of(method)
    assert isinstance(found, Awp)
    assert found.size == gamma
    assert method_of(found) == method
