"""Programs of torch.export: the same logits and gradients, any batch, no modes; hostile archives run nothing."""

import io
import json
import os
import pickle
import re
import warnings
import zipfile
from contextlib import suppress

import pytest
import torch
from torch import nn

from weakspot import rng
from weakspot.errors import InputError, SetupError
from weakspot.models import ModelSpec, build, digest, export_pt2, frozen
from weakspot.models.exported import load_pt2

SPECS = [
    ModelSpec(zoo=name, channels=channels, classes=7, size=size, head=head, mean=(0.3,), std=(0.7,))
    for name, channels, size, head in [
        ("cnn", 1, 28, "linear"), ("lenet5", 1, 28, "cosine"), ("small-cnn", 3, 32, "linear"),
        ("resnet18-w4", 3, 32, "cosine"), ("preact-resnet18-w4", 1, 29, "linear"), ("wrn-10-1", 3, 32, "linear"),
    ]
]  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """An exported model, as bytes."""
    path = tmp_path_factory.mktemp("exported") / "m.pt2"
    export_pt2(build("small-cnn", channels=1, classes=10, size=28), path, (1, 28, 28))
    return path.read_bytes()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.zoo)
def test_logits_and_gradients_equal_the_originals(spec, tmp_path):
    model = spec.build()
    export_pt2(model, tmp_path / "m.pt2", (spec.channels, spec.size, spec.size))
    assert model.training, "exporting changed the model's mode"
    assert all(p.requires_grad for p in model.parameters())
    loaded = load_pt2(tmp_path / "m.pt2")
    model.eval()
    for count in (1, 2, 5):
        images = rng.uniform((spec.channels, spec.size, spec.size), torch.arange(count), 0, "test-images")
        images.requires_grad_()
        with frozen(loaded):
            ours = loaded(images)
        theirs = model(images)
        torch.testing.assert_close(ours, theirs)
        (gradient,) = torch.autograd.grad(ours.square().sum(), images)
        (expected,) = torch.autograd.grad(theirs.square().sum(), images)
        torch.testing.assert_close(gradient, expected)
        assert gradient.abs().sum() > 0


class Patches(nn.Module):
    """A small vision transformer: sizes computed from the batch, string arguments, scalars, constants."""

    def __init__(self):
        super().__init__()
        self.cut = nn.Conv2d(3, 16, 4, stride=4)
        self.place = nn.Parameter(torch.linspace(-1, 1, 65 * 16).view(1, 65, 16))
        self.first = nn.Parameter(torch.zeros(1, 1, 16))
        self.encode = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True, norm_first=True)
        self.head = nn.Sequential(nn.LayerNorm(16), nn.Dropout(0.5), nn.GELU("tanh"), nn.Linear(16, 10))

    def forward(self, images):
        images = (images - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / 0.25
        patches = self.cut(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(images.shape[0], -1, -1), patches], dim=1) + self.place
        x = self.encode(x.reshape(images.shape[0] * 65, 16).view(images.shape[0], -1, 16))
        x = torch.einsum("bij,jk->bik", x, torch.eye(16))
        return self.head(x[:, 0] + nn.functional.interpolate(x.transpose(1, 2), scale_factor=2.0).mean(2))


def test_a_transformer_of_a_user_passes_the_check(tmp_path):
    model = Patches().eval()
    export_pt2(model, tmp_path / "m.pt2", (3, 32, 32))
    images = rng.uniform((3, 32, 32), torch.arange(3), 0, "test-images").requires_grad_()
    ours, theirs = load_pt2(tmp_path / "m.pt2")(images), model(images)
    torch.testing.assert_close(ours, theirs)
    (gradient,) = torch.autograd.grad(ours.square().sum(), images)
    torch.testing.assert_close(gradient, torch.autograd.grad(theirs.square().sum(), images)[0])


def test_modes_are_guarded_and_digests_stable(program, tmp_path):
    (tmp_path / "m.pt2").write_bytes(program)
    first, again = load_pt2(tmp_path / "m.pt2"), load_pt2(tmp_path / "m.pt2")
    assert first.eval() is first
    assert first.train() is first
    assert not first.training
    assert digest(first) == digest(again)
    with torch.no_grad():
        next(first.parameters()).add_(1)
    assert digest(first) != digest(again)


