"""Transfer from a surrogate: what is found there is judged here, once."""

import pytest
import torch

import weakspot
from weakspot.contracts import Threat
from weakspot.errors import InputError
from weakspot.maths.balls import distance
from weakspot.maths.losses import margin
from weakspot.threats import parse_threat, plan_threats, threat_address
from weakspot.threats.apgd import ApgdCe
from weakspot.threats.eot import Rand
from weakspot.threats.fgsm import Fgsm
from weakspot.threats.measure import measure
from weakspot.threats.pgd import Pgd
from weakspot.threats.transfer import Transfer


class Masked(torch.nn.Module):
    """The digits' network behind a staircase of 16 levels: no gradient, almost the same predictions."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net((images * 16).round() / 16 + 0 * images)


def broken(model, threat, images, labels):
    return margin(model(threat(model, images, labels, torch.arange(len(images)), 0)), labels) < 0


def test_from_the_model_itself_equals_the_inner_threat(digits):
    net, images, labels = digits
    for inner in (Pgd(radius="linf:0.08"), ApgdCe(radius="l2:0.4", steps=20), Fgsm(radius="linf:0.08")):
        sample, transfer = torch.arange(len(images)), Transfer(inner=inner, surrogate=net, named="itself")
        own = inner(net, images, labels, sample, 3)
        assert torch.equal(transfer(net, images, labels, sample, 3), own)
        assert (margin(net(own), labels) < 0).any()


def test_breaks_what_gradients_cannot(digits):
    net, images, labels = digits
    masked = Masked(net).eval()
    right = masked(images).argmax(1) == labels
    images, labels = images[right], labels[right]
    blind = Pgd(radius="linf:0.1")
    assert broken(masked, blind, images, labels).sum() <= 3
    seeing = Transfer(inner=blind, surrogate=net, named="net")
    assert broken(masked, seeing, images, labels).sum() > broken(net, blind, images, labels).sum() // 2
    attacked = seeing(masked, images, labels, torch.arange(len(images)), 0)
    assert (distance(attacked - images, "linf") <= 0.1 + 1e-6).all()
    assert (margin(masked(attacked), labels) <= margin(masked(images), labels)).all()


def test_samples_that_the_surrogate_gets_wrong_are_attacked_too(digits):
    net, images, labels = digits

    def biased(x):  # sees class 0 in every clean image, with a margin above 10, and follows the same features
        return net(x) + 30 * torch.nn.functional.one_hot(torch.zeros(len(x), dtype=torch.long), 10)

    assert (biased(images).argmax(1) == 0).all()
    transfer = Transfer(inner=Pgd(radius="linf:0.15"), surrogate=biased, named="biased")
    attacked = transfer(net, images, labels, torch.arange(len(images)), 0)
    moved = (attacked != images).flatten(1).any(1)
    assert moved[labels != 0].float().mean() > 0.5
    assert (margin(net(attacked), labels) < 0).sum() > 10


def test_an_ensemble_and_a_stranger_transfer_as_well(digits):
    net, images, labels = digits
    masked, few = Masked(net).eval(), slice(0, 12)

    class Grey:
        """A plugin's threat: it has no parts and no run."""

        name, kind = "grey", "adversarial"

        def __call__(self, model, images, labels, sample, seed):
            assert model is net
            return images * 0.9 + 0.05

    assert isinstance(Grey(), Threat)
    for inner in (Rand(radius="linf:0.1", steps=5), Grey()):
        transfer = Transfer(inner=inner, surrogate=net, named="net")
        rows, _ = measure(masked, transfer, "t", images[few], labels[few], torch.arange(12), 0)
        assert "refused" not in rows.found_by
        assert (rows.forwards == 2).all()  # the clean look and the judgement; the surrogate is not counted


def test_addresses():
    transfer = Transfer(inner=Pgd(radius="linf:8/255", steps=50), surrogate=torch.nn.Identity().eval(), named="a/b.pt")
    assert threat_address(transfer) == "transfer(surrogate=a/b.pt,inner=pgd,steps=50)@linf:8/255"
    assert str(transfer.radius) == "linf:8/255"
    planned = plan_threats(["pgd", transfer], [parse_threat("pgd@l2:1").radius])
    assert [threat_address(threat) for threat in planned] == ["clean", "pgd@l2:1", threat_address(transfer)]
    with pytest.raises(InputError, match=r"make it in Python: weakspot\.threats\.transfer\.Transfer"):
        parse_threat("transfer(inner=pgd)@linf:0.1")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"surrogate": torch.nn.Identity()}, "eval mode"),
        ({"surrogate": 3}, "surrogate"),
        ({"inner": "pgd"}, "inner"),
        ({"named": "a,b"}, "named"),
    ],
)
def test_wrong_settings_are_one_line(change, says):
    right = {"inner": Pgd(radius="linf:0.1"), "surrogate": torch.nn.Identity().eval(), "named": "x"}
    with pytest.raises(InputError, match=says) as caught:
        Transfer(**{**right, **change})
    assert "\n" not in str(caught.value)


def test_an_audit_takes_threats_made_in_python(digits, tmp_path):
    net, images, labels = digits
    transfer = Transfer(inner=Fgsm(radius="linf:0.1"), surrogate=net, named="net")
    run = weakspot.audit(
        Masked(net).eval(), (images, labels), threats=["fgsm@linf:0.1", transfer], out=tmp_path / "run"
    )
    by_threat = {threat: run.rows.of(threat).correct.mean() for threat in ("fgsm@linf:0.1", threat_address(transfer))}
    assert by_threat[threat_address(transfer)] < by_threat["fgsm@linf:0.1"]
