"""Inference adjustments: their formulas, that they are part of the model in every form, and wrong input."""

import json
from math import log

import pytest
import torch

from weakspot import rng
from weakspot.errors import InputError
from weakspot.models import ModelSpec, build, digest, export_pt2, load, save_model
from weakspot.models.adjusted import adjusted
from weakspot.models.adjustments import ADJUSTMENTS, adjustment_address, adjustment_of
from weakspot.models.heads import set_head
from weakspot.models.zoo.model import ZooModel

COUNTS = (90.0, 31.0, 7.0, 1.0)
SHAPE = {"channels": 1, "classes": 4, "size": 8}
ADDRESSES = [
    "none", "scale", "scale(by=0.5)", "tau-norm", "tau-norm(tau=0.5)", "cdt", "cdt(tau=1.0)", "logit-adjustment",
    "logit-adjustment(tau=0.1,scale=10.0)", "tde", "tde(alpha=0.3)",
]  # fmt: skip


def head_for(address: str) -> str:
    return "tde" if address.startswith("tde") else "linear"


def model_for(address: str) -> ZooModel:
    """A drawn model; the mean direction of a TDE head has seen something."""
    model = build("cnn", **SHAPE)
    set_head(model, head_for(address), seed=3)
    if head_for(address) == "tde":
        model.head.mean_direction.copy_(rng.normal((128,), torch.zeros(1).long(), 0, "d")[0])
    return model.eval()


def images() -> torch.Tensor:
    return rng.uniform((1, 8, 8), torch.arange(5), 0, "test-images")


def expected(address: str, model: ZooModel) -> list[list[float]]:
    """The study's formulas in plain Python floats."""
    name, o = address.partition("(")[0], adjustment_of(address)
    rows = []
    for phi in model.features(images()).tolist():
        weight = model.head.weight.tolist()
        z = model.head(torch.tensor([phi])).tolist()[0]
        dots = [sum(a * b for a, b in zip(phi, w, strict=True)) for w in weight]
        norms = [sum(b * b for b in w) ** 0.5 for w in weight]
        if name == "scale":
            z = [o.by * v for v in z]
        elif name == "tau-norm":
            z = [dot / norm**o.tau for dot, norm in zip(dots, norms, strict=True)]
        elif name == "cdt":
            z = [v / n**o.tau for v, n in zip(z, COUNTS, strict=True)]
        elif name == "logit-adjustment":
            z = [o.scale * v - o.tau * log(n / sum(COUNTS)) for v, n in zip(z, COUNTS, strict=True)]
        elif name == "tde":
            d, size = model.head.mean_direction.tolist(), sum(a * a for a in phi) ** 0.5
            cosine = sum(a * b for a, b in zip(phi, d, strict=True)) / size / sum(b * b for b in d) ** 0.5
            left = [a / size - o.alpha * cosine * b for a, b in zip(phi, d, strict=True)]
            z = [
                16 * sum(a * b for a, b in zip(left, w, strict=True)) / (n + 1 / 32)
                for w, n in zip(weight, norms, strict=True)
            ]
        rows.append(z)
    return rows