def test_the_operators_count_in_the_digest(tmp_path):
    digests = []
    for activation in (nn.ReLU(), nn.ReLU(), nn.Tanh()):
        export_pt2(nn.Sequential(nn.Flatten(), activation), tmp_path / "m.pt2", (1, 4, 4))
        digests.append(digest(load_pt2(tmp_path / "m.pt2")))
    assert digests[0] == digests[1] != digests[2]


def test_no_path_of_this_machine_is_exported(program):
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert os.path.dirname(__file__).encode() not in content
    assert b"weakspot/models/zoo" not in content


def test_a_model_that_cannot_be_traced_is_one_line(tmp_path):
    class Branching(nn.Module):
        def forward(self, images):
            return images.flatten(1) if images.mean() > 0.5 else -images.flatten(1)

    with pytest.raises(InputError, match="cannot trace this Branching") as error:
        export_pt2(Branching(), tmp_path / "m.pt2", (1, 4, 4))
    assert "\n" not in str(error.value)
    assert not os.listdir(tmp_path)


def test_an_unwritable_folder_is_a_setup_error(tmp_path):
    with pytest.raises(SetupError, match="cannot write"):
        export_pt2(nn.Flatten(), tmp_path / "absent" / "m.pt2", (1, 4, 4))


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("trust", [False, True])
def test_a_truncated_program_is_one_line(program, share, trust, tmp_path):
    path = tmp_path / "m.pt2"
    path.write_bytes(program[: int(len(program) * share)])
    with pytest.raises(InputError) as error:
        load_pt2(path, trust_pickle=trust)
    assert "\n" not in str(error.value)


def test_a_missing_program_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no exported program"):
        load_pt2(tmp_path / "m.pt2")


class Hostile:
    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


def rewritten(program, replace=None, add=None):
    """The archive with some records (regular expression: function) replaced and others added."""
    out, replace = io.BytesIO(), replace or {}
    writer = torch._C.PyTorchFileWriter(out)
    writer.set_min_version(6)  # as torch.export does
    reader = torch._C.PyTorchFileReader(io.BytesIO(program))
    for name in reader.get_all_records():
        if name.startswith(".data/") or name == "byteorder":
            continue
        content = reader.get_record(name)
        for pattern, change in replace.items():
            content = change(content) if re.fullmatch(pattern, name) else content
        writer.write_record(name, content, len(content))
    for name, content in (add or {}).items():
        writer.write_record(name, content, len(content))
    writer.write_end_of_file()
    return out.getvalue()


def edited(program, change):
    """The archive with the model's JSON changed by `change`."""

    def edit(content):
        model = json.loads(content)
        change(model)
        return json.dumps(model).encode()

    return rewritten(program, {r"models/\w+\.json": edit})


