"""What every threat must do: a new one gets these tests by being listed."""

from dataclasses import MISSING, fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weakspot.addresses import Radius
from weakspot.errors import InputError
from weakspot.maths.balls import distance
from weakspot.maths.losses import margin
from weakspot.threats import PRESETS, THREATS, parse_threat, plan_threats, threat_address
from weakspot.threats.measure import measure, tolerance

ATTACKS = [name for name, threat in THREATS.items() if threat.kind == "adversarial"]
SINGLE = [
    name
    for name in ATTACKS
    if not (hasattr(THREATS[name], "parts") or hasattr(THREATS[name], "cases"))
    and all(field.default is not MISSING for field in fields(THREATS[name]) if field.name != "radius")
]
"""Ensembles are made of these; they, and threats that aim at classes or need more options, have files of their own."""
RADII = ["linf:0.04", "l2:0.3"]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


class Small(torch.nn.Module):
    """Two layers without batch coupling; in float64 its outputs do not depend on the batch's composition."""

    def __init__(self, classes: int = 5, seed: int = 0, pixels: int = 108):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = torch.nn.Parameter(torch.randn(pixels, 24, generator=generator, dtype=torch.float64) / 5)
        self.second = torch.nn.Parameter(torch.randn(24, classes, generator=generator, dtype=torch.float64))

    def forward(self, images):
        return torch.tanh((images - 0.5).flatten(1).to(self.first.dtype) @ self.first) @ self.second


def block(classes: int = 5, samples: int = 24):
    model = Small(classes)
    images = draw(samples, 3, 6, 6).double()
    labels = model(images).argmax(1)
    labels[::5] = (labels[::5] + 1) % classes  # some are wrong when clean
    return model, images, labels, torch.arange(samples)


def short(name: str, radius: str):
    """The threat with at most 10 steps, 100 queries and 3 targets: what must hold for any number holds for few."""
    threat, most = parse_threat(f"{name}@{radius}"), {"steps": 10, "queries": 100, "targets": 3}
    return replace(threat, **{key: min(getattr(threat, key), n) for key, n in most.items() if hasattr(threat, key)})


@pytest.fixture(params=[f"{name}@{radius}" for name in SINGLE for radius in RADII])
def threat(request):
    return short(*request.param.split("@"))


def test_address_reads_back(threat):
    assert parse_threat(threat_address(threat)) == threat


def test_stays_in_its_set_and_never_raises_the_margin(threat):
    model, images, labels, sample = block()
    attacked = threat(model, images, labels, sample, 0)
    assert attacked.shape == images.shape
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert (distance(attacked - images, threat.radius.norm) <= tolerance(float(threat.radius))).all()
    assert (margin(model(attacked), labels) <= margin(model(images), labels)).all()
    correct = model(images).argmax(1) == labels
    assert (margin(model(attacked), labels) < margin(model(images), labels))[correct].any()


def test_same_seed_same_bytes_and_batches_change_nothing(threat):
    model, images, labels, sample = block()
    whole = threat(model, images, labels, sample, 7)
    assert torch.equal(whole, threat(model, images, labels, sample, 7))
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    parts = torch.cat([threat(model, images[part], labels[part], sample[part], 7) for part in order.split(7)])
    verdicts = margin(model(whole), labels)[order] < 0
    assert torch.equal(margin(model(parts), labels[order]) < 0, verdicts)
    # Beyond the boundary DLR has plateaus, where its gradient is rounding noise that depends on the batch's layout.
    torch.testing.assert_close(parts[~verdicts], whole[order][~verdicts], rtol=0, atol=1e-9)


def test_model_keeps_its_mode_and_gets_no_gradient(threat):
    model, images, labels, sample = block()
    model.train()
    threat(model, images, labels, sample, 0)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("classes", [2, 3, 4, 1000])
def test_any_number_of_classes(threat, classes):
    model, images, labels, sample = block(classes, samples=6)
    attacked = threat(model, images, labels, sample, 0)
    assert (margin(model(attacked), labels) <= margin(model(images), labels)).all()


def test_any_memory_layout(threat):
    model, images, labels, sample = block()
    permuted = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert not permuted.is_contiguous()
    expected = threat(model, images, labels, sample, 0)
    torch.testing.assert_close(threat(model, permuted, labels, sample, 0), expected, rtol=0, atol=1e-9)


def test_samples_that_are_all_wrong_come_back_clean(threat):
    model, images, labels, sample = block()
    wrong = (model(images).argmax(1) + 1) % 5
    assert torch.equal(threat(model, images, wrong, sample, 0), images)


def test_one_nan_sample_poisons_no_other(threat):
    model, images, labels, sample = block()

    def sometimes_nan(x):
        logits = model(x)
        bad = (x - images[3]).flatten(1).norm(dim=1) < 0.31  # around one clean image, but not at it
        at = (x - images[3]).flatten(1).norm(dim=1) == 0
        return torch.where((bad & ~at)[:, None], torch.full_like(logits, torch.nan), logits)

    expected = threat(model, images, labels, sample, 0)
    found = threat(sometimes_nan, images, labels, sample, 0)
    others = sample != 3
    torch.testing.assert_close(found[others], expected[others], rtol=0, atol=1e-9)
    assert torch.isfinite(found).all()