@pytest.mark.parametrize("address", ADDRESSES)
def test_logits_are_the_studys(address):
    model = model_for(address)
    found = adjusted(model, address, COUNTS)(images())
    torch.testing.assert_close(found, torch.tensor(expected(address, model)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("address", ADDRESSES)
def test_it_is_part_of_the_model_on_disk(address, tmp_path):
    model = model_for(address)
    spec = ModelSpec(zoo="cnn", **SHAPE, head=head_for(address), adjust=address, counts=COUNTS)
    save_model(spec, model, tmp_path)
    loaded = load(str(tmp_path), **SHAPE).module
    answer = adjusted(model, address, COUNTS)(images())
    torch.testing.assert_close(loaded(images()), answer)


@pytest.mark.parametrize("address", ["tau-norm", "cdt", "logit-adjustment(tau=0.1,scale=10.0)", "tde"])
def test_it_is_part_of_a_program(address, tmp_path):
    loaded = adjusted(model_for(address), address, COUNTS)
    answer = loaded(images())
    export_pt2(loaded, tmp_path / "m.pt2", (1, 8, 8))
    torch.testing.assert_close(torch.export.load(tmp_path / "m.pt2").module()(images()), answer)
    torch.testing.assert_close(load(str(tmp_path / "m.pt2"), **SHAPE).module(images()), answer)


@pytest.mark.parametrize("address", ADDRESSES)
def test_attacks_go_through_it(address):
    """The input's gradient is that of the adjusted logits, by central differences."""
    model = adjusted(model_for(address).double(), address, COUNTS)
    x = images().double().requires_grad_()
    turn = rng.normal(tuple(x.shape[1:]), torch.arange(5), 0, "turn").double()
    weigh = torch.tensor([1.0, -2.0, 0.5, 3.0]).double()
    (gradient,) = torch.autograd.grad((model(x) @ weigh).sum(), x)
    with torch.no_grad():
        slope = (model(x + 1e-6 * turn) - model(x - 1e-6 * turn)) @ weigh / 2e-6
    torch.testing.assert_close((gradient * turn).sum((1, 2, 3)), slope, rtol=1e-4, atol=1e-6)


def test_the_model_itself_is_not_changed_and_shares_its_layers():
    model = model_for("cdt")
    before, names = model(images()), set(model.state_dict())
    other = adjusted(model, "cdt", COUNTS)
    assert isinstance(other, ZooModel)
    assert set(model.state_dict()) == names
    assert torch.equal(model(images()), before)
    assert not torch.equal(other(images()), before)
    with torch.no_grad():
        model.head.bias.add_(1.0)
    torch.testing.assert_close(other(images()), (before + 1.0) / torch.tensor(COUNTS) ** 0.3)
    assert adjusted(model, "none", ()) is model
    torch.testing.assert_close(other.features(images()), model.features(images()))


def test_digests_tell_adjustments_apart():
    model = model_for("cdt")
    variants = [("none", COUNTS), ("cdt", COUNTS), ("cdt(tau=1.0)", COUNTS), ("cdt", COUNTS[::-1])]
    assert len({digest(adjusted(model, *variant)) for variant in variants}) == 4


def test_scaling_changes_no_prediction_and_priors_do():
    model = model_for("none")
    plain = model(images()).argmax(1)
    assert torch.equal(adjusted(model, "scale", ())(images()).argmax(1), plain)
    assert (adjusted(model, "logit-adjustment(tau=100)", COUNTS)(images()).argmax(1) == 3).all()


def test_a_mean_direction_of_nothing_takes_nothing_away():
    model = model_for("tde")
    model.head.mean_direction.zero_()
    torch.testing.assert_close(adjusted(model, "tde", ())(images()), model(images()))


def test_a_description_of_before_still_reads(tmp_path):
    save_model(ModelSpec(zoo="cnn", **SHAPE), build("cnn", **SHAPE), tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    del content["adjust"], content["counts"]
    (tmp_path / "model.json").write_text(json.dumps(content))
    load(str(tmp_path), **SHAPE)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_reads_back(address):
    assert adjustment_address(adjustment_of(address)) == address


@pytest.mark.parametrize("name", ADJUSTMENTS)
def test_every_adjustment_is_tried_above(name):
    assert name in {address.partition("(")[0] for address in ADDRESSES}


@pytest.mark.parametrize(
    "address, head, counts, says",
    [
        ("tau-nrom", "linear", COUNTS, "did you mean 'tau-norm'"),
        ("cdt(taus=1)", "linear", COUNTS, "taus"),
        ("scale(by=0)", "linear", COUNTS, "greater than 0"),
        ("cdt@1", "linear", COUNTS, "no place"),
        ("tau-norm", "cosine", COUNTS, "needs the head linear"),
        ("tau-norm", "robal", COUNTS, "needs the head linear"),
        ("tde", "robal", COUNTS, "train with --head tde"),
        ("cdt", "linear", (), "none are known"),
        ("logit-adjustment", "linear", (3.0, 0.0, 1.0, 0.0), r"classes \[1, 3\] have none"),
    ],
)
def test_wrong_input_is_one_line(address, head, counts, says):
    model = build("cnn", **SHAPE)
    set_head(model, head)
    with pytest.raises(InputError, match=says) as caught:
        adjusted(model, address, counts)
    assert "\n" not in str(caught.value)


def test_counts_of_other_classes_are_refused():
    with pytest.raises(InputError, match="counts needs a number for each of the 4 classes, got 2"):
        ModelSpec(zoo="cnn", **SHAPE, counts=(1.0, 2.0))
    with pytest.raises(InputError, match="unknown adjustment"):
        ModelSpec(zoo="cnn", **SHAPE, adjust="cdd")
