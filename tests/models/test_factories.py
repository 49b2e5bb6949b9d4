"""The user's own code makes the model."""

import sys

import pytest
from torch import nn

from weakspot.errors import InputError
from weakspot.models.factories import make
from weakspot.models.zoo.model import Shape

SHAPE = Shape(3, 7, 16)

NET = """
import torch
from neighbour import WIDTH

class Net(torch.nn.Module):
    def __init__(self, classes, channels=1, size=28, width=WIDTH):
        super().__init__()
        self.got = channels, classes, size, width
    def forward(self, images):
        return images.flatten(1)

def plain():
    return Net(5)

def options(*args, **options):
    assert not args and not options
    return Net(4)

def wants_more(depth, classes):
    return Net(classes)

def fails():
    raise OSError("no\\nluck")

def returns_nothing():
    pass

ready = Net(3)
number = 3
"""


@pytest.fixture
def net(tmp_path):
    (tmp_path / "neighbour.py").write_text("WIDTH = 11\n")
    (tmp_path / "net.py").write_text(NET)
    yield tmp_path / "net.py"
    sys.modules.pop("neighbour", None)


@pytest.mark.parametrize(
    "name, got",
    [("Net", (3, 7, 16, 11)), ("plain", (1, 5, 28, 11)), ("options", (1, 4, 28, 11)), ("ready", (1, 3, 28, 11))],
)
def test_a_file_makes_the_model(net, name, got):
    path = list(sys.path)
    assert make(f"{net}:{name}", SHAPE).got == got
    assert sys.path == path


def test_an_importable_module_makes_the_model(net, monkeypatch):
    monkeypatch.syspath_prepend(net.parent)
    assert make("net:Net", SHAPE).got == (3, 7, 16, 11)
    sys.modules.pop("net")


def test_a_class_of_torch_is_a_factory():
    assert isinstance(make("torch.nn:Flatten", SHAPE), nn.Flatten)


def test_an_edited_file_is_read_anew(net):
    assert make(f"{net}:plain", SHAPE).got[1] == 5
    net.write_text(NET.replace("Net(5)", "Net(66)"))
    assert make(f"{net}:plain", SHAPE).got[1] == 66


@pytest.mark.parametrize(
    "name, says",
    [
        ("wants_more", "needs depth; a factory is called without arguments or with channels, classes and size"),
        ("fails", "raised OSError: no$"),
        ("returns_nothing", "must return an nn.Module, it returned a NoneType"),
        ("number", "must be an nn.Module or make one, it is a int"),
        ("nett", "there is no 'nett'; callables there: Net, fails, options, plain"),
        ("", "there is no ''"),
    ],
)
def test_what_makes_no_model_is_one_line(net, name, says):
    with pytest.raises(InputError, match=says):
        make(f"{net}:{name}", SHAPE)


@pytest.mark.parametrize(
    "code, says",
    [("1 / 0", "raised ZeroDivisionError"), ("def", "raised SyntaxError"), ("import absent_x", "No module")],
)
def test_a_file_that_fails_is_one_line(tmp_path, code, says):
    (tmp_path / "net.py").write_text(code)
    with pytest.raises(InputError, match=says) as error:
        make(f"{tmp_path}/net.py:build", SHAPE)
    assert "\n" not in str(error.value)
    assert not [
        name for name in sys.modules if name.startswith("weakspot_model_net_") and hasattr(sys.modules[name], "build")
    ]


@pytest.mark.parametrize(
    "address, says",
    [("absent_package.models:build", "cannot import 'absent_package.models'"), ("absent/net.py:build", "no file at"),
     (":build", "importing '' raised ValueError"), ("..:build", "importing '..' raised TypeError")],
)  # fmt: skip
def test_what_is_absent_is_one_line(address, says):
    with pytest.raises(InputError, match=says) as error:
        make(address, SHAPE)
    assert "\n" not in str(error.value)