@settings(max_examples=6)
@given(radius=st.floats(0.001, 0.2), seed=st.integers(0, 5))
def test_no_attack_beats_the_linear_bound(radius, seed):
    """On two linear classes the least margin in the ball is known by Hoelder's inequality, and PGD meets it."""
    weight = draw(2, 48, seed=seed).double() - 0.5
    images, labels = torch.full((5, 3, 4, 4), 0.5).double(), torch.tensor([0, 1, 0, 1, 1])

    def model(x):
        return x.flatten(1) @ weight.T

    gap = weight[0] - weight[1]
    labels = torch.full((5,), int(model(images)[0].argmax()))
    for norm, dual in (("linf", gap.abs().sum()), ("l2", gap.norm())):
        for name in SINGLE:
            attacked = short(name, f"{norm}:{radius}")(model, images, labels, torch.arange(5), seed)
            least = margin(model(images), labels) - float(Radius.of(f"{norm}:{radius}")) * dual
            # A rounding of the image by 1e-9 of a pixel may shift the margin by as much as the weights' sum.
            assert (margin(model(attacked), labels) >= least - 1e-6 * dual).all(), name
        attacked = parse_threat(f"pgd(steps=100)@{norm}:{radius}")(model, images, labels, torch.arange(5), seed)
        reached = (margin(model(images), labels) - margin(model(attacked), labels)) / (radius * dual)
        assert (reached >= 1 - 1e-6).all()


@pytest.mark.parametrize("cut", [lambda x: x.detach(), lambda x: torch.zeros_like(x)])
def test_a_model_without_a_gradient_is_attacked_without_one(threat, cut):
    model, images, labels, sample = block(samples=6)
    model.requires_grad_(False)
    attacked = threat(lambda x: model(cut(x)), images, labels, sample, 0)
    assert (distance(attacked - images, threat.radius.norm) <= tolerance(float(threat.radius))).all()


def test_restarts_never_help_the_model():
    model, images, labels, sample = block()
    one = parse_threat("pgd(steps=3)@linf:0.03")(model, images, labels, sample, 0)
    many = parse_threat("pgd(steps=3,restarts=4)@linf:0.03")(model, images, labels, sample, 0)
    assert (margin(model(many), labels) <= margin(model(one), labels)).all()
    assert (margin(model(many), labels) < margin(model(one), labels)).any()


def test_measure_counts_and_keeps_clean_errors():
    model, images, labels, sample = block()
    threat = parse_threat("pgd@linf:0.1")
    rows, attacked = measure(model, threat, threat_address(threat), images, labels, sample, 0)
    clean = model(images).argmax(1)
    wrong = (clean != labels).numpy()
    assert (rows.prediction[wrong] == clean.numpy()[wrong]).all()
    assert (rows.found_by[wrong] == "clean").all()
    assert (rows.distance_linf[wrong] == 0).all()
    broken = ~rows.correct & ~wrong
    assert broken.any()
    assert (rows.found_by[broken] == "pgd").all()
    assert (rows.found_by[rows.correct] == "").all()
    np.testing.assert_array_equal(rows.prediction, model(attacked).argmax(1).numpy())
    assert (rows.forwards[~wrong] == 22).all()
    assert (rows.backwards[~wrong] == 20).all()


class Leaves:
    """A threat that leaves its set, returns NaN, and leaves [0, 1]."""

    name, kind, radius = "leaves", "adversarial", Radius.of("linf:0.1")

    def __call__(self, model, images, labels, sample, seed):
        out = images.clone()
        out[0] += 0.2
        out[1] = torch.nan
        out[2] = -0.01
        out[3] = (out[3] + 0.09).clamp(0, 1)
        return out


def test_a_threat_is_not_trusted():
    model = Small()
    images = draw(6, 3, 6, 6).double().clamp(0.3, 0.7)
    labels = model(images).argmax(1)
    rows, attacked = measure(model, Leaves(), "leaves@linf:0.1", images, labels, torch.arange(6), 0)
    assert list(rows.found_by[:3]) == ["refused"] * 3
    assert torch.equal(attacked[:3], images[:3])
    assert rows.correct[:3].all()
    assert rows.distance_linf[3] == pytest.approx(0.09, abs=1e-6)


def test_clean_logits_must_be_finite_and_shaped():
    images, labels, sample = draw(4, 3, 6, 6), torch.zeros(4, dtype=torch.long), torch.arange(4)
    threat = parse_threat("clean")
    with pytest.raises(InputError, match="NaN or infinite logits for 4 of 4 clean images"):
        measure(lambda x: x.flatten(1) * torch.nan, threat, "clean", images, labels, sample, 0)
    with pytest.raises(InputError, match=r"shape \(batch, classes\), got \(4, 3, 6, 6\)"):
        measure(lambda x: x, threat, "clean", images, labels, sample, 0)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("pdg@linf:0.1", "did you mean 'pgd'"),
        ("pgd", "needs a radius"),
        ("pgd(stps=3)@linf:0.1", "did you mean 'steps'"),
        ("pgd(steps=0)@linf:0.1", "greater than 0"),
        ("pgd(steps)@linf:0.1", "key=value"),
        ("pgd@linf:8", "at most 1"),
        ("pgd@lnf:0.1", "did you mean 'linf'"),
        ("clean@linf:0.1", "takes no radius"),
        ("a b", "NAME@RADIUS"),
    ],
)
def test_a_wrong_address_is_one_clear_line(address, says):
    with pytest.raises(InputError) as caught:
        parse_threat(address)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_plan_runs_clean_first_and_nothing_twice():
    radii = [Radius.of("linf:0.1"), Radius.of("l2:1")]
    planned = [threat_address(t) for t in plan_threats(["pgd", "fgsm@linf:0.2", "clean"], radii)]
    assert planned == ["clean", "pgd@linf:0.1", "fgsm@linf:0.2", "pgd@l2:1"]
    for preset in PRESETS.values():
        assert len(plan_threats(preset, radii)) == 1 + 2 * len(preset)