def pickled(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def graph(model):
    return model["graph_module"]["graph"]


def batch_size(model):
    """The first symbolic size in the graph."""
    sizes = (s for value in graph(model)["tensor_values"].values() for s in value["sizes"] if "as_expr" in s)
    return next(sizes)["as_expr"]


def run(trace):
    return f"__import__('os').mkdir('{trace}')"


def pickled_weights(program, trace):
    def mark(content):
        weights = json.loads(content)
        next(iter(weights["config"].values()))["use_pickle"] = True
        return json.dumps(weights).encode()

    first = {"data/weights/weight_0": lambda _: pickled(Hostile(trace))}
    return rewritten(program, {r"data/weights/\w+_config\.json": mark} | first)


def opaque_constant(program, trace):
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    config = json.dumps({"config": {"c": entry}}).encode()
    record = {"data/constants/opaque_obj_0": pickle.dumps(Hostile(trace))}
    return rewritten(program, {r"data/constants/\w+\.json": lambda _: config}, record)


def first_node(**changes):
    return lambda model: graph(model)["nodes"][0].update(changes)


def container(kind, context):
    spec = json.dumps([1, {"type": kind, "context": json.dumps(context), "children_spec": []}])
    return lambda model: model["graph_module"]["module_call_graph"][0]["signature"].update(in_spec=spec)


def path_argument(trace):
    return [{"name": "path", "arg": {"as_string": str(trace)}, "kind": 1}]


HOSTILE = {  # how it is made, and what the refusal says
    "example inputs": (
        lambda p, t: rewritten(p, {r"data/sample_inputs/\w+\.pt": lambda _: pickled((Hostile(t),))}),
        "a part holds more than tensors",
    ),
    "weights": (pickled_weights, "it holds a pickle"),
    "old weights": (
        lambda p, t: rewritten(p, add={"data/weights/model.pt": pickled({"w": Hostile(t)})}),
        "data/weights/model.pt",
    ),
    "opaque constant": (opaque_constant, "data/constants/opaque_obj_0"),
    "symbolic size": (lambda p, t: edited(p, lambda m: batch_size(m).update(expr_str=run(t))), "no plain arithmetic"),
    "string in a size": (
        lambda p, t: edited(p, lambda m: batch_size(m).update(expr_str=f'Max("{run(t)}", 1)')),
        "no plain arithmetic",
    ),
    "guard": (lambda p, t: edited(p, lambda m: m.update(guards_code=[f"{run(t)} is None"])), "no plain arithmetic"),
    "operator": (
        lambda p, t: edited(p, first_node(target="torch.os.mkdir", inputs=path_argument(t))),
        "its graph calls 'torch.os.mkdir'",
    ),
    "writing operator": (lambda p, t: edited(p, first_node(target="torch.ops.aten.save.default")), "aten.save"),
    "name": (lambda p, t: edited(p, first_node(name=f"x = {run(t)}")), "no plain name"),
    "key": (lambda p, t: edited(p, lambda m: graph(m)["tensor_values"].update({run(t): {}})), "no plain name"),
    "container": (lambda p, t: edited(p, container("collections.defaultdict", [])), "collections.defaultdict"),
    "import": (
        lambda p, t: edited(p, container("builtins.dict", [{"__enum__": True, "fqn": "a.b"}])),
        "inputs or outputs",
    ),
    "compiled code": (lambda p, t: rewritten(p, add={"data/aotinductor/m/m.so": b"\x7fELF"}), "aotinductor"),
    "a second model": (lambda p, t: rewritten(p, add={"models/other.json": b"{}"}), "one model"),
}


@pytest.mark.parametrize("way", HOSTILE)
def test_a_hostile_program_is_refused_and_nothing_runs(way, program, tmp_path):
    trace, path = tmp_path / "executed", tmp_path / "m.pt2"
    make, reason = HOSTILE[way]
    path.write_bytes(make(program, trace))
    with pytest.raises(InputError, match="was not loaded") as error:
        load_pt2(path)
    assert reason in str(error.value)
    assert "--trust-pickle" in str(error.value)
    assert "\n" not in str(error.value)
    assert not trace.exists()


@pytest.mark.parametrize(
    "way", ["example inputs", "weights", "opaque constant", "symbolic size", "string in a size", "guard"]
)
def test_the_hostile_programs_are_real(way, program, tmp_path):
    """torch.export.load alone runs them: so the refusals above are what kept the code from running."""
    trace, path = tmp_path / "executed", tmp_path / "m.pt2"
    path.write_bytes(HOSTILE[way][0](program, trace))
    # What the loader does after it ran the code is its own affair: most of these are no programs in the end.
    with warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")
        load_pt2(path, trust_pickle=True)(torch.zeros(2, 1, 28, 28))
    assert trace.is_dir()


def test_a_rewritten_harmless_program_loads(program, tmp_path):
    (tmp_path / "m.pt2").write_bytes(edited(program, lambda m: m.update(guards_code=["L['images'].size()[2] == 28"])))
    assert load_pt2(tmp_path / "m.pt2")(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_trust_names_the_file(program, tmp_path, caplog):
    (tmp_path / "m.pt2").write_bytes(rewritten(program, add={"data/odd": b"1"}))
    with pytest.raises(InputError, match="holds 'data/odd'"):
        load_pt2(tmp_path / "m.pt2")
    assert load_pt2(tmp_path / "m.pt2", trust_pickle=True)(torch.zeros(3, 1, 28, 28)).shape == (3, 10)
    assert [str(tmp_path / "m.pt2") in record.getMessage() for record in caplog.records] == [True]
