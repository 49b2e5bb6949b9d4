"""Every way of handing a classifier over, and what each says when it cannot be."""

import json

import pytest
import torch
from torch import nn

from weakspot import rng
from weakspot.errors import InputError, SetupError
from weakspot.models import ModelSpec, build, checkpoints, digest, export_pt2, load, loading, save_model

SHAPE = {"channels": 1, "classes": 10, "size": 28}
SPEC = ModelSpec(zoo="small-cnn", **SHAPE, head="cosine", mean=(0.25,), std=(0.5,))


def small(seed=1):
    return build("small-cnn", **SHAPE, seed=seed)


@pytest.fixture
def run(tmp_path):
    """A run folder as `train` writes it."""
    folder = tmp_path / "run"
    folder.mkdir()
    save_model(SPEC, SPEC.build(seed=4), folder)
    return folder


def same(loaded, model):
    """The loaded model is in eval mode and does what `model` does."""
    images = rng.uniform((1, 28, 28), torch.arange(3), 0, "test-images")
    assert not loaded.module.training
    torch.testing.assert_close(loaded.module(images), model.eval()(images), rtol=0, atol=0)


def test_an_object_is_taken_as_it_is():
    model = small()
    loaded = load(model, **SHAPE)
    assert loaded.module is model
    assert model.training
    assert (loaded.address, loaded.weights, loaded.digest) == ("object: SmallCnn", None, digest(model))


def test_a_callable_is_taken():
    def model(images):
        return images.flatten(1)[:, :10]

    loaded = load(model, **SHAPE)
    assert loaded.module is model
    assert loaded.address.startswith("object: ")
    assert loaded.digest == load(model, **SHAPE).digest


def test_a_zoo_name_takes_weights(tmp_path):
    checkpoints.save(small(), tmp_path / "w.safetensors")
    loaded = load("small-cnn", weights=tmp_path / "w.safetensors", **SHAPE)
    same(loaded, small())
    assert loaded.address == "small-cnn"
    assert loaded.weights == str(tmp_path / "w.safetensors")
    assert loaded.digest == digest(small())


def test_a_factory_takes_weights(tmp_path):
    (tmp_path / "net.py").write_text(
        "from weakspot.models import build\n"
        "def net(channels, classes):\n"
        "    return build('small-cnn', channels=channels, classes=classes, size=28, seed=9)\n"
    )
    torch.save({"state_dict": small().state_dict()}, tmp_path / "w.pt")
    same(load(f"{tmp_path}/net.py:net", weights=str(tmp_path / "w.pt"), **SHAPE), small())
    bare = load(f"{tmp_path}/net.py:net", **SHAPE)
    same(bare, small(9))
    assert bare.weights is None


def test_a_run_folder_is_a_model(run):
    loaded = load(run, **SHAPE)
    same(loaded, SPEC.build(seed=4))
    assert loaded.address == str(run)
    assert loaded.weights == str(run / "model.safetensors")
    assert loaded.module.normalize.mean.item() == 0.25


def test_a_run_folder_takes_other_weights_of_its_own(run):
    checkpoints.save(SPEC.build(seed=5), run / "epoch-3.safetensors")
    same(load(run, weights=run / "epoch-3.safetensors", **SHAPE), SPEC.build(seed=5))


def test_a_program_is_a_model(tmp_path):
    export_pt2(small(), tmp_path / "m.pt2", (1, 28, 28))
    loaded = load(tmp_path / "m.pt2", **SHAPE)
    images = rng.uniform((1, 28, 28), torch.arange(3), 0, "test-images")
    torch.testing.assert_close(loaded.module(images), small().eval()(images))
    assert loaded.digest == load(str(tmp_path / "m.pt2"), **SHAPE).digest


def test_nothing_is_the_packaged_model(tmp_path, monkeypatch):
    save_model(SPEC, SPEC.build(seed=4), tmp_path, "fashion_cnn")
    monkeypatch.setattr(loading, "PACKAGED", tmp_path)
    loaded = load(None, **SHAPE)
    same(loaded, SPEC.build(seed=4))
    assert loaded.address == "packaged"


def test_an_installation_without_the_packaged_model_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "PACKAGED", tmp_path)
    with pytest.raises(SetupError, match="packaged model is missing"):
        load(None, **SHAPE)


def test_the_digest_is_that_of_what_was_saved(run):
    assert load(run, **SHAPE).digest == digest(SPEC.build(seed=4))


@pytest.mark.parametrize(
    "address, weights, says",
    [
        ("small-cnn", None, "small-cnn needs weights"),
        ("smal-cnn", None, "did you mean 'small-cnn'"),
        ("small-cnn", "absent.pt", "no checkpoint at absent.pt"),
        ("runs/absent", None, "no run folder at runs/absent"),
        ("absent.pt2", None, "no exported program at absent.pt2"),
        ("weights.pth", None, "MODEL --weights weights.pth"),
        ("net.py", None, "net.py:FACTORY"),
        ("absent.py:net", None, "no file at absent.py"),
        (None, "w.pt", "the packaged model has its weights already"),
        ("absent.pt2", "w.pt", "a .pt2 file has its weights already"),
        (nn.Flatten(), "w.pt", "a model that is an object has its weights already"),
        ("", None, "unknown model ''"),
    ],
)
def test_what_is_no_model_is_one_line(address, weights, says):
    with pytest.raises(InputError, match=says) as error:
        load(address, weights=weights, **SHAPE)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_run_is_one_line(tmp_path):
    with pytest.raises(InputError, match="holds no model.json"):
        load(tmp_path, **SHAPE)


@pytest.mark.parametrize(
    "change, says", [({"channels": 3}, "takes 1 channels"), ({"classes": 100}, "data has 1 and 100")]
)
def test_data_of_another_kind_is_refused(run, change, says):
    with pytest.raises(InputError, match=says):
        load(run, **SHAPE | change)


@pytest.mark.parametrize(
    "content, says",
    [
        ("{", "cannot be read"),
        ("[]", "must hold a JSON object"),
        ("{}", "zoo is needed"),
        (json.dumps(SHAPE | {"zoo": "small-cnn", "temperature": 2}), "temperature"),
        (json.dumps(SHAPE | {"zoo": "small-cn"}), "did you mean 'small-cnn'"),
        (json.dumps(SHAPE | {"zoo": "small-cnn", "head": "robust"}), "head"),
        (json.dumps(SHAPE | {"zoo": "small-cnn", "classes": "many"}), "classes"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_damaged_description_is_one_line(run, content, says):
    (run / "model.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=says) as error:
        load(run, **SHAPE)
    assert "\n" not in str(error.value)


def test_a_run_folder_with_truncated_weights_is_one_line(run):
    weights = run / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load(run, **SHAPE)


def test_a_run_folder_without_weights_is_one_line(run):
    (run / "model.safetensors").unlink()
    with pytest.raises(InputError, match="no checkpoint at"):
        load(run, **SHAPE)


def test_a_zoo_name_goes_before_a_folder_of_that_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run.rename(tmp_path / "small-cnn")
    with pytest.raises(InputError, match="needs weights"):
        load("small-cnn", **SHAPE)
    same(load("./small-cnn", **SHAPE), SPEC.build(seed=4))
