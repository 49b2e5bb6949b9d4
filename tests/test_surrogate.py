"""`transfer(surrogate=ADDRESS)` on real files: the same images as the threat that was made in Python."""

import numpy as np
import pytest
import torch

import weakspot
from weakspot.data import limit as first_of
from weakspot.errors import InputError
from weakspot.surrogate import surrogates
from weakspot.threats import threat_address
from weakspot.threats.pgd import Pgd
from weakspot.threats.transfer import Transfer


@pytest.fixture
def data():
    return first_of(weakspot.load_data("fashion-mnist-mini"), 40)


@pytest.fixture
def parse(data):
    return surrogates(data, torch.device("cpu"), False)


def test_equals_the_transfer_that_was_made_in_python(data, parse, shared):
    weights = shared / "models" / "wongkolter_fashion_mnist_small.pth"
    address = f"transfer(surrogate=small-cnn,weights={weights},inner=pgd,steps=3)@linf:0.1"
    images, labels = data.batch(range(40)), data.labels
    victim = weakspot.load_model().module
    surrogate = weakspot.load_model("small-cnn", weights=weights, data=data).module
    made = Transfer(inner=Pgd(radius="linf:0.1", steps=3), surrogate=surrogate, named="small-cnn")
    both = [threat(victim, images, labels, torch.arange(40), 0) for threat in (parse(address), made)]
    assert torch.equal(*both)
    assert not torch.equal(both[0], images)


def test_the_address_names_the_weights(data, parse, tmp_path):
    threat = parse("transfer(surrogate=packaged)@linf:0.1")
    address = threat_address(threat)
    digest = weakspot.load_model("packaged", data=data).digest[:12]
    assert address == f"transfer(surrogate=packaged,digest={digest},inner=apgd-ce)@linf:0.1"
    assert threat_address(parse(address)) == address
    run = weakspot.audit(
        data="fashion-mnist-mini", threats=["transfer(surrogate=packaged,inner=fgsm)", "fgsm"], radius="linf:0.1",
        limit=40, out=tmp_path / "run",
    )  # fmt: skip
    own, carried = run.rows.of("fgsm@linf:0.1"), run.rows.where(np.char.startswith(run.rows.threat.astype(str), "tran"))
    assert len(carried) == 40
    np.testing.assert_array_equal(own.prediction, carried.prediction)  # the model is its own surrogate


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("transfer@linf:0.1", r"needs the model to attack, such as transfer\(surrogate=runs/NAME\)"),
        ("transfer(surrogate=nothing)@linf:0.1", "unknown model 'nothing'"),
        ("transfer(surrogate=packaged,digest=123)@linf:0.1", "packaged has changed"),
        ("transfer(surrogate=packaged,stps=3)@linf:0.1", "unknown option of apgd-ce 'stps'; did you mean 'steps'"),
        ("transfer(surrogate=packaged,inner=fog)@3", "one image for each sample, not fog"),
        ("transfer(surrogate=packaged,inner=pairs)@linf:0.1", "one image for each sample, not pairs"),
        ("transfer(surrogate=packaged)", "needs a radius"),
    ],
)
def test_refuses(parse, address, says):
    with pytest.raises(InputError, match=says):
        parse(address)
